"""Are a data set's labels about this robot, in which unit, and do they agree with each other?

The distances between a robot's keypoints follow from its joint angles. That tells metres from
centimetres beyond doubt, and finds labels of another robot, another camera or another version of
the robot's data file before they spoil a result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

UNITS = {"m": 1.0, "cm": 0.01}
"""Names of the units that a data set may be in, and their length [m]"""
FIT_TOLERANCE_M = 0.01
"""RMS [m] by which labelled keypoints may miss the robot's kinematics"""
RENDERED_TOLERANCE_M = 0.0005
"""The same for pictures that we rendered: their labels come from the same data file"""


@dataclass(frozen=True)
class KeypointLabels:
    """3D labels of one frame in the unit of the file, for `decide_units`."""

    source: str
    """The label file, for error messages"""
    indices: NDArray[np.intp]
    """(K,) which of the robot's keypoints"""
    locations: Array
    """(K, 3) camera frame, in the file's own unit"""
    joint_positions: Array | None
    """(J,) [rad]"""


def decide_units(robot: Robot, labels: list[KeypointLabels], stated: str | None) -> tuple[str, str]:
    """Unit of the labelled locations, and how it is known.

    Args:
        stated: what the user or the data set's own dataset.json says, or None.

    Raises:
        DatasetError: it cannot be known, or what was stated contradicts the kinematics.
    """
    if stated is not None and stated not in UNITS:
        raise DatasetError(f"unknown unit {stated!r}; valid: {', '.join(UNITS)} (--units m|cm)")
    found: dict[str, str] = {}
    for label in labels:
        unit = _unit_by_kinematics(robot, label)
        if unit is not None:
            found.setdefault(unit, label.source)
    if len(found) > 1:
        raise DatasetError(
            "the data set mixes units: by the kinematics "
            + " and ".join(f"{source} is in {unit}" for unit, source in found.items())
            + ". Split it into one folder for each unit."
        )
    if stated is not None:
        if found and stated not in found:
            unit, source = next(iter(found.items()))
            raise DatasetError(
                f"units {stated!r} were stated, but by the kinematics of {robot.name} {source} is "
                f"in {unit!r}. Leave --units out, or correct it."
            )
        return stated, "stated"
    if found:
        return next(iter(found)), "joint angles through the robot's kinematics"
    raise DatasetError(
        f"cannot tell whether {labels[0].source} is in metres or centimetres: the data set has "
        "no joint angles to compare with. Pass --units m (DREAM's real sets) or --units cm "
        "(its synthetic ones)."
    )


def _unit_by_kinematics(robot: Robot, label: KeypointLabels) -> str | None:
    """The unit in which the labelled keypoints lie as far apart as the joint angles say."""
    if label.joint_positions is None or len(label.indices) < 3:
        return None
    true = robot.keypoints(label.joint_positions)[label.indices]
    expected, measured = _pairwise_distances(true), _pairwise_distances(label.locations)
    scale = float((expected * measured).sum() / (expected**2).sum())
    for unit, metres in UNITS.items():
        if 0.8 < scale * metres < 1.25:
            return unit
    raise DatasetError(
        f"the keypoints in {label.source} are {scale:.4g} times as far apart as the joint angles "
        f"of {robot.name} say [m]; 1 (metres) or 100 (centimetres) were possible. Is it another "
        "robot (--robot), or are the joint angles not in radians?"
    )


def _pairwise_distances(points: Array) -> Array:
    i, j = np.triu_indices(len(points), 1)
    distances: Array = np.linalg.norm(points[i] - points[j], axis=-1)
    return distances


def camera_from_keypoints(
    robot: Robot, label: KeypointLabels, locations_m: Array, tolerance_m: float = FIT_TOLERANCE_M
) -> Array | None:
    """`T_cam_base` (4, 4) that puts the robot on its labelled keypoints (K, 3) [m].

    None without joint angles or with fewer than three keypoints.

    Raises:
        DatasetError: no camera pose does so within `tolerance_m` (RMS).
    """
    if label.joint_positions is None or len(label.indices) < 3:
        return None
    points = robot.keypoints(label.joint_positions)[label.indices]
    T_cam_base, rms = align_points(points, locations_m)
    if rms > tolerance_m:
        raise DatasetError(
            f"joint angles and keypoints of {label.source} contradict each other: the kinematics "
            f"of {robot.name} miss the keypoints by {1000 * rms:.1f} mm (RMS). Is it another "
            "robot (--robot), or was it rendered from another version of the robot's data file?"
        )
    return T_cam_base


def align_points(points: ArrayLike, targets: ArrayLike) -> tuple[Array, float]:
    """Rigid transform (4, 4) that best moves points (K, 3) onto targets (K, 3), and its RMS.

    Kabsch's algorithm (1976); never a mirror image. The RMS is in the unit of the points.
    """
    points, targets = np.asarray(points, dtype=float), np.asarray(targets, dtype=float)
    centre, target_centre = points.mean(0), targets.mean(0)
    U, _, Vt = np.linalg.svd((points - centre).T @ (targets - target_centre))
    D = np.diag([1.0, 1.0, 1.0 if np.linalg.det(U @ Vt) > 0 else -1.0])
    R = (U @ D @ Vt).T
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, target_centre - R @ centre
    residual = points @ R.T + T[:3, 3] - targets
    return T, float(np.sqrt((residual**2).sum(1).mean()))
