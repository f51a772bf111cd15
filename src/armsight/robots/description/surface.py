"""Triangle meshes: their areas, and points spread over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mesh = tuple[Array, NDArray[np.intp]]
"""vertices (V, 3) [m] and faces (F, 3)"""

SIDES, RINGS = 48, 24
"""Of turned primitives: a round of 5 cm radius is then cut by 0.1 mm at most."""


def triangle_areas(vertices: Array, faces: NDArray[np.intp]) -> Array:
    """(F,) [m^2] of faces (F, 3)."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    areas: Array = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return areas


def sample_surface(
    vertices: Array, faces: NDArray[np.intp], count: int, rng: np.random.Generator
) -> Array:
    """Points (count, 3), uniform over the surface."""
    areas = triangle_areas(vertices, faces)
    chosen = rng.choice(len(faces), count, p=areas / areas.sum())
    a, b, c = np.moveaxis(vertices[faces[chosen]], 1, 0)
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    points: Array = (1 - u) * a + u * (1 - v) * b + u * v * c
    return points


def farthest_points(points: Array, count: int) -> Array:
    """Farthest-point sampling of (N, 3) points, starting at the one farthest from the centre."""
    distance = np.linalg.norm(points - points.mean(0), axis=1)
    chosen = [int(distance.argmax())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def box(half_sizes: Array) -> Mesh:
    """A box of half sizes (3,) [m] around the origin."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return corners * half_sizes, np.array(faces, np.intp)


def ellipsoid(radii: Array) -> Mesh:
    """An ellipsoid with radii (3,) [m] around the origin."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, RINGS + 1)
    vertices, faces = turned(np.stack([np.cos(latitude), np.sin(latitude)], 1))
    return vertices * radii, faces


def cylinder(radius: float, half_length: float) -> Mesh:
    """A closed cylinder along z around the origin [m]."""
    half = half_length
    return turned(np.array([(0, -half), (radius, -half), (radius, half), (0, half)], float))


def capsule(radius: float, half_length: float) -> Mesh:
    """A cylinder along z with half balls at its ends [m]."""
    latitude = np.linspace(0, np.pi / 2, RINGS // 2 + 1)
    top = np.stack([np.cos(latitude), np.sin(latitude)], 1) * radius + [0, half_length]
    return turned(np.concatenate([top[::-1] * [1, -1], top]))


def turned(profile: Array) -> Mesh:
    """A profile (P, 2) of (radius, z) [m], turned about the z axis."""
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    radius, z = profile[:, :1], profile[:, 1:]
    rings = [radius * np.cos(angle), radius * np.sin(angle), z + 0 * angle]
    a = np.arange(len(profile) - 1)[:, None] * SIDES + np.arange(SIDES)
    b = np.arange(len(profile) - 1)[:, None] * SIDES + (np.arange(SIDES) + 1) % SIDES
    faces = np.concatenate(
        [np.stack([a, b, b + SIDES], -1).reshape(-1, 3),
         np.stack([a, b + SIDES, a + SIDES], -1).reshape(-1, 3)]
    )  # fmt: skip
    return np.stack(rings, -1).reshape(-1, 3), faces.astype(np.intp)
