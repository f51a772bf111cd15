"""Cutting and lightening meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.render.scene.meshes import MeshPart, lighten, split_by_colour

QUAD = """v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0.1 0.9
vt 0.9 0.1
vn 0 0 1
f 1/1/1 2/1/1 3/1/1
f 1/2/1 3/2/1 4/2/1
"""


def test_faces_take_the_palette_colour_that_they_point_to(tmp_path: Path) -> None:
    (tmp_path / "quad.obj").write_text(QUAD)
    palette = np.array([[[255, 0, 0], [1, 1, 1]], [[2, 2, 2], [0, 0, 255]]], np.uint8)
    parts = {p.colour: p for p in split_by_colour(tmp_path / "quad.obj", palette)}
    # v runs upwards: (0.1, 0.9) is the upper left corner, (0.9, 0.1) the lower right one.
    assert set(parts) == {(255, 0, 0), (0, 0, 255)}
    red = parts[255, 0, 0]
    np.testing.assert_array_equal(red.vertices[red.faces[0]], [[0, 0, 0], [1, 0, 0], [1, 1, 0]])


def test_a_lighter_sphere_is_still_that_sphere() -> None:
    pytest.importorskip("fast_simplification")
    n = 60
    polar, around = np.meshgrid(np.linspace(0, np.pi, n), np.linspace(0, 2 * np.pi, 2 * n))
    points = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1
    ).reshape(-1, 3)
    a = (np.arange(2 * n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.vstack(
        [np.column_stack([a, a + n, a + 1]), np.column_stack([a + 1, a + n, a + n + 1])]
    )
    sphere = MeshPart((255, 255, 255), 0.1 * points, points, faces.astype(np.int32))
    light = lighten(sphere, 0.2)
    assert 0.1 < len(light.faces) / len(faces) < 0.25
    np.testing.assert_allclose(np.linalg.norm(light.vertices, axis=1), 0.1, atol=1e-3)
    outward = light.vertices / np.linalg.norm(light.vertices, axis=1, keepdims=True)
    assert ((outward * light.normals).sum(1) > 0.98).all()
