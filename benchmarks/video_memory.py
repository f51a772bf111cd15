"""Does memory stay flat over a long video? Runs `armsight estimate` on one and watches it.

    python benchmarks/video_memory.py --frames 10000

The video is the example picture of the weights, slowly moved about, so that an arm is found and
tracked. The command runs as a user would run it, overlay video included, in a process of its own,
whose resident memory is read from /proc (Linux) as its rows appear. The arm leaves the picture in
every tenth stretch of 100 frames, so that losing and finding it again is in the measurement too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import armsight
from armsight.data.video import VideoWriter

EXAMPLE = Path(armsight.__file__).parent / "weights" / "panda" / "example.jpg"
FPS = 30.0
STRETCH, PERIOD = 100, 1000
"""Frames without an arm, once in so many frames"""
WARM_UP = 500
"""From so many frames on memory should not grow."""


def film(path: Path, frames: int, width: int, height: int) -> None:
    """Write the video; every frame differs a little from the one before."""
    with Image.open(EXAMPLE) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((width, height)))
    with VideoWriter(path, FPS) as writer:
        for i in range(frames):
            if i % PERIOD >= PERIOD - STRETCH:
                frame = np.full_like(pixels, 90 + i % 40)
            else:
                shift = round(0.04 * width * np.sin(i / 40)), round(0.04 * height * np.sin(i / 57))
                frame = np.roll(pixels, shift, (1, 0))
            writer.write(np.ascontiguousarray(frame), i / FPS)


def resident_mb(process: int) -> float:
    """Resident memory of a running process [MB]."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def watch(clip: Path, out: Path, frames: int, every: int) -> list[dict[str, Any]]:
    """Run the command on the clip; one row of figures per `every` frames."""
    command = [sys.executable, "-m", "armsight", "estimate", str(clip), "--out", str(out)]
    growing = out / f".{clip.stem}.partial.jsonl"
    rows: list[dict[str, Any]] = []
    started, done, place = time.monotonic(), 0, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            time.sleep(0.2)
            if growing.exists():
                with growing.open("rb") as file:
                    file.seek(place)
                    new = file.read()
                place += len(new)
                done += new.count(b"\n")
            if done < frames and done >= every * (len(rows) + 1):
                rate = done / (time.monotonic() - started)
                rows.append({"frames": done, "resident_mb": resident_mb(running.pid), "fps": rate})
                print(f"{done:6} frames  {rows[-1]['resident_mb']:6.1f} MB  {rate:5.1f} frames/s",
                      file=sys.stderr, flush=True)  # fmt: skip
    if running.returncode:
        raise SystemExit(f"armsight estimate ended with {running.returncode} after {done} frames")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=250, help="frames between two readings")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        film(clip, args.frames, args.width, args.height)
        rows = watch(clip, Path(folder) / "out", args.frames, args.every)
        lines = (Path(folder) / "out" / "clip.jsonl").read_text().splitlines()
    found = sum(json.loads(line)["robot_found"] for line in lines)
    warm = [row["resident_mb"] for row in rows if row["frames"] >= WARM_UP]
    summary = {
        "frames": len(lines),
        "robot_found": found,
        "first_resident_mb": round(warm[0], 1) if warm else None,
        "last_resident_mb": round(warm[-1], 1) if warm else None,
        "most_resident_mb": round(max(warm), 1) if warm else None,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6, 1),
    }
    print(json.dumps({"summary": summary, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
