"""What looks at pictures without a model: the image score, and the estimator's verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.errors import ArmsightError
from armsight.estimate.estimator import Estimator
from armsight.estimate.image import load_image
from armsight.estimate.measurements import check_measurements
from armsight.estimate.polish import States
from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from armsight.viz.silhouette import silhouette
from armsight.vlm import roc
from armsight.vlm.drawing import Camera, Drawer, default_camera, shaded
from armsight.vlm.judge import EstimatorJudge, known_camera_ratio, one_joint_ratio
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
    import json

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


def test_one_shifted_joint_is_found_from_keypoints_of_known_noise() -> None:
    """Exact measurements but for 1 px of noise: what the test of a claim can do at best."""
    right, wrong, known_right, known_wrong = [], [], [], []
    for i, q in enumerate(poses(ROBOT, 10)):
        view = camera(q, i)
        rng = np.random.default_rng(i)
        true = project(transform_points(view.T_cam_base, ROBOT.keypoints(q)), view.K)
        measured = check_measurements(
            ROBOT, view.K, true + rng.normal(0, 1, true.shape), np.ones(len(true))
        )
        T = view.T_cam_base[None]
        state = States(q[None], T[:, :3, :3], T[:, :3, 3])
        right.append(one_joint_ratio(measured, q, state)[0])
        known_right.append(known_camera_ratio(measured, q, view.T_cam_base))
        joint = i % 7
        off = q.copy()
        off[joint] += np.radians(15) * (1 if i % 2 else -1)
        score, each = one_joint_ratio(measured, off, state)
        wrong.append(score)
        known_wrong.append(known_camera_ratio(measured, off, view.T_cam_base))
        if joint:  # the first joint's turn is also the camera's
            assert int(np.argmax(each)) == joint
    assert roc.auc(right, wrong) >= 0.95
    assert roc.auc(known_right, known_wrong) == 1.0


def test_the_estimator_judges_claims(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.fake_weights import ANGLES, write_fake_weights

    judge = EstimatorJudge(Estimator.from_pretrained(write_fake_weights(tmp_path / "w")))
    K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    bright = load_image(np.full((480, 640, 3), 200, np.uint8))
    sight = judge.look(bright, K)
    assert sight.estimate.joint_positions is not None
    far = ANGLES.copy()
    far[1] += np.radians(30)
    # The fake always sees the arm at ANGLES.
    assert sight(far) > sight(ANGLES)
    assert set(sight.scores(ANGLES)) == {"both", "angles", "keypoints"}
    dark = judge.look(load_image(np.zeros((480, 640, 3), np.uint8)), K)
    assert np.isnan(dark(ANGLES))


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    pixels = np.zeros((100, 400, 3), np.uint8)
    assert (encode(pixels, 200).width, encode(pixels, 200).height) == (200, 50)
    assert (encode(pixels, 800).width, encode(pixels, 800).height) == (400, 100)
