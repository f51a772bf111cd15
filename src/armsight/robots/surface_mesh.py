"""A robot's surface as one mesh, with its edges and creases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

CREASE = np.radians(40.0)
"""Faces that meet at more than this are told apart in pictures"""

WELDED = 6
"""Vertices that agree in so many decimals [m] are one"""

_CACHE: dict[tuple[str, Path, int], SurfaceMesh] = {}


@dataclass(frozen=True)
class SurfaceMesh:
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

    @cached_property
    def creases(self) -> tuple[Indices, Indices]:
        """Edges (C,) where two faces meet at an angle, and those faces (C, 2)."""
        corners = self.vertices[self.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        edge_of = self.face_edges.ravel()
        order = np.argsort(edge_of, kind="stable")
        count = np.bincount(edge_of, minlength=len(self.edges))
        edges = np.flatnonzero(count == 2)
        first = (np.cumsum(count) - count)[edges]
        faces = order[np.stack([first, first + 1], axis=-1)] // 3
        one, other = normals[faces].swapaxes(0, 1)
        lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
        sharp = (one * other).sum(-1) < np.cos(CREASE) * lengths
        return edges[sharp], faces[sharp]

    @classmethod
    def of(cls, robot: Robot) -> SurfaceMesh:
        """A robot's, made once."""
        key = (robot.name, robot.folder, robot.shapes_written)
        if key not in _CACHE:
            parts = [
                (robot.link_names.index(link), *_welded(*mesh))
                for link, mesh in robot.link_shapes().items()
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


def _welded(vertices: Array, faces: Indices) -> tuple[Array, Indices]:
    """A mesh (V, 3), (F, 3) whose faces share the vertices where they touch: else each edge would
    be one where the surface ends."""
    places, first, which = np.unique(
        np.round(vertices, WELDED), axis=0, return_index=True, return_inverse=True
    )
    if len(places) == len(vertices):
        return vertices, faces
    faces = which.reshape(-1)[faces]
    real = (faces != np.roll(faces, 1, axis=1)).all(-1)
    return vertices[first], faces[real]


def _edges(faces: Indices) -> tuple[Indices, Indices, NDArray[np.int8]]:
    """Edges (E, 2), those of each face (F, 3), and in which direction it runs along them."""
    every = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges, which = np.unique(np.sort(every, axis=1), axis=0, return_inverse=True)
    signs = np.where(every[:, 0] < every[:, 1], 1, -1).astype(np.int8)
    return edges.astype(np.intp), which.reshape(-1, 3), signs.reshape(-1, 3)
