"""People, roughly: capsules in clothes that walk past an arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from armsight.render.scene.appearance import Solid
from armsight.render.scene.rooms import Rng, colour, product

Array = NDArray[np.float64]
SKIN = ((0.95, 0.78, 0.66), (0.78, 0.57, 0.44), (0.55, 0.38, 0.27), (0.33, 0.22, 0.16))


def person(rng: Rng) -> list[Solid]:
    """Head, trunk, arms and legs of someone who stands at the origin, feet on z = 0 [m]."""
    skin, shirt, trousers = SKIN[int(rng.integers(len(SKIN)))], colour(rng), colour(rng)
    tall = rng.uniform(0.9, 1.1)
    parts = [
        Solid("ellipsoid", (0.085, 0.1, 0.125), (0, 0, 1.62), rgb=skin),
        Solid("ellipsoid", (0.09, 0.105, 0.09), (-0.02, 0, 1.69), rgb=colour(rng)),
        Solid("capsule", (0.16, 0.2, 0), (0, 0, 1.2), rgb=shirt),
    ]
    for side in (-1.0, 1.0):
        shoulder, swing = np.array([0, 0.22 * side, 1.4]), rng.uniform(-0.5, 0.9)
        elbow = shoulder + [0.28 * np.sin(swing), 0.06 * side, -0.28 * np.cos(swing)]
        lift = swing + rng.uniform(0.0, 1.2)
        wrist = elbow + [0.27 * np.sin(lift), -0.03 * side, -0.27 * np.cos(lift)]
        parts += [
            limb(shoulder, elbow, 0.05, shirt),
            limb(elbow, wrist, 0.04, shirt if rng.random() < 0.5 else skin),
            Solid("ellipsoid", (0.045, 0.03, 0.09), _xyz(wrist), rgb=skin),
            limb(np.array([0, 0.1 * side, 0.95]), np.array([0, 0.1 * side, 0.05]), 0.075, trousers),
        ]  # fmt: skip
    return [_sized(part, tall) for part in parts]


def placed(parts: list[Solid], at: Array, yaw: float) -> list[Solid]:
    """The parts turned about z by `yaw` [rad] and moved by `at` (3,) [m]."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    return [
        replace(
            part,
            position=_xyz(R @ np.array(part.position) + at),
            rotation_wxyz=product(turn, part.rotation_wxyz),
        )
        for part in parts
    ]


def limb(a: Array, b: Array, radius: float, rgb: tuple[float, float, float]) -> Solid:
    """A capsule from a to b (3,) [m]."""
    along = b - a
    length = float(np.linalg.norm(along))
    axis = np.cross([0, 0, 1.0], along / length)
    sine, cosine = float(np.linalg.norm(axis)), float(along[2] / length)
    angle = np.arctan2(sine, cosine)
    axis = axis / sine if sine > 1e-6 else np.array([1.0, 0, 0])
    w, (x, y, z) = np.cos(angle / 2), np.sin(angle / 2) * axis
    return Solid(
        "capsule", (radius, length / 2, 0), _xyz((a + b) / 2),
        (float(w), float(x), float(y), float(z)), rgb,
    )  # fmt: skip


def _sized(part: Solid, factor: float) -> Solid:
    size, position = factor * np.array(part.size), factor * np.array(part.position)
    return replace(part, size=_xyz(size), position=_xyz(position))


def _xyz(v: Array) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))
