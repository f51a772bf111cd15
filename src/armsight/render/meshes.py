"""Wavefront OBJ meshes cut into parts of one colour.

The Panda's meshes are painted by a palette: a texture of six flat colours. Cut into one mesh per
colour they need no texture, and each part can be given its own material.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MeshPart:
    """Triangles of one colour: V vertices with one normal each, F faces."""

    colour: tuple[int, int, int]
    """RGB 0..255"""
    vertices: NDArray[np.float64]
    """(V, 3) [m]"""
    normals: NDArray[np.float64]
    """(V, 3)"""
    faces: NDArray[np.int32]
    """(F, 3) vertex indices"""


def split_by_colour(path: Path, palette: NDArray[np.uint8]) -> list[MeshPart]:
    """Parts of an OBJ file, one for each palette colour that its faces point to.

    Args:
        path: OBJ file of triangles with normals and texture coordinates.
        palette: (H, W, 3) RGB texture, row 0 on top.
    """
    vertices, texture_coordinates, normals, corners = _read_obj(path)
    height, width = palette.shape[:2]
    centre = texture_coordinates[corners[:, :, 1]].mean(axis=1)
    column = np.clip((centre[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
    colours, part_of_face = np.unique(palette[row, column], axis=0, return_inverse=True)
    parts = []
    for i, colour in enumerate(colours):
        chosen = corners[part_of_face.ravel() == i]
        # A vertex where faces meet at an edge has several normals: one copy of it for each.
        pairs, faces = np.unique(chosen[:, :, [0, 2]].reshape(-1, 2), axis=0, return_inverse=True)
        parts.append(
            MeshPart(
                (int(colour[0]), int(colour[1]), int(colour[2])),
                vertices[pairs[:, 0]],
                normals[pairs[:, 1]],
                faces.reshape(-1, 3).astype(np.int32),
            )
        )
    return parts


def _read_obj(
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Vertices, texture coordinates, normals and face corners (F, 3, 3: v, vt, vn), 0-based."""
    numbers: dict[str, list[list[float]]] = {"v": [], "vt": [], "vn": []}
    corners: list[list[list[int]]] = []
    for line in path.read_text().splitlines():
        key, _, rest = line.partition(" ")
        if key in numbers:
            numbers[key].append([float(x) for x in rest.split()[:3]])
        elif key == "f":
            polygon = [[int(x) - 1 for x in corner.split("/")] for corner in rest.split()]
            for i in range(1, len(polygon) - 1):
                corners.append([polygon[0], polygon[i], polygon[i + 1]])
    return (
        np.array(numbers["v"]),
        np.array(numbers["vt"])[:, :2],
        np.array(numbers["vn"]),
        np.array(corners),
    )
