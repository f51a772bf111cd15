"""Link meshes thinned for outlines, read once per robot."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.robots.robot import Robot

Array = NDArray[np.floating]
Mesh: TypeAlias = tuple[int, Array, NDArray[np.int64]]

CELL = 0.015
"""Grid [m] to which outline meshes are thinned: a quarter of the faces, under 1 mm of change."""

_CACHE: dict[tuple[str, Path], tuple[Mesh, ...]] = {}


def meshes(robot: Robot) -> tuple[Mesh, ...]:
    """The thinned meshes (link index, vertices [m, link frame], faces) of a robot, read once."""
    key = (robot.name, robot.folder)
    if key not in _CACHE:
        _CACHE[key] = tuple(
            (robot.link_names.index(link), *_thin(*mesh))
            for link, mesh in robot.link_shapes().items()
        )
    return _CACHE[key]


def _thin(vertices: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Merge the vertices of each grid cell into their mean; drop the faces that collapse."""
    cells, index = np.unique(np.round(vertices / CELL), axis=0, return_inverse=True)
    index = index.reshape(-1)
    counts = np.bincount(index, minlength=len(cells))[:, None]
    merged = np.stack([np.bincount(index, v, len(cells)) for v in vertices.T], axis=1) / counts
    faces = index[faces]
    a, b, c = faces.T
    return merged, faces[(a != b) & (b != c) & (a != c)].astype(np.int64)
