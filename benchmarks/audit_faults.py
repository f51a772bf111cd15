"""Scores `armsight audit` on rendered episodes whose faults are known, with 95 % intervals.

    armsight render-clips --format lerobot --disturbed --fps 10 --frames 50 --size 400 300 \
        --count 40 --seed 1000 --out CLIPS --fault none --fault lag --fault zero --fault none \
        --fault lag --fault camera-shift --fault none --fault lag --fault zero --fault camera-turn
    python benchmarks/audit_faults.py CLIPS... [--report DIR] [--workers N]

K of each episode is known. What counts as found: a lag to half a frame, a zero to 0.5 deg, a moved
camera at its frame; an episode without a fault that is not called fine is a false alarm.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from armsight.audit.judge import Judgement, judge
from armsight.audit.plan import make_plan
from armsight.audit.run import run_audit
from armsight.data.lerobot import LeRobotReader
from armsight.reports.intervals import wilson_interval
from armsight.robots import load_robot

Row = dict[str, Any]
LAG_FRAMES, ZERO_DEG = 0.5, 0.5


def kind_of(faults: Row) -> str:
    """What was injected."""
    if faults["lag_frames"]:
        return "lag"
    if faults["zero_joint"] is not None:
        return "zero"
    return "none" if faults["camera_moved_at"] is None else "camera moved"


def lag_found(found: Judgement, faults: Row, fps: float) -> bool:
    """The log's lag to half a frame, and the verdict that says so."""
    verdict = "log_ahead" if faults["lag_frames"] > 0 else "log_behind"
    offset = found.calibration.get("time_offset")
    if found.verdict != verdict or offset is None:
        return False
    return bool(abs(offset * fps - faults["lag_frames"]) <= LAG_FRAMES)


def zero_found(found: Judgement, faults: Row, fps: float) -> bool:
    """The joint's zero to half a degree; what is found is to be added to the log."""
    if found.verdict != "zeros_off":
        return False
    offset = np.degrees(found.calibration["joint_zero_offsets"][faults["zero_joint"]])
    return bool(abs(offset + faults["zero_offset_deg"]) <= ZERO_DEG)


def move_found(found: Judgement, faults: Row, fps: float) -> bool:
    """The frame at which the camera moved."""
    return found.verdict == "camera_moved" and found.camera_moved_at == faults["camera_moved_at"]


def fine(found: Judgement, faults: Row, fps: float) -> bool:
    """No alarm."""
    return found.verdict == "fine"


SCORES: dict[str, tuple[str, Callable[[Judgement, Row, float], bool]]] = {
    "none": ("without a fault: called fine", fine),
    "lag": (f"lag found to {LAG_FRAMES:g} frame", lag_found),
    "zero": (f"zero found to {ZERO_DEG:g} deg", zero_found),
    "camera moved": ("moved camera found at its frame", move_found),
}


def audited(dataset: Path, report: Path, workers: int) -> list[tuple[Judgement, Row, float]]:
    """Each episode's judgement, its faults, and the frame rate."""
    reader = LeRobotReader(dataset)
    robot = load_robot(str(reader.info["robot_type"]))
    found = []
    for episode, record in enumerate(reader.episodes):
        truth = json.loads(record["truth"])
        K = [value for row in truth["K"] for value in row]
        plan = make_plan(dataset, robot.name, episodes=str(episode), K=K)
        rows = run_audit(plan, report / f"{episode:04d}", workers=workers)
        (one,) = judge(rows, dataset, robot, reader.fps).judgements
        found.append((one, truth["faults"], reader.fps))
        print(json.dumps(line(dataset.name, *found[-1])), flush=True)
    return found


def line(dataset: str, found: Judgement, faults: Row, fps: float) -> Row:
    """What was there and what was found, for one episode."""
    calibration = found.calibration
    offset = calibration.get("time_offset")
    kind = kind_of(faults)
    return {
        "dataset": dataset,
        "episode": found.row["episode"],
        "kind": kind,
        "right": SCORES[kind][1](found, faults, fps),
        "faults": faults,
        "verdict": found.verdict,
        "reason": found.reason,
        "lag_frames": None if offset is None else round(offset * fps, 2),
        "zeros_deg": np.degrees(calibration.get("joint_zero_offsets", [])).round(2).tolist(),
        "camera_moved_at": found.camera_moved_at,
        "seconds": found.row["seconds"],
    }


def main() -> None:
    """Audit and score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--report", type=Path, default=Path("out/audit_faults"))
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    found = [
        result
        for dataset in arguments.datasets
        for result in audited(dataset, arguments.report / dataset.name, arguments.workers)
    ]
    for kind, (label, is_right) in SCORES.items():
        rights = [is_right(*result) for result in found if kind_of(result[1]) == kind]
        if rights:
            low, high = wilson_interval(sum(rights), len(rights))
            print(f"{label}: {sum(rights)} of {len(rights)}, {100 * np.mean(rights):.0f} % "
                  f"[{100 * low:.0f}, {100 * high:.0f}]")  # fmt: skip
    seconds = [one.row["seconds"] for one, _, _ in found]
    print(f"seconds an episode: median {np.median(seconds):.1f}, most {max(seconds):.1f}")


if __name__ == "__main__":
    main()
