"""The outline of an arm: its link meshes projected and filled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import transform_points
from armsight.robots import Robot
from armsight.robots.meshes import meshes

Array = NDArray[np.floating]

NEAR = 0.05
"""Depth [m] in front of which faces are left out: they would project to anywhere."""
SHIFT = 4
"""OpenCV's fixed-point bits: positions are drawn to a sixteenth of a pixel."""


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
    mask = np.zeros((height, width), np.uint8)
    T_base_link = robot.forward_kinematics(joint_positions)
    reach = 16.0 * max(width, height)  # keeps fixed-point coordinates far from overflow
    for link, vertices, faces in meshes(robot):
        points = transform_points(T_cam_base @ T_base_link[link], vertices)
        depth = points[:, 2]
        pixels = points @ K.T
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = pixels[:, :2] / pixels[:, 2:]
        inside = (depth > NEAR) & (np.abs(pixels) < reach).all(axis=1)
        triangles = pixels[faces[inside[faces].all(axis=1)]]
        a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        # Faces that look away are covered by those that look here. One call for each face:
        # filling many at once would punch holes where two overlap.
        here = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
        for triangle in np.round(triangles[here] * (1 << SHIFT)).astype(np.int32):
            cv2.fillConvexPoly(mask, triangle, (255,), cv2.LINE_8, SHIFT)
    return mask


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
