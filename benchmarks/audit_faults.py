"""Scores `armsight audit` on data sets whose faults are known, with 95 % intervals.

    python benchmarks/audit_faults.py DATASET... [--report DIR] [--workers N]

Each data set is a LeRobotDataset v3 whose `meta/episodes` says of every episode what is wrong with
it (`benchmarks/render_faults.py` makes them):

    fault         "none", "lag", "zeros" or "camera_moved"
    lag_frames    by how many frames the log runs ahead of the pictures; negative: behind
    zero_joint    index of the joint whose zero is off
    zero_deg      what the log's angle of that joint is too large by [deg]
    moved_at      the first frame that shows the moved camera
    K             nine numbers [px], if the cameras' intrinsics are to be known

What counts as found (issue's bars): a lag to half a frame, a zero to 0.5 deg, a moved camera at its
frame; an episode without a fault that is not called fine is a false alarm.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from armsight.audit.plan import make_plan
from armsight.audit.run import run_audit
from armsight.data.lerobot import LeRobotReader
from armsight.evaluate.intervals import wilson_interval

Row = dict[str, Any]
LAG_FRAMES, ZERO_DEG = 0.5, 0.5


def lag_found(row: Row, truth: Row, fps: float) -> bool:
    """The log's lag to half a frame, and the verdict that says so."""
    found = row["calibration"]["time_offset"]
    verdict = "log_ahead" if truth["lag_frames"] > 0 else "log_behind"
    return (
        row["calibration"]["verdict"] == verdict
        and found is not None
        and abs(found * fps - truth["lag_frames"]) <= LAG_FRAMES
    )


def zero_found(row: Row, truth: Row, fps: float) -> bool:
    """The joint's zero to half a degree; the offset found is to be added to the log."""
    calibration = row["calibration"]
    found = np.degrees(calibration["joint_zero_offsets"][truth["zero_joint"]])
    return calibration["verdict"] == "zeros_off" and abs(found + truth["zero_deg"]) <= ZERO_DEG


def move_found(row: Row, truth: Row, fps: float) -> bool:
    """The frame at which the camera moved."""
    calibration = row["calibration"]
    return calibration["verdict"] == "camera_moved" and row["moved_at"] == truth["moved_at"]


def fine(row: Row, truth: Row, fps: float) -> bool:
    """No alarm."""
    return bool(row["calibration"]["verdict"] == "fine")


SCORES: dict[str, tuple[str, Callable[[Row, Row, float], bool]]] = {
    "none": ("without a fault: called fine", fine),
    "lag": (f"lag found to {LAG_FRAMES:g} frame", lag_found),
    "zeros": (f"zero found to {ZERO_DEG:g} deg", zero_found),
    "camera_moved": ("moved camera found at its frame", move_found),
}


def main() -> None:
    """Audit and score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--report", type=Path, default=Path("out/audit_faults"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", help="episodes of each data set, such as 0-9")
    arguments = parser.parse_args()
    outcomes: dict[str, list[bool]] = {fault: [] for fault in SCORES}
    seconds: list[float] = []
    for dataset in arguments.datasets:
        reader = LeRobotReader(dataset)
        K = reader.info["armsight"].get("K")
        plan = make_plan(dataset, str(reader.info["robot_type"]), episodes=arguments.limit, K=K)
        report = arguments.report / dataset.name
        for row in run_audit(plan, report, workers=arguments.workers):
            truth = reader.episodes[row["episode"]]
            fault = str(truth["fault"])
            right = row["calibration"] is not None and SCORES[fault][1](row, truth, reader.fps)
            outcomes[fault].append(right)
            seconds.append(row["seconds"])
            print(json.dumps(line(dataset.name, row, truth, reader.fps, right)), flush=True)
    for fault, (label, _) in SCORES.items():
        if outcomes[fault]:
            right, n = sum(outcomes[fault]), len(outcomes[fault])
            low, high = wilson_interval(right, n)
            print(f"{label}: {right} of {n}, {100 * right / n:.0f} % "
                  f"[{100 * low:.0f}, {100 * high:.0f}]")  # fmt: skip
    print(f"seconds an episode: median {np.median(seconds):.1f}, most {max(seconds):.1f}")


def line(dataset: str, row: Row, truth: Row, fps: float, right: bool) -> Row:
    """What was there and what was found, for one episode."""
    names = ("fault", "lag_frames", "zero_joint", "zero_deg", "moved_at")
    calibration = row["calibration"] or {}
    offset = calibration.get("time_offset")
    return {
        "dataset": dataset,
        "episode": row["episode"],
        **{name: truth[name] for name in names},
        "right": right,
        "verdict": calibration.get("verdict", row["error"]),
        "found_lag_frames": None if offset is None else round(offset * fps, 2),
        "found_zeros_deg": np.degrees(calibration.get("joint_zero_offsets", [])).round(2).tolist(),
        "found_moved_at": row.get("moved_at"),
        "seconds": row["seconds"],
    }


if __name__ == "__main__":
    main()
