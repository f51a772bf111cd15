"""Thresholds, calibration, confidence and propagated uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import Intrinsics
from armsight.errors import ConfigError, WeightsError
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.confidence import visible_part_right
from armsight.estimate.crop_reading import CropReading
from armsight.estimate.tuning import SOLVERS, Tuning
from armsight.fit.uncertainty import FIT_VERSION
from tests.charted_arm import ROBOT, make_arm

ARM = make_arm()
IMAGE = LoadedImage(np.zeros((480, 640, 3), np.uint8), 640, 480, "a.png", messages=("animated",))
CAMERA = Intrinsics(ARM.K, "given", ("camera note",))


def make_crop(seed: int = 0, noise: float = 1.0, **changes: Any) -> CropReading:
    rng = np.random.default_rng(seed)
    count = len(ROBOT.keypoint_names)
    values: dict[str, Any] = {
        "box": (100.0, 0.0, 500.0, 400.0),
        "presence": 0.97,
        "keypoints_2d": ARM.keypoints_2d + noise * rng.standard_normal((count, 2)),
        "keypoints_std": np.full(count, max(noise, 0.3)),
        "keypoints_seen": np.full(count, 0.9),
        "keypoints_log_depth": np.zeros(count),
        "keypoints_log_depth_std": np.full(count, np.inf),
        "hypotheses": ARM.q + 0.1 * rng.standard_normal((16, 7)),
    }
    return CropReading(**{**values, **changes})


def test_unseen_keypoints_are_not_believed() -> None:
    wild = ARM.keypoints_2d.copy()
    wild[::3] += 300
    seen = np.full(len(wild), 0.9)
    seen[::3] = 0.1
    look = make_crop(noise=0.0, keypoints_2d=wild, keypoints_seen=seen)
    estimate = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, look)
    assert estimate.keypoints_2d is not None
    assert np.abs(estimate.keypoints_2d - ARM.keypoints_2d).max() < 5


def test_messages_and_names_are_handed_on() -> None:
    estimate = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop())
    assert estimate.messages == ("animated", "camera note")
    assert estimate.image == "a.png"
    assert estimate.keypoint_names == ROBOT.keypoint_names


def test_too_few_keypoints_for_a_camera() -> None:
    seen = np.zeros(len(ROBOT.keypoint_names))
    seen[:2] = 0.9
    estimate = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop(keypoints_seen=seen))
    assert estimate.T_cam_base is None
    assert estimate.keypoints_3d_cam is None
    assert any("too little of the arm" in message for message in estimate.messages)
    assert estimate.joint_positions is not None
    assert estimate.keypoints_2d is not None
    assert np.isfinite(estimate.keypoints_2d[:2]).all()
    assert np.isnan(estimate.keypoints_2d[2:]).all()
    as_json = estimate.to_json()
    assert as_json["T_cam_base"] is None
    assert as_json["keypoints_2d"][ROBOT.keypoint_names[5]] == [None, None]


def test_keypoint_uncertainty_is_that_of_repeated_answers() -> None:
    """The propagated standard deviation against the spread over 40 noisy looks."""
    runs = [
        build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop(seed, 1.5)) for seed in range(40)
    ]
    errors = np.array([run.keypoints_2d - ARM.keypoints_2d for run in runs])  # type: ignore[operator]
    said = np.sqrt(np.mean([np.square(run.keypoints_2d_std) for run in runs], axis=0))  # type: ignore[arg-type]
    seen = np.sqrt((errors**2).mean(axis=(0, 2)))
    ratio = np.median(seen / said)
    assert 0.6 < ratio < 1.6


def test_right_answers_are_surer_than_wrong_ones() -> None:
    right = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop())
    rng = np.random.default_rng(1)
    shuffled = ARM.keypoints_2d[rng.permutation(len(ROBOT.keypoint_names))]
    wrong = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop(keypoints_2d=shuffled))
    assert right.confidence > 0.8
    assert wrong.confidence < right.confidence - 0.2


@pytest.mark.parametrize("solver", SOLVERS)
def test_each_solver_finds_a_clear_pose(solver: str) -> None:
    estimate = build_estimate(ROBOT, Tuning(solver=solver), IMAGE, CAMERA, make_crop())
    assert estimate.joint_positions is not None
    limit = 20 if solver == "diffusion" else 5
    assert np.degrees(np.abs(estimate.joint_positions - ARM.q)).max() < limit
    assert np.linalg.norm(np.asarray(estimate.keypoints_3d_cam) - ARM.keypoints_3d_cam) < 0.5


def test_unknown_solver_is_named() -> None:
    with pytest.raises(ConfigError, match="known: outline, both, diffusion, keypoints"):
        Tuning(solver="luck")


def test_card_sets_thresholds_calibration_and_confidence() -> None:
    card = {
        "thresholds": {"robot_found": 0.99, "first_look": 0.2, "keypoint_seen": 0.4},
        "calibration": {
            "joint_scale": [2.0] * 7,
            "joint_floor": [0.05] * 7,
            "keypoint_scale": 1.5,
            "confidence": {"bias": -1.0, "weights": {"presence_logit": 2.0}},
        },
    }
    tuning = Tuning.from_card(card)
    assert not build_estimate(ROBOT, tuning, IMAGE, CAMERA, make_crop()).robot_found
    bias, weights = tuning.confidence_bias, tuning.confidence_weights
    assert visible_part_right({"presence_logit": 0.5}, bias, weights) == pytest.approx(0.5)
    card["thresholds"] = {}
    plain = build_estimate(ROBOT, Tuning(), IMAGE, CAMERA, make_crop())
    wide = build_estimate(ROBOT, Tuning.from_card(card), IMAGE, CAMERA, make_crop())
    assert plain.joint_std is not None
    assert wide.joint_std is not None
    assert (wide.joint_std >= 0.05).all()
    assert (wide.joint_std > plain.joint_std).all()


def test_answers_without_confidence_are_no_answers() -> None:
    card = {"thresholds": {"confident": 0.7}, "calibration": {"confidence": {"bias": -99.0}}}
    estimate = build_estimate(ROBOT, Tuning.from_card(card), IMAGE, CAMERA, make_crop())
    assert not estimate.robot_found
    assert estimate.joint_positions is None
    assert estimate.confidence < 0.01
    assert f"no {ROBOT.name} found (presence 0.97)" in estimate.messages


def test_prior_std_comes_from_the_card() -> None:
    """A tight belief in hypotheses that are all off in the same way holds the answer there."""
    look = make_crop(hypotheses=np.tile(ARM.q + 0.2, (4, 1)), noise=3.0)
    off = {}
    for std in (0.01, 0.6):
        tuning = Tuning.from_card({"calibration": {"prior_std": std}})
        estimate = build_estimate(ROBOT, tuning, IMAGE, CAMERA, look)
        assert estimate.joint_positions is not None
        off[std] = np.abs(estimate.joint_positions - look.hypotheses[0]).mean()
    assert off[0.01] < 0.5 * off[0.6]


def test_broken_cards_are_named() -> None:
    with pytest.raises(WeightsError, match="unknown confidence features"):
        Tuning.from_card({"calibration": {"confidence": {"weights": {"luck": 1.0}}}})
    with pytest.raises(WeightsError, match="thresholds or calibration"):
        Tuning.from_card({"thresholds": {"robot_found": "high"}})


def test_half_an_arm_is_found_though_some_joints_cannot_be_told() -> None:
    """Keypoints of the forearm and the hand alone: their joints are known, the first are not."""
    links = ("link5", "link6", "link7", "hand")
    beyond = [any(link in name for link in links) for name in ROBOT.keypoint_names]
    rng = np.random.default_rng(0)
    spread = np.array([0.8, 0.8, 0.8, 0.5, 0.1, 0.1, 0.1])
    guesses = ROBOT.clip(ARM.q + spread * rng.standard_normal((16, 7)))
    look = make_crop(keypoints_seen=np.where(beyond, 0.9, 0.05), hypotheses=guesses)
    estimate = build_estimate(ROBOT, Tuning(prior_std=0.8), IMAGE, CAMERA, look)
    assert estimate.robot_found
    assert estimate.presence == 0.97
    assert estimate.joint_std is not None
    assert estimate.joint_std[:2].min() > np.radians(25) > 2 * estimate.joint_std[5]
    [message] = [one for one in estimate.messages if "cannot be told" in one]
    assert "panda_joint1, panda_joint2" in message
    assert "panda_joint6" not in message


def test_a_refusal_says_how_sure_it_is_and_what_helps() -> None:
    tuning = Tuning(robot_found=0.99)
    empty = build_estimate(ROBOT, tuning, IMAGE, CAMERA, make_crop(presence=0.05))
    assert empty.messages == ("animated", "no panda found (presence 0.05)")
    assert empty.to_json()["presence"] == 0.05
    arm_like = build_estimate(ROBOT, tuning, IMAGE, CAMERA, make_crop(presence=0.8))
    assert "no panda found (presence 0.80)" in arm_like.messages
    assert "--K" in arm_like.messages[-1]
    assert "--box" in arm_like.messages[-1]
    assert arm_like.confidence < 0.5


def test_a_card_that_was_calibrated_for_another_fit_is_said() -> None:
    now = build_estimate(ROBOT, Tuning.from_card(_card(FIT_VERSION)), IMAGE, CAMERA, make_crop())
    before = build_estimate(ROBOT, Tuning.from_card(_card(1)), IMAGE, CAMERA, make_crop())
    assert now.messages == ("animated", "camera note")
    assert any("calibrated for version 1 of the fit" in message for message in before.messages)
    unversioned = Tuning.from_card({"calibration": {"joint_scale": 1.0}})
    assert unversioned.notes == Tuning.from_card(_card(1)).notes
    assert Tuning.from_card({}).notes == ()


def _card(version: int) -> dict[str, Any]:
    return {"calibration": {"joint_scale": 1.0, "fit_version": version}}
