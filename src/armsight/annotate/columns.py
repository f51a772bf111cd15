"""The columns that hold estimates, one row for each frame.

With one camera they are `observation.estimate.NAME`, with several
`observation.estimate.CAMERA.NAME`. What is not known is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot.layout import Features
from armsight.state import Estimate

Array = NDArray[np.floating]
Columns = dict[str, Array]

PREFIX = "observation.estimate"
MATRIX = [f"m{row}{column}" for row in range(4) for column in range(4)]
"""Names of a 4x4 matrix's numbers, row by row"""
POSE_STD = ["turn_x", "turn_y", "turn_z", "x", "y", "z"]
INTRINSICS = ["fx", "fy", "cx", "cy"]


def columns(joint_names: Sequence[str]) -> Features:
    """Of one camera, by their short names: `joint_positions` and `std` [rad], `confidence`,
    `T_cam_base` [m], `T_cam_base_std` [rad, m], `intrinsics` [px]."""
    names = {
        "joint_positions": list(joint_names),
        "std": list(joint_names),
        "confidence": None,
        "T_cam_base": MATRIX,
        "T_cam_base_std": POSE_STD,
        "intrinsics": INTRINSICS,
    }
    return {
        name: {"dtype": "float32", "shape": [len(inner or [name])], "names": inner}
        for name, inner in names.items()
    }


def full_name(name: str, camera_key: str, alone: bool) -> str:
    """Of a column in the data set; `alone` where no other camera has estimates."""
    if alone:
        return f"{PREFIX}.{name}"
    camera = camera_key.removeprefix("observation.").removeprefix("images.")
    return f"{PREFIX}.{camera}.{name}"


def unknown(joint_names: Sequence[str], length: int) -> Columns:
    """Rows (length, *shape) of which nothing is known."""
    shapes = {name: feature["shape"] for name, feature in columns(joint_names).items()}
    return {
        name: np.full((length, *([] if shape == [1] else shape)), np.nan, np.float32)
        for name, shape in shapes.items()
    }


def to_rows(estimates: Iterable[Estimate], joint_names: Sequence[str], length: int) -> Columns:
    """The columns of an episode of `length` frames; frames without an estimate are unknown."""
    rows = unknown(joint_names, length)
    for i, one in enumerate(estimates):
        K = one.K
        found: dict[str, Any] = {
            "joint_positions": one.joint_positions,
            "std": one.joint_std,
            "confidence": one.confidence,
            "T_cam_base": None if one.T_cam_base is None else one.T_cam_base.ravel(),
            "T_cam_base_std": one.T_cam_base_std,
            "intrinsics": None if K is None else [K[0, 0], K[1, 1], K[0, 2], K[1, 2]],
        }
        for name, value in found.items():
            if value is not None:
                rows[name][i] = value
    return rows
