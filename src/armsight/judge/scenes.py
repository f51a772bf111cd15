"""Scenes whose camera is known, and what is usual in true videos of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLE = Path(__file__).with_name("usual.json")


@dataclass(frozen=True)
class Scene:
    """A fixed, square camera before one arm."""

    name: str
    focal: float
    """Focal length over the picture's width"""
    T_cam_base: Sequence[Sequence[float]]
    """(4, 4) [m]"""
    ready_positions: Sequence[float]
    """(J,) [rad] that the controller pulls the spare joint to"""

    def K(self, width: int) -> NDArray[np.floating]:
        """(3, 3) [px] of a picture of that width."""
        f, c = self.focal * width, (width - 1) / 2
        return np.array([[f, 0, c], [0, f, c], [0, 0, 1.0]])


def known_scene(name: str) -> Scene | None:
    """The scene that weights of that name were trained in."""
    scenes = _table()["scenes"]
    return Scene(name, **scenes[name]) if name in scenes else None


def usual(way: str) -> Mapping[str, Mapping[str, float]]:
    """Of each measure its median and its 90 % quantile in true videos, read in that way."""
    values: Mapping[str, Mapping[str, float]] = _table()["usual"][way]
    return values


@cache
def _table() -> dict[str, Any]:
    """Written by benchmarks/judge_videos.py."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
