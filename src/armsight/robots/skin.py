"""A robot's surface as one mesh, and where it turns away from a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

NEAR = 0.05
"""Depth [m] in front of which nothing is drawn: it would project to anywhere."""
REACH = 16.0
"""Farther than so many sides off the picture nothing is drawn"""

_CACHE: dict[tuple[str, Path], Skin] = {}


@dataclass(frozen=True)
class Skin:
    """All links' meshes: V vertices, F faces, E edges between them."""

    vertices: Array
    """(V, 3) [m, link frame]"""
    links: Indices
    """(V,) the link that carries each vertex"""
    faces: Indices
    """(F, 3) vertices"""
    edges: Indices
    """(E, 2) vertices"""
    face_edges: Indices
    """(F, 3) the edges of each face"""
    face_signs: NDArray[np.int8]
    """(F, 3) 1 where the face runs along its edge from first vertex to second, -1 where back"""
    parts: tuple[tuple[int, Array], ...]
    """Each link's own vertices (V', 3), in the order of `vertices`"""

    @classmethod
    def of(cls, robot: Robot) -> Skin:
        """A robot's, made once."""
        key = (robot.name, robot.folder)
        if key not in _CACHE:
            parts = [
                (robot.link_names.index(link), *mesh) for link, mesh in robot.link_shapes().items()
            ]
            # An empty one more, for robots without any shape.
            parts.append((0, np.zeros((0, 3)), np.zeros((0, 3), np.int64)))
            first = np.cumsum([0, *(len(vertices) for _, vertices, _ in parts)])
            faces = np.concatenate(
                [part[2] + start for part, start in zip(parts, first, strict=False)]
            ).astype(np.intp)
            _CACHE[key] = cls(
                np.concatenate([vertices for _, vertices, _ in parts]),
                np.concatenate([np.full(len(vertices), link) for link, vertices, _ in parts]),
                faces,
                *_edges(faces),
                tuple((link, vertices) for link, vertices, _ in parts),
            )
        return _CACHE[key]


@dataclass(frozen=True)
class Projected:
    """A skin as a camera sees it."""

    skin: Skin
    pixels: Array
    """(V, 2) [px]"""
    depth: Array
    """(V,) [m]; behind the camera a metre, for nothing is drawn there"""
    facing: NDArray[np.bool_]
    """(F,) faces that look at the camera, are before it, and not too far off the picture"""

    @classmethod
    def of(cls, skin: Skin, T_cam_link: Array, K: Array, side: int) -> Projected:
        """With links at `T_cam_link` (L, 4, 4), in a picture whose longer side is `side` [px]."""
        cam = np.concatenate([
            vertices @ T_cam_link[link, :3, :3].T + T_cam_link[link, :3, 3]
            for link, vertices in skin.parts
        ])  # fmt: skip
        before = cam[:, 2] > NEAR
        depth = np.where(before, cam[:, 2], 1.0)
        seen = (cam @ K.T)[:, :2] / depth[:, None]
        drawable = before & (np.abs(seen) < REACH * side).all(-1)
        corners = seen[skin.faces]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        facing = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
        return cls(skin, seen, depth, facing & drawable[skin.faces].all(-1))

    @cached_property
    def turning(self) -> tuple[Indices, Indices]:
        """Edges (T, 2) where the surface turns away from the camera, and how often (T,) the faces
        that look here run along them, back counted as less."""
        skin = self.skin
        runs = np.bincount(
            skin.face_edges[self.facing].ravel(),
            skin.face_signs[self.facing].ravel(),
            len(skin.edges),
        ).astype(np.intp)
        which = np.flatnonzero(runs)
        return skin.edges[which], runs[which]

    def mask(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width) where the skin is, 0 or 255: pixels whose centres it covers.

        Along each row, the surface begins and ends where a turning edge crosses it; the sum over
        those on the left is the number of faces that look here.
        """
        ends, runs = self.turning
        mask = np.zeros((height, width), np.uint8)
        # No more than the rows and columns that it may cover.
        reach = self.pixels[ends].reshape(-1, 2)
        if not len(reach):
            return mask
        size = np.array([width, height])
        left, top = start = np.clip(np.floor(reach.min(0)), 0, size).astype(np.intp)
        width, height = np.clip(np.ceil(reach.max(0)) + 1, start, size).astype(np.intp) - start
        (x0, y0), (x1, y1) = (self.pixels[ends] - start).transpose(1, 2, 0)
        # Rows from the upper end (included) to the lower one (not included).
        down = y1 > y0
        first = np.clip(np.ceil(np.minimum(y0, y1)), 0, height).astype(np.intp)
        count = np.clip(np.ceil(np.maximum(y0, y1)), 0, height).astype(np.intp) - first
        edge = np.repeat(np.arange(len(ends)), count)
        row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
        slope = (x1 - x0) / np.where(y1 == y0, 1.0, y1 - y0)
        x = x0[edge] + (row - y0[edge]) * slope[edge]
        column = np.clip(np.ceil(x), 0, width).astype(np.intp)
        steps = np.where(down, -runs, runs)[edge]
        steps = np.bincount(row * (width + 1) + column, steps, height * (width + 1))
        # Every row ends as it began, at zero, so that all rows can be summed in one go.
        covered = steps.astype(np.int32).cumsum(dtype=np.int32).reshape(height, width + 1)
        mask[top : top + height, left : left + width][covered[:, :width] != 0] = 255
        return mask


def _edges(faces: Indices) -> tuple[Indices, Indices, NDArray[np.int8]]:
    """Edges (E, 2), those of each face (F, 3), and in which direction it runs along them."""
    every = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges, which = np.unique(np.sort(every, axis=1), axis=0, return_inverse=True)
    signs = np.where(every[:, 0] < every[:, 1], 1, -1).astype(np.int8)
    return edges.astype(np.intp), which.reshape(-1, 3), signs.reshape(-1, 3)
