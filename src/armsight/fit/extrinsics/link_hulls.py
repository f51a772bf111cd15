"""The convex hulls of an arm's links, drawn small and fast: a coarse mask for any camera pose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot
from armsight.robots.kinematics import link_frames
from armsight.robots.surface_mesh import SurfaceMesh

Array = NDArray[np.floating]

NUM_DIRECTIONS = 40
"""A hull is kept as the vertices that lie farthest in so many directions"""
SUBPIXEL_BITS = 4
"""of OpenCV's fixed-point coordinates"""
NEAREST_SHARE = 0.03
"""Points nearer to the camera than this share of the arm's reach are moved to that depth"""
FARTHEST_PX = 2000.0
"""Points are drawn no farther off the picture than this"""


@dataclass(frozen=True)
class LinkHulls:
    """Hull vertices of all links in N poses of the arm."""

    points: Array
    """(N, V, 3) [m, base frame]"""
    ends: tuple[int, ...]
    """The vertices of hull k end before `ends[k]`"""

    @classmethod
    def of(cls, robot: Robot, joint_positions: Array) -> LinkHulls:
        """At joint positions (N, J) [rad]."""
        rotations, origins = link_frames(robot.chain, joint_positions, np)
        directions = _directions(NUM_DIRECTIONS)
        points, sizes = [], []
        for link, vertices in SurfaceMesh.of(robot).parts:
            if len(vertices) < 4:
                continue
            hull = vertices[np.unique(np.argmax(vertices @ directions.T, axis=0))]
            points.append(hull @ rotations[:, link].swapaxes(-1, -2) + origins[:, link, None])
            sizes.append(len(hull))
        return cls(np.concatenate(points, axis=1), tuple(np.cumsum(sizes).tolist()))

    def __getitem__(self, frames: NDArray[np.intp]) -> LinkHulls:
        return LinkHulls(self.points[frames], self.ends)

    @property
    def centre(self) -> Array:
        """(3,) [m, base frame] mean of all points."""
        mean: Array = self.points.mean((0, 1))
        return mean

    @cached_property
    def reach(self) -> float:
        """[m] the farthest point from the base."""
        return float(np.linalg.norm(self.points, axis=-1).max())

    def masks(self, T_cam_base: Array, K: Array, size: tuple[int, int]) -> NDArray[np.uint8] | None:
        """(N, height, width) 1 on the arm; None where most of it is behind the camera.

        Args:
            T_cam_base: (4, 4).
            K: (3, 3) [px] of a picture of that size.
            size: width, height [px].
        """
        cam = self.points @ T_cam_base[:3, :3].T + T_cam_base[:3, 3]
        nearest = NEAREST_SHARE * self.reach
        if (cam[..., 2] < nearest).mean() > 0.5:
            return None
        pixels = (cam @ K[:2].T) / np.maximum(cam[..., 2:], nearest)
        pixels = np.clip(pixels, -FARTHEST_PX, FARTHEST_PX) * (1 << SUBPIXEL_BITS)
        corners = np.round(pixels).astype(np.int32)
        masks = np.zeros((len(corners), size[1], size[0]), np.uint8)
        begin = 0
        for end in self.ends:
            for mask, points in zip(masks, corners[:, begin:end], strict=True):
                cv2.fillConvexPoly(mask, cv2.convexHull(points), (1,), shift=SUBPIXEL_BITS)
            begin = end
        return masks


def _directions(count: int) -> Array:
    """(count, 3) unit vectors spread over the sphere, on a Fibonacci spiral."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + np.sqrt(5)) * k
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)
