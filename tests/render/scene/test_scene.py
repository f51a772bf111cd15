"""The drawn robot against its kinematics, and pixels against projected points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.render.imaging.camera import crop_intrinsics, intrinsics, look_at, project
from armsight.render.scene.appearance import Appearance, Solid
from armsight.robots import load_robot

ROBOT = load_robot("panda")


@pytest.mark.parametrize("seed", range(5))
def test_drawn_links_stand_where_forward_kinematics_says(scene: Any, seed: int) -> None:
    low, high = ROBOT.joint_limits.T
    q = np.random.default_rng(seed).uniform(low, high)
    scene.pose(q, 0.5)
    expected = ROBOT.forward_kinematics(q)[:, :3, 3]
    np.testing.assert_allclose(scene.link_origins(), expected, atol=1e-9)


def test_drawn_links_fit_a_real_frame_of_dream(scene: Any, shared_data: Path) -> None:
    data = json.loads((shared_data / "dream_sample" / "000000.json").read_text())
    q = [joint["position"] for joint in data["sim_state"]["joints"]][:7]
    truth = {k["name"]: np.array(k["location"]) for k in data["objects"][0]["keypoints"]}
    scene.pose(np.array(q), 1.0)
    origins = dict(zip(ROBOT.link_names, scene.link_origins(), strict=True))
    drawn = np.array([origins[name] for name in truth])
    real = np.array(list(truth.values()))
    # Distances between all pairs of points do not depend on the camera's pose.
    distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (drawn, real)]
    np.testing.assert_allclose(*distances, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_points_project_onto_small_spheres_drawn_at_them(scene: Any, seed: int) -> None:
    """Keypoints, and points at the corners of a crop, whose frustum is off the camera's axis."""
    rng = np.random.default_rng(seed)
    height, width = scene.canvas.height, scene.canvas.width
    frame_K = intrinsics(np.deg2rad(rng.uniform(35, 90)), 640, 480)
    frame_K[:2, 2] += rng.normal(0, 10, 2)
    frame_K[1, 1] *= 1.01
    direction = rng.uniform(-1, 1, 3) + [0, 0, 0.4]
    position = 1.6 * direction / np.linalg.norm(direction)
    T = look_at(position, np.array([0.2, 0, 0.4]), rng.uniform(-1, 1))
    K = crop_intrinsics(frame_K, *rng.uniform(-40, 250, 2), rng.uniform(200, 400), width)
    corners = np.array([[9, 10], [width - 11, 9], [10, height - 12], [width - 10, height - 10]])
    rays = np.column_stack([corners + rng.uniform(-1, 1, (4, 2)), np.ones(4)])
    seen = rays @ np.linalg.inv(K).T * rng.uniform(0.8, 2.0, (4, 1))
    points = np.vstack([(seen - T[:3, 3]) @ T[:3, :3], ROBOT.keypoints(ROBOT.ready_positions)])
    uv, cam = project(points, K, T)
    checked = 0
    for point, pixel, z in zip(points.tolist(), uv, cam[:, 2], strict=True):
        if not (8 < pixel[0] < width - 9 and 8 < pixel[1] < height - 9):
            continue
        ball = Solid("sphere", (5.0 / K[0, 0] * z, 0, 0), tuple(point))
        scene.apply(Appearance(objects=[ball], robot_visible=False, shadows=False))
        rows, columns = np.nonzero(scene.draw(K, T, (width, height)).geom >= 0)
        assert len(rows) > 40
        assert np.hypot(columns.mean() - pixel[0], rows.mean() - pixel[1]) < 0.3
        checked += 1
    assert checked >= 4


def test_depth_is_the_distance_along_the_axis(scene: Any) -> None:
    width, height = scene.canvas.width, scene.canvas.height
    T = look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3), 0.0)
    wall = Solid("box", (3, 0.25, 3), (0, 0.25, 0))
    scene.apply(Appearance(objects=[wall], robot_visible=False, shadows=False))
    depth = scene.draw(intrinsics(1.0, width, height), T, (width, height)).depth
    np.testing.assert_allclose(depth, 2.0, atol=2e-3)


def test_nothing_of_the_picture_before_shines_through(scene: Any) -> None:
    width, height = scene.canvas.width, scene.canvas.height
    K = intrinsics(1.2, width, height)
    T = look_at(np.array([1.2, 0.3, 0.8]), np.array([0.2, 0, 0.4]), 0.0)
    scene.pose(ROBOT.ready_positions, 0.3)
    scene.apply(Appearance())
    before = scene.draw(K, T, (width, height))
    things = [Solid("mesh", mesh=i, position=(0.3, 0.1 * i, 0)) for i in range(4)]
    gadgets = {"hand0": Solid("box", (0.1, 0.1, 0.1))}
    floor = {"floor": Solid("plane", (2, 2, 1), texture="floor")}
    texture = {"floor": np.full((192, 192, 3), 90, np.uint8)}
    scene.apply(Appearance(objects=things, gadgets=gadgets, furniture=floor, textures=texture,
                     decals=True, ambient=(0.9, 0.1, 0.1), gamma=2.0, shadows=True))  # fmt: skip
    assert (scene.draw(K, T, (width, height)).rgb != before.rgb).mean() > 0.1
    scene.apply(Appearance())
    after = scene.draw(K, T, (width, height))
    np.testing.assert_array_equal(after.rgb, before.rgb)
    np.testing.assert_array_equal(after.geom, before.geom)
