"""How well an arm's outline lies on a picture's edges.

Points of the outline are carried by their links, so that they move with joints and camera, and each
looks for the nearest edge of its own direction (directional chamfer matching: Liu et al., CVPR
2010). Drawing the arm anew is needed only once it has moved far.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.estimate.measurements import Measurements
from armsight.estimate.polish import States
from armsight.estimate.preprocess import Box
from armsight.estimate.residuals import linearise
from armsight.estimate.skin import Projected, Skin
from armsight.robots import Robot

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

LONGER_SIDE = 640
"""[px] Pictures are shrunk to this"""
BOX_SIDE = 400
"""[px] The same where only the box around an arm is looked at"""
CANNY = (40, 120)
DIRECTIONS = 6
"""Edges are told apart by so many directions, over half a turn"""
FAR = 60.0
"""[px] Farther edges count as this far"""
REACH = 3.8
"""[px] An edge so far away earns e^-1 of a hit"""
SPACING = 3.0
"""[px] between neighbouring points of the outline"""
NEAR_BORDER = 1.5
"""[px] How far inside of the filled outline its points may lie"""
FEWEST_POINTS, MOST_ON_EDGE = 10, 50
"""of a whole outline; of one edge of a mesh, which may run far off the picture"""


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
        size = (self.width, self.height)
        grey = cv2.cvtColor(
            np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8),
            cv2.COLOR_RGB2GRAY,
        )
        grey = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
        edges = np.asarray(cv2.Canny(grey, *CANNY)) > 0
        found = direction(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        self._distance = np.stack([_distance(edges & (found == d)) for d in range(DIRECTIONS)])

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

    def look(self, wanted: Indices, u: Array, v: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Distances (B, N) [px] of points to the nearest edge of their direction.

        Args:
            wanted: (N,) directions.
            u, v: (B, N) [px].

        Returns:
            the distances, their gradients (B, 2, N) by u and v, and which points lie inside.
        """
        inside = (u >= 0) & (u < self.width - 1) & (v >= 0) & (v < self.height - 1)
        u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
        x, y = u.astype(np.intp), v.astype(np.intp)
        fx, fy = u - x, v - y
        (a, b), (c, d) = (
            [self._distance[wanted, y + dy, x + dx] for dx in (0, 1)] for dy in (0, 1)
        )
        upper, lower = a + fx * (b - a), c + fx * (d - c)
        across = (b - a) * (1 - fy) + (d - c) * fy
        return upper + fy * (lower - upper), np.stack([across, lower - upper], axis=1), inside


@dataclass(frozen=True)
class Rim:
    """N points of the outline of an arm in some pose."""

    points: Measurements
    """The points in the place of keypoints: what they were measured as means nothing here"""
    directions: Indices
    """(N,) of the outline's normals in the picture"""

    def closeness(self, edges: EdgeMap, states: States) -> Array:
        """(B,) in [0, 1]: how near the points are to edges, in each of B states of the arm."""
        at = linearise(self.points, states.q, states.R, states.t)
        distance, _, inside = edges.look(self.directions, at.residuals[:, 0], at.residuals[:, 1])
        inside &= at.in_front
        hits = np.where(inside, np.exp(-distance / REACH), 0.0).sum(-1)
        mean: Array = hits / np.maximum(inside.sum(-1), FEWEST_POINTS)
        return mean


def find_rim(robot: Robot, state: States, edges: EdgeMap) -> Rim | None:
    """The outline of the arm in a state (B = 1), or None where hardly any of it is in view."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = state.R[0], state.t[0]
    skin = Skin.of(robot)
    T_cam_link = T @ robot.forward_kinematics(state.q[0])
    seen = Projected.of(skin, T_cam_link, edges.K, max(edges.width, edges.height))
    links, positions, pixels = _points_on(seen)
    mask = seen.mask(edges.width, edges.height)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    inwards = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 3))
    x, y = np.clip(np.round(pixels), -1, 1e6).astype(int).T
    inside = (x > 0) & (x < edges.width - 1) & (y > 0) & (y < edges.height - 1)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    kept = np.flatnonzero(inside & (inwards[y, x] <= NEAR_BORDER))
    _, one_each = np.unique(np.round(pixels[kept] / SPACING), axis=0, return_index=True)
    kept = kept[one_each]
    if len(kept) < FEWEST_POINTS:
        return None
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0)
    normals = direction(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    carrier = replace(
        robot,
        keypoint_names=tuple(map(str, range(len(kept)))),
        keypoint_links=links[kept],
        keypoint_positions=positions[kept],
    )
    points = Measurements(
        carrier, edges.K, np.arange(len(kept)), np.zeros((len(kept), 2)), np.ones(len(kept))
    )
    return Rim(points, normals[y[kept], x[kept]])


def _points_on(seen: Projected) -> tuple[Indices, Array, Array]:
    """Points where the surface turns away from the camera, every SPACING: their links (N,),
    positions (N, 3) [m, link frame] and pixels (N, 2). Some are hidden behind other links."""
    ends = seen.turning_edges()
    where = seen.pixels[ends]
    length = np.linalg.norm(where[:, 0] - where[:, 1], axis=-1)
    count = np.clip(length // SPACING + 1, 1, MOST_ON_EDGE).astype(int)
    edge = np.repeat(np.arange(len(ends)), count)
    first = np.cumsum(count) - count
    share = ((np.arange(len(edge)) - first[edge] + 0.5) / count[edge])[:, None]
    positions, pixels = (
        both[edge, 0] * (1 - share) + both[edge, 1] * share
        for both in (seen.skin.vertices[ends], where)
    )
    return seen.skin.links[ends[edge, 0]], positions, pixels


def direction(du: object, dv: object) -> Indices:
    """Which of DIRECTIONS a gradient (..., ) points in; opposite ones are the same."""
    angle = np.arctan2(np.asarray(dv), np.asarray(du)) / np.pi * DIRECTIONS
    which: Indices = np.round(angle).astype(np.intp) % DIRECTIONS
    return which


def _distance(edges: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[px] to the nearest edge, FAR where there is none."""
    if not edges.any():
        return np.full(edges.shape, FAR, np.float32)
    distance = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    return np.minimum(np.asarray(distance, np.float32), np.float32(FAR))
