"""Bottles, bowls, mugs and the like: profiles turned about an axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PROFILES = (
    # (radius, height) pairs [m], bottom to top; a profile that comes back down is hollow.
    ((0.0, 0.0), (0.032, 0.0), (0.033, 0.13), (0.013, 0.19), (0.013, 0.23), (0.0, 0.23)),
    ((0.0, 0.0), (0.03, 0.0), (0.075, 0.06), (0.071, 0.06), (0.03, 0.006), (0.0, 0.006)),
    ((0.0, 0.0), (0.038, 0.0), (0.04, 0.095), (0.037, 0.095), (0.036, 0.006), (0.0, 0.006)),
    ((0.0, 0.0), (0.033, 0.0), (0.033, 0.115), (0.028, 0.122), (0.0, 0.122)),
    ((0.0, 0.0), (0.06, 0.0), (0.11, 0.018), (0.105, 0.02), (0.055, 0.004), (0.0, 0.004)),
    ((0.0, 0.0), (0.09, 0.0), (0.09, 0.01), (0.012, 0.02), (0.012, 0.35), (0.08, 0.36),
     (0.12, 0.28), (0.11, 0.28), (0.0, 0.35)),
    ((0.0, 0.0), (0.12, 0.0), (0.13, 0.25), (0.125, 0.25), (0.115, 0.01), (0.0, 0.01)),
    ((0.0, 0.0), (0.045, 0.02), (0.07, 0.1), (0.06, 0.2), (0.025, 0.27), (0.035, 0.3),
     (0.0, 0.3)),
)  # fmt: skip


def turned_meshes(sides: int = 16) -> list[tuple[NDArray[np.float64], NDArray[np.int32]]]:
    """Vertices (V, 3) [m] and faces (F, 3) of each profile, standing on z = 0."""
    meshes = []
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    for profile in PROFILES:
        rings = np.array(profile)
        vertices = np.stack(
            [rings[:, :1] * np.cos(angle), rings[:, :1] * np.sin(angle),
             np.broadcast_to(rings[:, 1:], (len(rings), sides))], axis=-1,
        ).reshape(-1, 3)  # fmt: skip
        faces = []
        for ring in range(len(rings) - 1):
            for k in range(sides):
                a, b = ring * sides + k, ring * sides + (k + 1) % sides
                c, d = a + sides, b + sides
                if rings[ring, 0] > 0:
                    faces.append((a, b, d))
                if rings[ring + 1, 0] > 0:
                    faces.append((a, d, c))
        meshes.append((vertices, np.array(faces, np.int32)))
    return meshes
