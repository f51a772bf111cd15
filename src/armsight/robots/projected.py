"""A robot's surface as a camera sees it: its mask, its lines, and what hides what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from armsight.robots.surface_mesh import SurfaceMesh

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

NEAR = 0.05
"""Depth [m] in front of which nothing is drawn: it would project to anywhere."""
MOST_SIDES_OFF = 16.0
"""Farther than so many sides off the picture nothing is drawn"""
THINNEST = 1e-3
"""[cells] Faces of half this area hide nothing"""


@dataclass(frozen=True)
class Projected:
    """A skin as a camera sees it."""

    skin: SurfaceMesh
    pixels: Array
    """(V, 2) [px]"""
    depth: Array
    """(V,) [m]; behind the camera a metre, for nothing is drawn there"""
    facing: NDArray[np.bool_]
    """(F,) faces that look at the camera, are before it, and not too far off the picture"""

    @classmethod
    def of(cls, skin: SurfaceMesh, T_cam_link: Array, K: Array, side: int) -> Projected:
        """With links at `T_cam_link` (L, 4, 4), in a picture whose longer side is `side` [px]."""
        cam = np.concatenate([
            vertices @ T_cam_link[link, :3, :3].T + T_cam_link[link, :3, 3]
            for link, vertices in skin.parts
        ])  # fmt: skip
        before = cam[:, 2] > NEAR
        depth = np.where(before, cam[:, 2], 1.0)
        seen = (cam @ K.T)[:, :2] / depth[:, None]
        drawable = before & (np.abs(seen) < MOST_SIDES_OFF * side).all(-1)
        (u0, u1, u2), (v0, v1, v2) = (np.ascontiguousarray(x)[skin.faces.T] for x in seen.T)
        towards = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0) < 0
        return cls(skin, seen, depth, towards & drawable[skin.faces.T].all(0))

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

    @property
    def creased(self) -> Indices:
        """Edges (C, 2) where two faces that look here meet at an angle."""
        edges, faces = self.skin.creases
        ends: Indices = self.skin.edges[edges[self.facing[faces].all(-1)]]
        return ends

    def nearest(self, width: int, height: int, cell: float) -> NDArray[np.float32]:
        """1 / depth [1/m] of the skin at the centres of squares, 0 where it is not.

        Args:
            width, height: of the picture [px].
            cell: side of the squares [px]; the last ones may reach beyond the picture.

        Returns:
            (ceil(height / cell), ceil(width / cell))
        """
        columns, rows = int(np.ceil(width / cell)), int(np.ceil(height / cell))
        faces = self.skin.faces[self.facing].T
        u, v = ((np.ascontiguousarray(x) + 0.5) / cell - 0.5 for x in self.pixels.T)
        (u0, u1, u2), (v0, v1, v2), (w0, w1, w2) = u[faces], v[faces], (1 / self.depth)[faces]
        left, right = _span(u0, u1, u2, columns)
        top, bottom = _span(v0, v1, v2, rows)
        au, av, bu, bv = u1 - u0, v1 - v0, u2 - u0, v2 - v0
        area = au * bv - av * bu
        # Small faces lie between the centres: most need not be looked at any further.
        some = np.flatnonzero((right > left) & (bottom > top) & (area < -THINNEST))
        # Barycentric coordinates p, q of a centre grow evenly along rows and columns.
        p_u, p_v, q_u, q_v = np.stack([bv, -bu, -av, au])[:, some] / area[some]
        du, dv = left[some] - u0[some], top[some] - v0[some]
        terms = np.stack(
            [p_u * du + p_v * dv, p_u, p_v, q_u * du + q_v * dv, q_u, q_v,
             w0[some], (w1 - w0)[some], (w2 - w0)[some]], dtype=np.float32
        )  # fmt: skip
        wide = (right - left)[some]
        count = wide * (bottom - top)[some]
        face = np.repeat(np.arange(len(some)), count)
        inner = np.arange(len(face)) - (np.cumsum(count) - count)[face]
        down, across = np.divmod(inner, wide[face])
        p0, p_u, p_v, q0, q_u, q_v, w0, w1, w2 = terms[:, face]
        p = p0 + p_u * across + p_v * down
        q = q0 + q_u * across + q_v * down
        covered = (p >= 0) & (q >= 0) & (p + q <= 1)
        where = (top[some] * columns + left[some])[face] + down * columns + across
        result = np.zeros(rows * columns, np.float32)
        near = (w0 + w1 * p + w2 * q)[covered]
        np.maximum.at(result, where[covered], near)
        return result.reshape(rows, columns)

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


def _span(a: Array, b: Array, c: Array, size: int) -> tuple[Indices, Indices]:
    """The first whole number, of those from 0 to `size`, not below the least of three (F,), and
    the first above all."""
    least, most = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    first, end = np.ceil(least), np.floor(most) + 1
    return np.clip(first, 0, size).astype(np.intp), np.clip(end, 0, size).astype(np.intp)
