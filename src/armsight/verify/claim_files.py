"""The files that claims come in: joint angles, and the camera's pose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.data.recordings import read_joint_log
from armsight.errors import BadIntrinsicsError, BadShapeError, DatasetError
from armsight.fit.measurements import check_pose
from armsight.robots import Robot

Array = NDArray[np.floating]

BEYOND_LIMITS = 0.1
"""[rad] by which a claim may exceed a joint's limits: its zero may be off"""


def read_joints(path: str | Path, robot: Robot) -> Array:
    """Joint angles (J,) [rad] from a file.

    Whatever `read_joint_log` reads, with one row: JSON with `joint_positions` [rad] (and
    `joint_names`) or `joint_positions_deg`, a number for each joint's name, a ROS JointState, or
    text. Joints are matched by name where there are names; further numbers (fingers) are left
    alone.

    Raises:
        DatasetError: the file cannot be read, has several rows, or has no angle in its limits for
            each joint.
    """
    path = Path(path)
    log = read_joint_log(path, robot)
    if len(log.joint_positions) != 1:
        raise DatasetError(
            f"{path} has {len(log.joint_positions)} rows of joint angles; give the one row that "
            "belongs to the picture"
        )
    if log.degrees_inferred:
        raise DatasetError(
            f"{path} holds angles outside of the limits of {robot.name}; they look as if they were "
            'in degrees. Write radians, or JSON {"joint_positions_deg": [...]}'
        )
    q: Array = log.joint_positions[0]
    low, high = robot.joint_limits.T
    outside = (q < low - BEYOND_LIMITS) | (q > high + BEYOND_LIMITS)
    if outside.any():
        joint = int(np.argmax(outside))
        raise DatasetError(
            f"{path}: {robot.joint_names[joint]} is {q[joint]:g} rad, outside of its limits "
            f"({low[joint]:.2f} to {high[joint]:.2f}); is it another robot, or another order of "
            "joints? Write JSON with joint_names beside joint_positions"
        )
    return q


def read_pose(path: Path) -> Array:
    """`T_cam_base` (4, 4) from JSON (a matrix, or an object with that name) or text.

    Raises:
        BadIntrinsicsError: the file holds no rigid transform.
    """
    try:
        text = path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
        except ValueError:
            document = [float(word) for word in text.replace(",", " ").split()]
        if isinstance(document, dict):
            document = document["T_cam_base"]
        return check_pose("--camera-pose", np.asarray(document, dtype=float).reshape(4, 4))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, BadShapeError) as error:
        raise BadIntrinsicsError(f"{path} holds no T_cam_base, 4x4 [m]: {error}") from error
