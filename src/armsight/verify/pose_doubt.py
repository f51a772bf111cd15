"""Does a claimed camera pose put the arm where it is seen? If not, in which form would it?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.geometry import invert_transform, project, transform_points
from armsight.robots import Robot
from armsight.state import Estimate

Array = NDArray[np.floating]

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""Between OpenGL's camera axes (y up, z backward) and OpenCV's (y down, z forward)"""
ELSEWHERE_SHARE, THERE_SHARE = 0.3, 0.1
"""Median distance of the keypoints from where they are seen, as a share of what the arm spans in
the picture: from the first on a pose is doubted, below the second another form of it is believed.
Small errors of a pose stay the verifier's own matter."""


def pose_doubt(robot: Robot, T_cam_base: Array, estimate: Estimate) -> str | None:
    """What is odd about a camera pose (4, 4), in words; None where it agrees with the picture.

    The arm that the picture shows is held against the pose, whatever angles are claimed. Where no
    arm was found, only a pose that has the whole arm behind the camera is doubted.
    """
    q = estimate.joint_positions
    points = robot.keypoints(robot.ready_positions if q is None else q)
    seen = estimate.keypoints_2d
    behind = bool((transform_points(T_cam_base, points)[:, 2] <= 0).all())
    K = estimate.K
    if q is None or seen is None or K is None:
        return _with_this_pose("behind the camera") if behind else None
    span = float(np.linalg.norm(np.ptp(seen, axis=0)))

    def off(T: Array) -> float:
        """Median distance from where the keypoints are seen, in spans."""
        if (transform_points(T, points)[:, 2] <= 0).any():
            return np.inf
        at = project(transform_points(T, points), K)
        return float(np.median(np.linalg.norm(at - seen, axis=-1))) / max(span, 1.0)

    if off(T_cam_base) < ELSEWHERE_SHARE:
        return None
    where = "behind the camera" if behind else "where the picture does not show it"
    for name, T in _other_forms(T_cam_base):
        if off(T) < THERE_SHARE:
            return _with_this_pose(where) + f": {name}?"
    return _with_this_pose(where) + (
        ": is it of another camera, or from before the camera was moved?"
    )


def _with_this_pose(where: str) -> str:
    return f"with this camera pose the arm would lie {where}; the angles were not judged by it"


def _other_forms(T: Array) -> list[tuple[str, Array]]:
    """The poses that people mean when they do not give T_cam_base in metres and OpenCV axes."""
    metres = T.copy()
    metres[:3, 3] /= 1000
    inverse: Array = invert_transform(T)
    inverse_metres: Array = invert_transform(metres)
    return [
        ("is it the inverse, T_base_cam", inverse),
        ("is its translation in millimetres", metres),
        ("are its camera axes OpenGL's (y up, z backward) and not OpenCV's", OPENGL @ T),
        ("is it the inverse, T_base_cam, with OpenGL's camera axes (y up, z backward)",
         OPENGL @ inverse),
        ("is it the inverse, T_base_cam, in millimetres", inverse_metres),
    ]  # fmt: skip
