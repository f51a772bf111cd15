"""How well the joints of clips of a fixed camera are read, against the same frames one by one.

    python benchmarks/fixed_camera_clips.py --clips 40 --journal runs/fixed-camera.jsonl
    python benchmarks/fixed_camera_clips.py --video CLIP.mp4 [--video ...]

Each rendered clip is a room, a camera that stands still with known intrinsics, and an arm that
moves (`armsight render-clips --frames 60 --fps 20`); seeds below 1000 are for tuning. `--video`
reads real clips, whose truth nobody knows: it counts joints that jump by more than 20 degrees from
one frame to the next, and tells how far the base's place scatters. An interrupted run goes on from
its journal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight import Estimator, Tracker
from armsight.data.video import VideoFrame, VideoReader
from armsight.estimate.clips.reader import clip_reader
from armsight.render.clips.clip import ClipMaker, ClipSettings
from armsight.reports.intervals import bootstrap_interval, wilson_interval
from armsight.reports.journal import Journal
from armsight.state import Estimate

Array = NDArray[np.floating]
FRAMES, FPS = 60, 20.0
LARGEST_STEP_DEG = 20.0
WAYS = ("frame_by_frame", "clip")


def read_both_ways(
    estimator: Estimator, frames: Callable[[], Iterator[VideoFrame]], K: Array | None
) -> tuple[dict[str, list[Estimate]], dict[str, float], str]:
    """Estimates of all frames, CPU seconds, and what the clip reader says of the camera."""
    begin = time.process_time()
    tracker = Tracker(estimator, K)
    estimates = {"frame_by_frame": [tracker(frame.pixels) for frame in frames()]}
    middle = time.process_time()
    reader, message = clip_reader(estimator, frames(), K)
    # Where the camera seems to move, this is what `armsight estimate` falls back to.
    by_frame = estimates["frame_by_frame"]
    estimates["clip"] = by_frame if reader is None else list(reader(frames()))
    seconds = {"frame_by_frame": middle - begin, "clip": time.process_time() - middle}
    return estimates, seconds, message if reader is not None else f"frame by frame: {message}"


def angles(estimates: list[Estimate], num_joints: int) -> tuple[Array, Array]:
    """Joint angles and their stds (N, J) [rad]; NaN where no robot was found."""
    nothing = np.full(num_joints, np.nan)
    q = [nothing if e.joint_positions is None else e.joint_positions for e in estimates]
    std = [nothing if e.joint_std is None else e.joint_std for e in estimates]
    return np.array(q), np.array(std)


def measure(estimator: Estimator, maker: ClipMaker, seed: int) -> dict[str, Any]:
    """Read one rendered clip; a line of numbers."""
    clip = maker.make(seed)

    def frames() -> Iterator[VideoFrame]:
        return (VideoFrame(i, i / FPS, pixels) for i, pixels in enumerate(clip.images))

    estimates, seconds, message = read_both_ways(estimator, frames, clip.K)
    line: dict[str, Any] = {"seed": seed, "message": message, "seconds": seconds}
    truth = np.asarray(clip.joint_positions)
    for way, answers in estimates.items():
        q, std = angles(answers, truth.shape[1])
        found = np.isfinite(q[:, 0])
        line[way] = {
            "frames": found.nonzero()[0].tolist(),
            "error_deg": np.degrees(q - truth)[found].round(3).tolist(),
            "std_deg": np.degrees(std)[found].round(3).tolist(),
            "confidence": [round(answers[n].confidence, 3) for n in found.nonzero()[0]],
            "steps": count_steps(q).tolist(),
        }
    return line


def count_steps(q: Array) -> NDArray[np.intp]:
    """(J,) how often a joint moves by more than LARGEST_STEP_DEG between two frames."""
    steps: NDArray[np.intp] = (np.degrees(np.abs(np.diff(q, axis=0))) > LARGEST_STEP_DEG).sum(0)
    return steps


def mean_and_interval(values: Array) -> str:
    low, high = bootstrap_interval(values, lambda drawn: drawn.mean(-1))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def report(lines: list[dict[str, Any]]) -> None:
    """Whole clips are resampled: the frames of one clip err together."""
    print(f"{len(lines)} clips of {FRAMES} frames of the Panda; intervals are 95 %, over clips")
    means: dict[str, Array] = {}
    for way in WAYS:
        read = [line for line in lines if line[way]["frames"]]
        errors = [np.abs(line[way]["error_deg"]) for line in read]
        inside = [np.abs(line[way]["error_deg"]) <= 2 * np.array(line[way]["std_deg"])
                  for line in read]  # fmt: skip
        found = sum(len(line[way]["frames"]) for line in lines)
        means[way] = np.array([one[:, :-1].mean() for one in errors])
        steps = np.sum([line[way]["steps"] for line in lines], axis=0)
        seconds = np.mean([line["seconds"][way] for line in lines]) / FRAMES
        coverage = 100 * np.array([one.mean() for one in inside])
        frames = np.array([len(one) for one in inside])
        low, high = bootstrap_interval(
            np.stack([coverage * frames, frames], -1), lambda d: d[..., 0].sum(1) / d[..., 1].sum(1)
        )
        print(f"{way}: found in {found} of {FRAMES * len(lines)} frames, {len(read)} clips")
        print(f"  mean error, all but the last joint: {mean_and_interval(means[way])} deg; "
              f"median of clips {np.median(means[way]):.2f}")  # fmt: skip
        print(f"  by joint: {np.mean([one.mean(0) for one in errors], axis=0).round(2)} deg")
        print(f"  steps above {LARGEST_STEP_DEG:g} deg, by joint: {steps}")
        print(f"  errors within two stds: {np.average(coverage, weights=frames):.1f} % "
              f"[{low:.1f}, {high:.1f}]; by joint "
              f"{(100 * np.concatenate(inside).mean(0)).round(0).astype(int)}")  # fmt: skip
        print(f"  {1000 * seconds:.0f} ms of CPU a frame")
    both = [line for line in lines if all(line[way]["frames"] for way in WAYS)]
    pairs = np.array(
        [[np.abs(line[way]["error_deg"])[:, :-1].mean() for way in WAYS] for line in both]
    )
    low, high = bootstrap_interval(
        pairs, lambda drawn: drawn[..., 1].mean(1) / drawn[..., 0].mean(1)
    )
    ratio = pairs[:, 1].mean() / pairs[:, 0].mean()
    better = int((pairs[:, 1] < pairs[:, 0]).sum())
    a, b = wilson_interval(better, len(both))
    print(f"error as a clip / frame by frame: {ratio:.2f} [{low:.2f}, {high:.2f}], n {len(both)}; "
          f"smaller in {better} clips [{100 * a:.0f} %, {100 * b:.0f} %]")  # fmt: skip
    apart = [line["seed"] for line in lines if line["message"].startswith("frame by frame")]
    print("not read as clips:", apart or "none")


def report_video(estimator: Estimator, path: Path) -> None:
    """Jumps and the base's scatter in a real clip."""

    def frames() -> Iterator[VideoFrame]:
        with VideoReader(path) as reader:
            yield from reader

    estimates, _, message = read_both_ways(estimator, frames, None)
    print(f"{path.name}: {message}")
    for way, answers in estimates.items():
        q, _ = angles(answers, len(estimator.robot.joint_names))
        steps = int(np.isfinite(np.diff(q, axis=0)).all(1).sum())
        found = int(np.isfinite(q[:, 0]).sum())
        print(f"  {way}: found in {found} of {len(q)} frames; steps above {LARGEST_STEP_DEG:g} deg "
              f"of {steps}, by joint: {count_steps(q)}")  # fmt: skip
        base = np.array([e.T_cam_base[:3, 3] for e in answers if e.T_cam_base is not None])
        if len(base):
            away = np.linalg.norm(base - np.median(base, axis=0), axis=-1)
            print(f"    base from its middle: median {1000 * np.median(away):.0f} mm, "
                  f"largest {1000 * away.max():.0f} mm")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1000, help="of the first clip")
    parser.add_argument("--journal", type=Path, default=Path("runs/fixed-camera-clips.jsonl"))
    parser.add_argument("--video", type=Path, action="append", default=[])
    options = parser.parse_args()
    estimator = Estimator.from_pretrained("panda")
    for path in options.video:
        report_video(estimator, path)
    if options.video:
        return
    settings = ClipSettings(frames=FRAMES, fps=FPS)
    journal = Journal(options.journal, "fixed-camera-clips/1", {"settings": repr(settings)}, "seed")
    maker = ClipMaker(estimator.robot, settings)
    lines = []
    for seed in range(options.seed, options.seed + options.clips):
        if seed not in journal.lines:
            journal.add(measure(estimator, maker, seed))
        lines.append(journal.lines[seed])
    maker.close()
    report(lines)


if __name__ == "__main__":
    main()
