"""Where the cameras were: estimates of episodes that agree are one camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.geometry import (
    invert_transform,
    make_transform,
    project,
    rotation_from_rotvec,
    rotvec_from_rotation,
    transform_points,
)
from armsight.robots import Robot

Array = NDArray[np.floating]
Row = dict[str, Any]

AGREE = 0.012
"""Cameras are the same where the arm's keypoints are seen within this share of the picture's
width (root mean square): 8 px of 640, as 1 deg of turn gives"""
STD_FLOOR = np.array([2e-3, 2e-3, 2e-3, 3e-3, 3e-3, 5e-3, 3e-3])
"""No episode's camera is trusted further than this when means are taken: rotation [rad],
translation [m], log of the focal length"""
TRUSTED = ("fine", "log_ahead", "log_behind", "zeros_off")
"""Verdicts whose camera is a good one"""


@dataclass(frozen=True)
class FoundCamera:
    """One place of one camera, and the episodes in which it stood there."""

    camera_key: str
    T_cam_base: Array
    """(4, 4)"""
    std: Array | None
    """(6,) of rotation [rad] and translation [m] in the camera frame, where it is known"""
    K: Array
    """(3, 3) [px]"""
    image_size: tuple[int, int]
    """Width, height [px]"""
    episodes: tuple[int, ...]

    @property
    def T_base_cam(self) -> Array:
        """(4, 4) the camera in the base frame"""
        T: Array = invert_transform(self.T_cam_base)
        return T

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "camera_key": self.camera_key,
            "T_cam_base": self.T_cam_base.tolist(),
            "T_base_cam": self.T_base_cam.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "K": self.K.tolist(),
            "image_size": list(self.image_size),
            "episodes": list(self.episodes),
        }


def find_cameras(rows: Sequence[Row], robot: Robot) -> list[FoundCamera]:
    """The places of all cameras, each camera's most used place first.

    An episode belongs to the place whose pictures of the arm agree with its own; the surest
    episodes are taken first. Rows without a camera, or with one that a verdict speaks against,
    are left out.
    """
    found = []
    for key in dict.fromkeys(row["camera_key"] for row in rows):
        usable = [
            row
            for row in rows
            if row["camera_key"] == key and row["calibration"] is not None
            and row["calibration"]["T_cam_base"] is not None
            and row["calibration"]["verdict"] in TRUSTED
        ]  # fmt: skip
        places = _grouped(sorted(usable, key=_doubt), robot)
        found += sorted((_mean(group) for group in places), key=lambda c: -len(c.episodes))
    return found


def reprojection_difference(
    T_cam_base: Array, K: Array, other_T: Array, other_K: Array, robot: Robot
) -> float:
    """Root mean square distance [px] between the keypoints of the arm (in its ready pose) in the
    pictures of two cameras; infinite where one does not have the arm before it."""
    points = robot.keypoints(robot.ready_positions)
    one = project(transform_points(T_cam_base, points), K)
    other = project(transform_points(other_T, points), other_K)
    squares = ((one - other) ** 2).sum(-1)
    return float(np.sqrt(squares.mean())) if np.isfinite(squares).all() else float("inf")


def _grouped(rows: Sequence[Row], robot: Robot) -> list[list[Row]]:
    groups: list[list[Row]] = []
    for row in rows:
        T, K = _pose(row)
        width = row["image_size"][0]
        distances = [
            reprojection_difference(T, K, camera.T_cam_base, camera.K, robot) / width
            for camera in map(_mean, groups)
        ]
        nearest = int(np.argmin(distances)) if distances else -1
        if distances and distances[nearest] < AGREE:
            groups[nearest].append(row)
        else:
            groups.append([row])
    return groups


def _mean(rows: Sequence[Row]) -> FoundCamera:
    """The mean of the rows' cameras, weighted by their information, about the first one."""
    T_first, K_first = _pose(rows[0])
    information, total = np.zeros((7, 7)), np.zeros(7)
    for row in rows:
        T, K = _pose(row)
        step = np.concatenate([
            rotvec_from_rotation(T[:3, :3] @ T_first[:3, :3].T),
            T[:3, 3] - T_first[:3, 3],
            [np.log(K[0, 0] / K_first[0, 0])],
        ])  # fmt: skip
        weight = np.linalg.inv(_covariance(row))
        information += weight
        total += weight @ step
    mean = np.linalg.solve(information, total)
    R = rotation_from_rotvec(mean[:3]) @ T_first[:3, :3]
    K = K_first.copy()
    K[:2, :2] *= np.exp(mean[6])
    width, height = rows[0]["image_size"]
    known = any(row["calibration"]["covariance"] is not None for row in rows)
    return FoundCamera(
        rows[0]["camera_key"],
        make_transform(R, T_first[:3, 3] + mean[3:6]),
        np.sqrt(np.diag(np.linalg.inv(information)))[:6] if known else None,
        K,
        (int(width), int(height)),
        tuple(sorted(row["episode"] for row in rows)),
    )


def _pose(row: Row) -> tuple[Array, Array]:
    return np.array(row["calibration"]["T_cam_base"]), np.array(row["calibration"]["K"])


def _covariance(row: Row) -> Array:
    """(7, 7) of rotation, translation and log focal length, with the floor."""
    floor = np.diag(STD_FLOOR**2)
    covariance = row["calibration"]["covariance"]
    if covariance is None:
        return 100 * floor
    return np.array(covariance)[:7, :7] + floor


def _doubt(row: Row) -> float:
    """How unsure a row's camera is; episodes of one doubt stay in their order."""
    return float(np.trace(_covariance(row)[:6, :6] / STD_FLOOR[:6, None]))
