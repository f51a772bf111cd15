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
from armsight.estimate.residuals import linearise
from armsight.geometry import transform_points
from armsight.robots import Robot
from armsight.viz.silhouette import meshes, silhouette

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

LONGER_SIDE = 640
"""[px] Pictures are shrunk to this"""
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
        self, pixels: NDArray[np.uint8], K: Array, size: tuple[int, int] | None = None
    ) -> None:
        """Find them.

        Args:
            pixels: (H, W, 3) RGB.
            K: (3, 3) [px] of the picture in its original size.
            size: that size: width, height [px]; by default that of `pixels`.
        """
        factor = min(1.0, LONGER_SIDE / max(pixels.shape[:2]))
        self.height, self.width = (max(2, round(side * factor)) for side in pixels.shape[:2])
        w, h = size or pixels.shape[1::-1]
        self.shrunk = np.array([self.width / w, self.height / h])
        # Pixel centres are at integers: an image begins at -0.5.
        self.K = np.diag([*self.shrunk, 1.0]) @ K
        self.K[:2, 2] += (self.shrunk - 1) / 2
        size = (self.width, self.height)
        grey = cv2.cvtColor(
            np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8),
            cv2.COLOR_RGB2GRAY,
        )
        grey = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
        edges = np.asarray(cv2.Canny(grey, *CANNY)) > 0
        found = direction(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        self._distance = np.stack([_distance(edges & (found == d)) for d in range(DIRECTIONS)])

    def to_own(self, points: Array) -> Array:
        """Points (..., 2) [px of the original picture] in pixels of this map."""
        moved: Array = (points + 0.5) * self.shrunk - 0.5
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
    links, positions, pixels = _turning_points(robot, state.q[0], T, edges.K)
    mask = silhouette(robot, state.q[0], T, edges.K, edges.width, edges.height)
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


def _turning_points(
    robot: Robot, q: Array, T_cam_base: Array, K: Array
) -> tuple[Indices, Array, Array]:
    """Points where links' surfaces turn away from the camera, every SPACING: their links (N,),
    positions (N, 3) [m, link frame] and pixels (N, 2). Some are hidden behind other links."""
    T_cam_link = T_cam_base @ robot.forward_kinematics(q)
    links: list[Indices] = []
    positions: list[Array] = []
    pixels: list[Array] = []
    for link, vertices, faces in meshes(robot):
        ends, where = _turning_edges(T_cam_link[link], vertices, faces, K)
        length = np.linalg.norm(where[:, 0] - where[:, 1], axis=-1)
        count = np.clip(length // SPACING + 1, 1, MOST_ON_EDGE).astype(int)
        edge = np.repeat(np.arange(len(ends)), count)
        first = np.cumsum(count) - count
        share = ((np.arange(len(edge)) - first[edge] + 0.5) / count[edge])[:, None]
        links.append(np.full(len(edge), link))
        for some, both in ((positions, vertices[ends]), (pixels, where)):
            some.append(both[edge, 0] * (1 - share) + both[edge, 1] * share)
    return np.concatenate(links), np.concatenate(positions), np.concatenate(pixels)


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


def _turning_edges(
    T_cam_link: Array, vertices: Array, faces: Indices, K: Array
) -> tuple[Indices, Array]:
    """A mesh's edges between faces that look here and away: (E, 2) vertices, (E, 2, 2) [px]."""
    cam = transform_points(T_cam_link, vertices)
    in_front = cam[:, 2] > 0.05
    pixels = (cam @ K.T)[:, :2] / np.where(in_front, cam[:, 2], 1.0)[:, None]
    corners = pixels[faces]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    here = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    every = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    code = every[:, 0] * len(vertices) + every[:, 1]
    code, first, which, count = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    looking = np.bincount(which.reshape(-1), np.repeat(here, 3), len(code))
    turning = (looking > 0) & ((looking < count) | (count == 1))
    ends = every[first[turning]]
    ends = ends[in_front[ends].all(axis=1)]
    return ends, pixels[ends]
