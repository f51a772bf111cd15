"""The weights that come with the package: they load, they fit, and they see the example's arm."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight import Estimator, SeveralRobots
from armsight.estimate.pretrained import WEIGHTS, available_weights

EXAMPLE_K = [[782.803, 0, 314.613], [0, 785.434, 224.676], [0, 0, 1]]
EXAMPLE_JOINTS = [-0.59472, 0.38618, -0.66764, -1.9699, -0.01594, 2.47055, 1.23639]
"""The truth of `weights/panda/example.jpg` [rad], as it was rendered."""


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    if "panda" not in available_weights():
        pytest.skip("no weights in this checkout")
    return Estimator.from_pretrained("panda")


def test_example(estimator: Estimator) -> None:
    state = estimator(WEIGHTS / "panda" / "example.jpg", K=EXAMPLE_K)
    assert state.robot_found
    assert state.confidence > 0.5
    assert state.joint_positions is not None
    assert state.joint_std is not None
    errors = np.abs(state.joint_positions - EXAMPLE_JOINTS)
    assert np.degrees(errors[:6]).mean() < 4  # 0.5 with the weights as they are
    assert (errors < 3 * state.joint_std).all()


@pytest.mark.parametrize("left, right", [(0, 640), (150, 540)])
def test_two_arms_side_by_side_are_told_apart(estimator: Estimator, left: int, right: int) -> None:
    """Both fill the picture: one look at all of it makes one arm of the two."""
    arm = np.asarray(Image.open(WEIGHTS / "panda" / "example.jpg").convert("RGB"))[:, left:right]
    state = estimator(np.hstack([arm, arm]))
    assert state.robot_found
    assert any("2 panda arms" in message for message in state.messages)
    assert len(state.others) == 1


def test_same_answer_twice(estimator: Estimator) -> None:
    path = WEIGHTS / "panda" / "example.jpg"
    one, two = estimator(path), estimator(path)
    np.testing.assert_array_equal(one.joint_positions, two.joint_positions)


@pytest.mark.parametrize("kind", ["grey", "noise", "stripes"])
def test_pictures_without_a_robot(estimator: Estimator, kind: str) -> None:
    rng = np.random.default_rng(0)
    picture = {
        "grey": np.full((480, 640, 3), 127, np.uint8),
        "noise": rng.integers(0, 256, (480, 640, 3), np.uint8),
        "stripes": np.repeat((np.arange(640) // 20 % 2 * 255).astype(np.uint8), 3)
        .reshape(1, 640, 3)
        .repeat(480, axis=0),
    }[kind]
    state = estimator(picture)
    assert not state.robot_found
    assert state.joint_positions is None


def test_real_photo(estimator: Estimator, shared_data: Path) -> None:
    state = estimator(shared_data / "dream_sample" / "000000.rgb.jpg")
    assert state.robot_found


def test_size(estimator: Estimator) -> None:
    files = [path for path in (WEIGHTS / "panda").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25e6
    with Image.open(WEIGHTS / "panda" / "example.jpg") as example:
        assert example.size == (640, 480)


ARMS = tuple(name for name in available_weights() if name != "panda")
"""Robots whose weights stand on one encoder."""


@pytest.fixture(scope="module")
def every_robot() -> SeveralRobots:
    if not ARMS:
        pytest.skip("no weights in this checkout")
    return SeveralRobots.from_pretrained()


@pytest.mark.parametrize("robot", ["panda", *ARMS])
def test_examples_are_told_apart(every_robot: SeveralRobots, robot: str) -> None:
    state = every_robot(WEIGHTS / robot / "example.jpg")
    assert (state.robot, state.robot_found) == (robot, True)
    assert state.confidence >= 0.5
    assert state.others == ()


def test_no_known_robot(every_robot: SeveralRobots) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert not every_robot(noise).robot_found


def test_arms_share_one_encoder_file(every_robot: SeveralRobots) -> None:
    named = {every_robot.estimators[robot].session.card.encoder for robot in ARMS}
    content = (WEIGHTS / "encoder" / "encoder.onnx").read_bytes()
    assert named == {hashlib.sha256(content).hexdigest()}
    assert not list(WEIGHTS.glob("[!e]*/encoder.onnx"))


def test_every_card_is_calibrated(every_robot: SeveralRobots) -> None:
    for robot, estimator in every_robot.estimators.items():
        calibration = estimator.session.card.entries["calibration"]
        assert len(calibration["outline"]["joint_scale"]) == len(estimator.robot.joint_names), robot
        assert sum(one["frames"] for one in calibration["source"]) >= 500, robot


def test_size_of_all_weights() -> None:
    """A wheel must stay under 70 MB; it compresses them by a tenth (65 MB with all else)."""
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 71e6
