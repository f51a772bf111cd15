"""A picture's edges: how far is it from anywhere to the next edge of a given direction?

Directional chamfer matching: Liu et al., CVPR 2010.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import Box
from armsight.fit.measurements import Measurements

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

LONGER_SIDE = 640
"""[px] Pictures are scaled down to this"""
BOX_SIDE = 400
"""[px] The same where only the box around an arm is used"""
CANNY = (30, 90)
"""Canny's lower and upper threshold, for gradients of 8-bit pictures"""
DIRECTIONS = 6
"""Number of edge directions that are told apart, over half a turn"""
FARTHEST_EDGE_PX = 60.0
"""[px] Distances to edges are capped at this"""


class EdgeMap:
    """The edges of a picture, by direction, in pixels of its own: those of its `K`."""

    def __init__(
        self, pixels: NDArray[np.uint8], K: Array, size: tuple[int, int] | None = None,
        box: Box | None = None,
    ) -> None:  # fmt: skip
        """Find them.

        Args:
            pixels: (H, W, 3) RGB.
            K: (3, 3) [px] of the picture in its original size.
            size: that size: width, height [px]; by default that of `pixels`.
            box: [px] of the original picture: look at no more than this.
        """
        w, h = size or pixels.shape[1::-1]
        fine = np.array([pixels.shape[1] / w, pixels.shape[0] / h])
        self.start = np.array([-0.5, -0.5])
        if box is not None:
            low, high = np.reshape(box, (2, 2)) + 0.5
            x0, y0 = np.clip(
                np.floor(low * fine), 0, [pixels.shape[1] - 2, pixels.shape[0] - 2]
            ).astype(int)
            x1, y1 = np.maximum(np.ceil(high * fine).astype(int), [x0 + 2, y0 + 2])
            pixels = pixels[y0:y1, x0:x1]
            self.start = np.array([x0, y0]) / fine - 0.5
        factor = min(1.0, (LONGER_SIDE if box is None else BOX_SIDE) / max(pixels.shape[:2]))
        self.height, self.width = (max(2, round(side * factor)) for side in pixels.shape[:2])
        self.shrunk = fine * [self.width / pixels.shape[1], self.height / pixels.shape[0]]
        # Pixel centres are at integers: the map begins at -0.5.
        self.K = np.diag([*self.shrunk, 1.0]) @ K
        self.K[:2, 2] = self.to_own(K[:2, 2])
        grey = cv2.cvtColor(
            np.asarray(cv2.resize(pixels, self.size, interpolation=cv2.INTER_AREA), np.uint8),
            cv2.COLOR_RGB2GRAY,
        )
        grey = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
        v, u = np.nonzero(np.asarray(cv2.Canny(grey, *CANNY)))
        du, dv = (np.asarray(cv2.Sobel(grey, cv2.CV_32F, *axis))[v, u] for axis in ((1, 0), (0, 1)))
        edges = np.zeros((DIRECTIONS, self.height, self.width), bool)
        edges[direction(du, dv), v, u] = True
        self._distance: NDArray[np.floating] = np.stack([_distance(one) for one in edges])

    def compress(self) -> None:
        """Take half of the memory: distances keep three digits."""
        self._distance = self._distance.astype(np.float16)

    @property
    def size(self) -> tuple[int, int]:
        """Width, height [px]."""
        return self.width, self.height

    def own(self, measured: Measurements) -> Measurements:
        """Measurements [px of the original picture] in pixels of this map."""
        return replace(
            measured,
            K=self.K,
            keypoints_2d=self.to_own(measured.keypoints_2d),
            std=self.shrunk[0] * measured.std,
        )

    def to_own(self, points: Array) -> Array:
        """Points (..., 2) [px of the original picture] in pixels of this map."""
        moved: Array = (points - self.start) * self.shrunk - 0.5
        return moved

    def nearest(
        self, wanted: Indices, u: Array, v: Array
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Distances (B, N) [px] of points to the nearest edge of their direction.

        Args:
            wanted: (N,), (1, N) or (B, N) directions.
            u, v: (B, N) [px].

        Returns:
            the distances, their gradients (B, 2, N) by u and v, and which points lie inside.
        """
        inside = (u >= 0) & (u < self.width - 1) & (v >= 0) & (v < self.height - 1)
        u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
        x, y = u.astype(np.intp), v.astype(np.intp)
        fx, fy = u - x, v - y
        corner = (wanted * self.height + y) * self.width + x
        (a, b), (c, d) = (
            [
                self._distance.take(corner + (dy * self.width + dx)).astype(np.float32)
                for dx in (0, 1)
            ]
            for dy in (0, 1)
        )
        right, right_below = b - a, d - c
        upper, lower = a + fx * right, c + fx * right_below
        down = lower - upper
        across = right + fy * (right_below - right)
        return upper + fy * down, np.stack([across, down], axis=1), inside


def direction(du: object, dv: object) -> Indices:
    """Which of DIRECTIONS a gradient (..., ) points in; opposite ones are the same."""
    angle = np.arctan2(np.asarray(dv), np.asarray(du)) / np.pi * DIRECTIONS
    which: Indices = np.round(angle).astype(np.intp) % DIRECTIONS
    return which


def _distance(edges: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[px] to the nearest edge, FARTHEST_EDGE_PX where there is none."""
    if not edges.any():
        return np.full(edges.shape, FARTHEST_EDGE_PX, np.float32)
    distance = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    return np.minimum(np.asarray(distance, np.float32), np.float32(FARTHEST_EDGE_PX))
