"""Estimates as JSON documents and rows of a table: what files, pipes and the web hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from armsight.robots import Robot
from armsight.state import UNITS, Estimate

DIGITS = 6
"""Decimals in the rows of a video: micrometres and microradians, at a third of the size"""


def failure(image: str, robot: str | None, error: Exception) -> dict[str, Any]:
    """An `Estimate`'s JSON for an image that could not be read: no answers, and the error.

    Args:
        robot: that was asked for; None for any.
    """
    nothing = Estimate("", False, 0.0, (), ()).to_json()
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


class GrowingDocument:
    """A JSON document that is written while one of its lists is still growing."""

    def __init__(self, write: Callable[[str], object], head: Mapping[str, Any], name: str) -> None:
        """Write the entries of `head` and the beginning of the list `name`."""
        self._write = write
        self._separator = ""
        write(f"{dumps(head)[:-1]}, {dumps(name)}: [")

    def add(self, item: Any) -> None:
        """Write an item of the list."""
        self._write(self._separator + dumps(item))
        self._separator = ",\n"

    def close(self, tail: Mapping[str, Any]) -> None:
        """End the list, and write the entries behind it."""
        self._write(f"], {dumps(tail)[1:]}")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
