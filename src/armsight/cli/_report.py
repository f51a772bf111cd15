"""Estimates as people and programs read them: a table, JSON, rows of a video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from armsight.robots import Robot
from armsight.state import UNITS, Estimate

if TYPE_CHECKING:
    from armsight.cli._video import VideoResult

DIGITS = 6
"""Decimals in the rows of a video: micrometres and microradians, at a third of the size"""


def table(estimate: Estimate) -> str:
    """Joint, angle and standard deviation [deg], where the base is, and what to know."""
    title = f"{estimate.image or 'image'}: "
    if not estimate.robot_found or estimate.joint_positions is None:
        lines = [title + f"no {estimate.robot} found"]
    else:
        lines = [title + f"{estimate.robot} found, confidence {estimate.confidence:.2f}"]
        lines += _joint_rows(estimate)
        if estimate.T_cam_base is not None:
            x, y, z = estimate.T_cam_base[:3, 3]
            note = "" if estimate.metric_depth_reliable else " (distances are unreliable)"
            lines.append(
                f"  base at {x:.3f} m right, {y:.3f} m down, {z:.3f} m ahead of the camera{note}"
            )
    for other in estimate.others:
        lines.append(f"  another {other.robot}, confidence {other.confidence:.2f}: see `others`")
    skip = f"no {estimate.robot} found"
    lines += [f"  note: {message}" for message in estimate.messages if message != skip]
    return "\n".join(lines)


def _joint_rows(estimate: Estimate) -> list[str]:
    assert estimate.joint_positions is not None
    angles = np.degrees(estimate.joint_positions)
    stds = np.full(len(angles), np.nan)
    if estimate.joint_std is not None:
        stds = np.degrees(estimate.joint_std)
    width = max(len(name) for name in estimate.joint_names)
    rows = [f"  {'joint':<{width}}  angle [deg]  ± std [deg]"]
    for name, angle, std in zip(estimate.joint_names, angles, stds, strict=True):
        shown = "–" if np.isnan(std) else f"{std:.1f}"
        rows.append(f"  {name:<{width}}  {angle:11.1f}  {shown:>11}")
    return rows


def failure(image: str, robot: str, error: Exception) -> dict[str, Any]:
    """An `Estimate`'s JSON for an image that could not be read: no answers, and the error."""
    nothing = Estimate(robot, False, 0.0, (), ()).to_json()
    empty = dict.fromkeys(nothing)
    known = {"image": image, "robot": robot, "units": nothing["units"], "error": str(error)}
    return {**empty, **known}


def frame_row(index: int, time: float, estimate: Estimate) -> dict[str, Any]:
    """One video frame: the JSON of an image after `frame` and `time` [s], rounded, no samples."""
    row = _rounded(estimate.to_json())
    del row["image"], row["samples"], row["others"], row["units"]
    return {"frame": index, "time": round(time, DIGITS), **row}


def video_head(video: Path, robot: Robot) -> dict[str, Any]:
    """What is known of a video's answers before its first frame."""
    return {
        "video": str(video),
        "robot": robot.name,
        "joint_names": list(robot.joint_names),
        "keypoint_names": list(robot.keypoint_names),
        "units": {**{k: v for k, v in UNITS.items() if k != "samples"}, "time": "s"},
    }


def video_summary(
    result: VideoResult, outputs: dict[str, Path], error: Exception | None
) -> dict[str, Any]:
    """How a video went, after its last frame; `outputs` holds the files that were written."""
    return {
        "num_frames": result.frames,
        "num_robot_found": result.found,
        "fps": result.fps,
        "intrinsics_source": result.intrinsics_source,
        "outputs": {name: str(path) for name, path in outputs.items()},
        "messages": list(result.messages),
        "interrupted": result.interrupted,
        "error": None if error is None else str(error),
    }


def csv_head(estimate: Estimate) -> list[str]:
    """Column names for `csv_row`."""
    names = estimate.joint_names
    return [
        "frame",
        "time_s",
        "robot_found",
        "confidence",
        *(f"{name}_rad" for name in names),
        *(f"{name}_std_rad" for name in names),
    ]


def csv_row(index: int, time: float, estimate: Estimate) -> list[str]:
    """One video frame for spreadsheets; cells without an answer are empty."""
    count = len(estimate.joint_names)
    values: list[str] = []
    for array in (estimate.joint_positions, estimate.joint_std):
        values += [""] * count if array is None else [f"{v:.{DIGITS}f}" for v in array]
    found = "1" if estimate.robot_found else "0"
    return [str(index), f"{time:.{DIGITS}f}", found, f"{estimate.confidence:.4f}", *values]


def dumps(document: Any) -> str:
    """Strict JSON in ASCII: NaN is an error, and any file name can be printed anywhere."""
    return json.dumps(document, allow_nan=False)


def printable(text: str) -> str:
    """Text without what no encoding can say: file names may be any bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
