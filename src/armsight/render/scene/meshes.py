"""Wavefront OBJ meshes cut into parts of one colour, with fewer triangles.

The Panda's meshes are painted by a palette: a texture of six flat colours. Cut into one mesh per
colour they need no texture, so each part can have its own material and lose triangles without
losing its paint. Drawing time on a CPU is nearly proportional to the number of triangles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.files import atomic_write, cache_folder
from armsight.robots.description.simplify import simplified

CACHE_VERSION = 3
MIN_FACES = 250
"""Parts with fewer faces (buttons, logos, fingers) keep all of them."""


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


def has_texture_coordinates(path: Path) -> bool:
    """Whether a file is an OBJ whose faces have normals and texture coordinates."""
    if path.suffix.lower() != ".obj" or not path.is_file():
        return False
    text = path.read_text(errors="replace")
    return "\nvt " in text and "\nvn " in text and "//" not in text.partition("\nf ")[2]


def light_parts(path: Path, palette: NDArray[np.uint8], fraction: float) -> list[MeshPart]:
    """`split_by_colour`, then `lighten` each part; kept in the user's cache folder."""
    digest = hashlib.sha256(path.read_bytes() + palette.tobytes())
    digest.update(repr((CACHE_VERSION, MIN_FACES, fraction)).encode())
    cache = cache_folder("meshes") / f"{path.stem}-{digest.hexdigest()[:16]}.npz"
    if cache.exists():
        with np.load(cache, allow_pickle=False) as data:
            return [
                MeshPart(tuple(data[f"{i}c"].tolist()), data[f"{i}v"], data[f"{i}n"], data[f"{i}f"])
                for i in range(len(data.files) // 4)
            ]
    parts = [lighten(part, fraction) for part in split_by_colour(path, palette)]
    arrays: dict[str, NDArray[np.generic]] = {}
    for i, part in enumerate(parts):
        arrays |= {f"{i}c": np.array(part.colour), f"{i}v": part.vertices}
        arrays |= {f"{i}n": part.normals, f"{i}f": part.faces}
    with atomic_write(cache) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
    return parts


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


def lighten(part: MeshPart, fraction: float) -> MeshPart:
    """The part with about `fraction` of its faces, the normals taken over from the original."""
    if len(part.faces) < MIN_FACES or fraction >= 1:
        return part
    points, faces = simplified(part.vertices, part.faces, fraction)
    return _with_normals(part, points, faces)


def _with_normals(
    part: MeshPart, points: NDArray[np.float64], faces: NDArray[np.int64]
) -> MeshPart:
    """Give each corner the normal of the original vertex that is near and faces the same way."""
    corners = points[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    # Corners of faces that lie almost in one plane share an answer: round, then ask once.
    wanted = np.column_stack([faces.ravel(), np.repeat((flat * 4).round(), 3, axis=0)])
    asked, corner_of = np.unique(wanted, axis=0, return_inverse=True)
    weight = 0.004  # metres of distance that a right angle between normals is worth
    queries = np.hstack([points[asked[:, 0].astype(int)], weight * asked[:, 1:] / 4])
    known = np.hstack([part.vertices, weight * part.normals]).astype(np.float32)
    half_square = (known**2).sum(axis=1) / 2
    nearest = np.concatenate(
        [
            np.argmin(half_square - block.astype(np.float32) @ known.T, axis=1)
            for block in np.array_split(queries, len(queries) // 1024 + 1)
        ]
    )
    pairs, new_faces = np.unique(
        np.column_stack([asked[corner_of.ravel(), 0], nearest[corner_of.ravel()]]),
        axis=0,
        return_inverse=True,
    )
    pairs = pairs.astype(int)
    return MeshPart(
        part.colour,
        points[pairs[:, 0]],
        part.normals[pairs[:, 1]],
        new_faces.reshape(-1, 3).astype(np.int32),
    )


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
