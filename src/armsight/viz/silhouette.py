"""The outline of an arm: its link meshes projected and filled."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import transform_points
from armsight.robots import Robot

Array = NDArray[np.floating]
Mesh: TypeAlias = tuple[int, Array, NDArray[np.int64]]

NEAR = 0.05
"""Depth [m] in front of which faces are left out: they would project to anywhere."""
CELL = 0.015
"""Grid [m] to which outline meshes are thinned: a quarter of the faces, under 1 mm of change."""
SHIFT = 4
"""OpenCV's fixed-point bits: positions are drawn to a sixteenth of a pixel."""

_CACHE: dict[tuple[str, Path], tuple[Mesh, ...]] = {}


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


def meshes(robot: Robot) -> tuple[Mesh, ...]:
    """The thinned meshes (link index, vertices [m, link frame], faces) of a robot, read once."""
    key = (robot.name, robot.folder)
    if key not in _CACHE:
        _CACHE[key] = tuple(
            (robot.link_names.index(link), *_thin(*mesh))
            for link, mesh in robot.link_shapes().items()
        )
    return _CACHE[key]


def _thin(vertices: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Merge the vertices of each grid cell into their mean; drop the faces that collapse."""
    cells, index = np.unique(np.round(vertices / CELL), axis=0, return_inverse=True)
    index = index.reshape(-1)
    counts = np.bincount(index, minlength=len(cells))[:, None]
    merged = np.stack([np.bincount(index, v, len(cells)) for v in vertices.T], axis=1) / counts
    faces = index[faces]
    a, b, c = faces.T
    return merged, faces[(a != b) & (b != c) & (a != c)].astype(np.int64)
