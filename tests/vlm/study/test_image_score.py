"""The image score: how well a pose explains a picture, without a model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.errors import ArmsightError
from armsight.robots import load_robot
from armsight.viz.silhouette import silhouette
from armsight.vlm.drawing import Camera, Drawer, default_camera, shaded
from armsight.vlm.picture import encode
from armsight.vlm.references import FOLDER, own_reference
from armsight.vlm.refine import ImageScore
from tests.labelled_folders import poses

ROBOT = load_robot("panda")


def camera(q: NDArray[np.floating], seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    return default_camera(ROBOT, q, rng.uniform(-90, 90), rng.uniform(10, 40))


def test_the_image_score_prefers_the_pose_that_was_drawn() -> None:
    wins = []
    for i, q in enumerate(poses(ROBOT, 6)):
        view = camera(q, i)
        score = ImageScore(ROBOT, shaded(ROBOT, q, view), view.K, view.T_cam_base)
        rng = np.random.default_rng(i)
        off = ROBOT.clip(q + np.radians(20) * rng.choice([-1, 1], 7) * (np.arange(7) < 4))
        wins.append(score(q) > score(off))
    assert sum(wins) == 6


def test_the_packages_reference_shows_its_angles() -> None:
    """The picture that is shipped, against the outline of the pose that its file states."""
    document = json.loads((FOLDER / "panda.json").read_text())
    image = load_image(FOLDER / "panda.jpg")
    K, T = np.array(document["K"]), np.array(document["T_cam_base"])
    score = ImageScore(ROBOT, image.pixels, K, T)
    q = np.array(document["joint_positions"])
    for joint in range(6):
        for sign in (-1, 1):
            off = q.copy()
            off[joint] += sign * np.radians(15)
            assert score(q) > score(ROBOT.clip(off)), joint
    assert (FOLDER / "panda.jpg").stat().st_size < 60_000
    assert own_reference(ROBOT).picture.width == 768


def test_mujoco_draws_the_same_pose_as_the_meshes() -> None:
    q = poses(ROBOT, 1)[0]
    view = default_camera(ROBOT, q)
    drawer = Drawer(ROBOT)
    try:
        drawer.require_scene(view)
        drawn = drawer.draw(q, view)
    except ArmsightError as error:
        pytest.skip(f"nothing can be drawn here: {error}")
    finally:
        drawer.close()
    seen = np.abs(drawn.astype(int) - drawn[0, 0].astype(int)).sum(-1) > 6
    outline = silhouette(ROBOT, q, view.T_cam_base, view.K, view.width, view.height) > 0
    masks = [seen, outline]
    # MuJoCo's has fingers, which the link meshes have not.
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.8


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    pixels = np.zeros((100, 400, 3), np.uint8)
    assert (encode(pixels, 200).width, encode(pixels, 200).height) == (200, 50)
    assert (encode(pixels, 800).width, encode(pixels, 800).height) == (400, 100)
