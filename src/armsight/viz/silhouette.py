"""The outline of an arm: its link meshes projected and filled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot
from armsight.robots.projected import Projected
from armsight.robots.surface_mesh import SurfaceMesh

Array = NDArray[np.floating]


def silhouette(
    robot: Robot, joint_positions: Array, T_cam_base: Array, K: Array, width: int, height: int
) -> NDArray[np.uint8]:
    """Mask (height, width) of where the robot's links are, 0 or 255.

    Args:
        robot: gives the link shapes.
        joint_positions: (J,) [rad].
        T_cam_base: (4, 4) [m].
        K: (3, 3) [px] of an image of that size.
        width, height: of the mask [px].
    """
    T_cam_link = T_cam_base @ robot.forward_kinematics(joint_positions)
    return Projected.of(SurfaceMesh.of(robot), T_cam_link, K, max(width, height)).mask(
        width, height
    )


def outline(mask: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Contours of a mask (H, W), each (N, 1, 2) [px]; specks and pinholes are left out."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if hierarchy is None:
        return []
    is_hole = hierarchy[0][:, 3] >= 0
    # Thin meshes have cracks: a hole must be larger than a part to be believed.
    smallest = np.where(is_hole, 1e-3, 2e-4) * mask.size
    return [
        np.asarray(contour, np.int32)
        for contour, least in zip(contours, smallest, strict=True)
        if cv2.contourArea(contour) >= least
    ]
