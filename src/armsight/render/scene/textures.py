"""Made-up surfaces: wood, tiles, concrete, cloth and plain noise.

Each family belongs to one split, so that a test set shows surfaces that no training picture had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[Any]
"""(S, S) in 0..1: how far a pixel is from a surface's first to its second colour"""
Image = NDArray[np.uint8]
Rng = np.random.Generator


def noise_field(rng: Rng, height: int, width: int, octaves: int, first: int = 1) -> Field:
    """Smooth noise (H, W) in 0..1 with 1/f structure; `first` sets the coarsest grid, 2^first."""
    total = np.zeros((height, width), np.float32)
    for k in range(first, first + octaves):
        n = 2**k
        coarse = rng.random((n + 1, n + 1), dtype=np.float32) / n
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return _normalised(total)


def random_colour(rng: Rng) -> NDArray[Any]:
    """An RGB colour (3,) in 0..255: more often greyish and bright than not, as rooms are."""
    value = 255 * rng.beta(1.8, 1.3)
    saturation = rng.beta(0.8, 3.0)
    hue = rng.random(3)
    hue = hue / hue.max()
    colour: NDArray[np.float32] = (value * (1 - saturation + saturation * hue)).astype(np.float32)
    return colour


def surface(rng: Rng, split: str, size: int) -> Image:
    """A square picture (size, size, 3) RGB of a surface of one of the split's families."""
    names = sorted(FAMILIES[split])
    family = FAMILIES[split][names[int(rng.integers(len(names)))]]
    t = family(rng, size)
    first = random_colour(rng)
    second: NDArray[Any]
    # Real surfaces differ more in brightness than in hue; some are two-coloured.
    if rng.random() < 0.75:
        second = first * np.float32(rng.uniform(0.6, 1.35)) + rng.normal(0, 8, 3)
    else:
        second = random_colour(rng)
    image: NDArray[Any] = first + t[..., None] * (second.astype(np.float32) - first)
    if rng.random() < 0.4:
        image *= (0.85 + 0.3 * noise_field(rng, size, size, 3))[..., None]
    return np.ascontiguousarray(np.clip(image, 0, 255), np.uint8)


def _normalised(t: Field) -> Field:
    low, high = float(t.min()), float(t.max())
    result: Field = (t - low) / max(high - low, 1e-6)
    return result


def _grid(size: int) -> tuple[Field, Field]:
    axis = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
    return np.broadcast_to(axis[:, None], (size, size)), np.broadcast_to(axis, (size, size))


# Families of the training split.


def _plain(rng: Rng, size: int) -> Field:
    return noise_field(rng, size, size, 2) * np.float32(rng.uniform(0.0, 0.4))


def _clouds(rng: Rng, size: int) -> Field:
    return noise_field(rng, size, size, int(rng.integers(3, 8)))


def _gradient(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    return _normalised(np.float32(np.cos(angle)) * u + np.float32(np.sin(angle)) * v)


def _checker(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    n = int(rng.integers(2, 14))
    return np.asarray((np.floor(u * n) + np.floor(v * n)) % 2, np.float32)


def _wood(rng: Rng, size: int) -> Field:
    long, grain = int(rng.integers(2, 6)), int(rng.integers(24, 90))
    coarse = rng.random((long, grain), dtype=np.float32)
    t = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    t = t + 0.5 * cv2.resize(
        rng.random((long * 3, grain * 2), dtype=np.float32), (size, size),
        interpolation=cv2.INTER_LINEAR,
    )  # fmt: skip
    boards = int(rng.integers(1, 7))
    shade = np.repeat(rng.random(boards), size // boards + 1)[:size].astype(np.float32)
    return _normalised(t.T if rng.random() < 0.5 else t + shade)


def _tiles(rng: Rng, size: int) -> Field:
    n, gap = int(rng.integers(2, 9)), rng.uniform(0.02, 0.08)
    line = (np.arange(size) * n / size) % 1 < gap
    joint = line[:, None] | line
    per_tile = cv2.resize(rng.random((n, n), dtype=np.float32), (size, size),
                          interpolation=cv2.INTER_NEAREST)  # fmt: skip
    t: Field = np.where(joint, np.float32(1), per_tile * np.float32(rng.uniform(0, 0.4)))
    return t


def _curtain(rng: Rng, size: int) -> Field:
    folds = cv2.resize(rng.random((3, int(rng.integers(6, 30))), dtype=np.float32), (size, size),
                       interpolation=cv2.INTER_CUBIC)  # fmt: skip
    return _normalised(folds + 0.3 * noise_field(rng, size, size, 5))


def _holes(rng: Rng, size: int) -> Field:
    n, radius = int(rng.integers(8, 24)), rng.uniform(0.1, 0.3)
    square = ((np.arange(size, dtype=np.float32) * n / size) % 1 - 0.5) ** 2
    return (square[:, None] + square < radius**2).astype(np.float32)


def _concrete(rng: Rng, size: int) -> Field:
    t = noise_field(rng, size, size, 6) + 0.4 * rng.random((size, size), dtype=np.float32)
    return _normalised(t)


# Families of the test split.


def _marble(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    bent = 8 * noise_field(rng, size, size, 6) + u * np.float32(rng.uniform(1, 6)) + v
    return np.asarray(0.5 + 0.5 * np.sin(bent * np.float32(rng.uniform(2, 5))), np.float32)


def _bricks(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    n, gap = int(rng.integers(4, 14)), rng.uniform(0.05, 0.15)
    row = np.floor(v * n)
    x = u * n / 2 + 0.5 * (row % 2)
    joint = (x % 1 < gap / 2) | ((v * n) % 1 < gap)
    shade = np.sin(12.9898 * np.floor(x) + 78.233 * row + rng.uniform(0, 6)) * 0.15 + 0.15
    return np.where(joint, 1, shade).astype(np.float32)


def _stripes(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    angle, n = rng.uniform(0, np.pi), rng.uniform(4, 30)
    phase = 2 * np.pi * n * (np.cos(angle) * u + np.sin(angle) * v)
    return np.asarray(np.clip(0.5 + rng.uniform(0.5, 3) * np.sin(phase), 0, 1), np.float32)


def _speckle(rng: Rng, size: int) -> Field:
    t = cv2.GaussianBlur(rng.random((size, size), dtype=np.float32), (0, 0), rng.uniform(0.7, 2))
    return (_normalised(t) > rng.uniform(0.5, 0.7)).astype(np.float32)


def _cells(rng: Rng, size: int) -> Field:
    n = int(rng.integers(8, 40))
    v, u = _grid(size)
    du = u[..., None] - rng.random(n, dtype=np.float32)
    dv = v[..., None] - rng.random(n, dtype=np.float32)
    owner = np.argmin(du**2 + dv**2, axis=2)
    shades: Field = rng.random(n, dtype=np.float32)[owner]
    return shades


def _weave(rng: Rng, size: int) -> Field:
    v, u = _grid(size)
    n = 2 * np.pi * rng.uniform(15, 50)
    over = np.sin(u * n / 2) * np.sin(v * n / 2) > 0
    thread = np.where(over, np.abs(np.sin(u * n)), np.abs(np.sin(v * n)))
    t: Field = (thread * 0.6 + 0.4 * noise_field(rng, size, size, 3)).astype(np.float32)
    return t


def _planks(rng: Rng, size: int) -> Field:
    n = int(rng.integers(4, 10))
    rows = []
    for k in range(n):
        height = (k + 1) * size // n - k * size // n
        grain = rng.random((max(height // 3, 1), 4), dtype=np.float32)
        row = cv2.resize(grain, (size, height), interpolation=cv2.INTER_CUBIC) * 0.5
        row[:1] = 1.5
        rows.append(row + np.float32(rng.random() * 0.5))
    return _normalised(np.vstack(rows))


def _blotches(rng: Rng, size: int) -> Field:
    t = noise_field(rng, size, size, 3, first=3)
    return np.asarray(np.clip((t - 0.5) * np.float32(rng.uniform(1, 5)) + 0.5, 0, 1))


FAMILIES: dict[str, dict[str, Callable[[Rng, int], Field]]] = {
    "train": {
        "plain": _plain, "clouds": _clouds, "gradient": _gradient, "checker": _checker,
        "wood": _wood, "tiles": _tiles, "curtain": _curtain, "holes": _holes,
        "concrete": _concrete,
    },
    "eval": {
        "marble": _marble, "bricks": _bricks, "stripes": _stripes, "speckle": _speckle,
        "cells": _cells, "weave": _weave, "planks": _planks, "blotches": _blotches,
    },
}  # fmt: skip
"""split -> family name -> function of (rng, size)"""
