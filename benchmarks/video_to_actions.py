"""How long a video of 60 keyframes takes to become actions: the speed bar of `armsight actions`.

python benchmarks/video_to_actions.py VIDEO [--weights libero_object] [--frames 60] [--repeat 5]

Frames of VIDEO are played to and fro until there are enough. Prints one JSON document: `load_s`
(weights), `warm_s` (median of the repeats: frames in memory to actions, route direct), `command_s`
(the whole command, from the start of Python to files on disk).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from armsight import ActionModel
from armsight.data.video import VideoReader, VideoWriter


def to_and_fro(path: Path, count: int) -> np.ndarray:
    """`count` frames (count, H, W, 3) of a video, back and forth where it is shorter."""
    with VideoReader(path) as video:
        frames = [frame.pixels for frame in video]
    cycle = frames + frames[-2:0:-1]
    return np.stack([cycle[i % len(cycle)] for i in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--weights", default="libero_object")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    frames = to_and_fro(options.video, options.frames)

    start = time.perf_counter()
    model = ActionModel.from_pretrained(options.weights)
    load_s = time.perf_counter() - start
    times = []
    for _ in range(options.repeat + 1):
        start = time.perf_counter()
        sequence = model.predict_action_chunk(frames, route="direct")
        times.append(time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with VideoWriter(clip, 20 / 3) as writer:
            for i, frame in enumerate(frames):
                writer.write(frame, 3 * i / 20)
        command = [sys.executable, "-m", "armsight", "actions", str(clip), "--out", folder]
        start = time.perf_counter()
        subprocess.run([*command, "--weights", str(model.session.folder), "--route", "direct"],
                       check=True, capture_output=True)  # fmt: skip
        command_s = time.perf_counter() - start
    print(json.dumps({
        "keyframes": len(frames), "actions": len(sequence), "hypotheses": model.num_hypotheses,
        "load_s": round(load_s, 3), "warm_s": round(float(np.median(times[1:])), 3),
        "command_s": round(command_s, 3),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
