"""Link meshes for outlines, read once per robot."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.robots.robot import Robot

Array = NDArray[np.floating]
Mesh: TypeAlias = tuple[int, Array, NDArray[np.int64]]

_CACHE: dict[tuple[str, Path], tuple[Mesh, ...]] = {}


def meshes(robot: Robot) -> tuple[Mesh, ...]:
    """The meshes (link index, vertices [m, link frame], faces) of a robot, read once."""
    key = (robot.name, robot.folder)
    if key not in _CACHE:
        _CACHE[key] = tuple(
            (robot.link_names.index(link), *mesh) for link, mesh in robot.link_shapes().items()
        )
    return _CACHE[key]
