"""A robot's surface as one mesh, and where it turns away from a camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot
from armsight.robots.meshes import meshes

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

NEAR = 0.05
"""Depth [m] in front of which nothing is drawn: it would project to anywhere."""
SHIFT = 4
"""OpenCV's fixed-point bits: positions are drawn to a sixteenth of a pixel."""
REACH = 16.0
"""Farther than so many sides off the picture nothing is drawn: fixed-point numbers have an end."""

_CACHE: dict[tuple[str, Path], Skin] = {}


@dataclass(frozen=True)
class Skin:
    """All links' thinned meshes: V vertices, F faces, E edges between them."""

    vertices: Array
    """(V, 3) [m, link frame]"""
    links: Indices
    """(V,) the link that carries each vertex"""
    faces: Indices
    """(F, 3) vertices"""
    edges: Indices
    """(E, 2) vertices"""
    sides: Indices
    """(E, 2) a face on each side; -1 at the border of an open mesh"""

    @classmethod
    def of(cls, robot: Robot) -> Skin:
        """A robot's, made once."""
        key = (robot.name, robot.folder)
        if key not in _CACHE:
            parts = meshes(robot)
            first = np.cumsum([0, *(len(vertices) for _, vertices, _ in parts)])
            faces = np.concatenate(
                [part[2] + start for part, start in zip(parts, first, strict=False)]
            ).astype(np.intp)
            _CACHE[key] = cls(
                np.concatenate([vertices for _, vertices, _ in parts]),
                np.concatenate([np.full(len(vertices), link) for link, vertices, _ in parts]),
                faces,
                *_edges(faces),
            )
        return _CACHE[key]


@dataclass(frozen=True)
class Projected:
    """A skin as a camera sees it."""

    skin: Skin
    pixels: Array
    """(V, 2) [px]"""
    drawable: NDArray[np.bool_]
    """(V,) in front of the camera, and not too far off the picture"""
    facing: NDArray[np.bool_]
    """(F,) faces that look at the camera"""

    @classmethod
    def of(cls, skin: Skin, T_cam_link: Array, K: Array, side: int) -> Projected:
        """With links at `T_cam_link` (L, 4, 4), in a picture whose longer side is `side` [px]."""
        R, t = T_cam_link[skin.links, :3, :3], T_cam_link[skin.links, :3, 3]
        cam = (R @ skin.vertices[..., None])[..., 0] + t
        depth = cam[:, 2]
        seen = (cam @ K.T)[:, :2] / np.where(depth > NEAR, depth, 1.0)[:, None]
        drawable = (depth > NEAR) & (np.abs(seen) < REACH * side).all(-1)
        corners = seen[skin.faces]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        facing = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
        return cls(skin, seen, drawable, facing & drawable[skin.faces].all(-1))

    def mask(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width) where the skin is, 0 or 255."""
        mask = np.zeros((height, width), np.uint8)
        corners = np.round(self.pixels[self.skin.faces[self.facing]] * (1 << SHIFT))
        # One call for each: filling many at once would punch holes where two overlap.
        for triangle in corners.astype(np.int32):
            cv2.fillConvexPoly(mask, triangle, (255,), cv2.LINE_8, SHIFT)
        return mask

    def turning_edges(self) -> Indices:
        """(T, 2) vertices of edges between a face that looks here and one that looks away."""
        padded = np.append(self.facing, False)
        here, there = padded[self.skin.sides].T
        ends = self.skin.edges[here != there]
        kept: Indices = ends[self.drawable[ends].all(-1)]
        return kept


def _edges(faces: Indices) -> tuple[Indices, Indices]:
    """Edges (E, 2) and the faces on their two sides (E, 2); of more than two, two are kept."""
    every = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, which, count = np.unique(every, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    owner = np.repeat(np.arange(len(faces)), 3)[order]
    first = np.cumsum(count) - count
    second = np.where(count > 1, owner[np.minimum(first + 1, len(owner) - 1)], -1)
    return edges.astype(np.intp), np.stack([owner[first], second], axis=1)
