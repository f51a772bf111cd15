"""Bad input is named; what counts as measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from armsight.errors import BadIntrinsicsError, BadShapeError
from armsight.fit.measurements import (
    LARGEST_STD,
    SMALLEST_STD,
    check_measurements,
    check_pose,
)
from tests.fit.seen_arms import ROBOT, K

COUNT = len(ROBOT.keypoint_names)


def good() -> dict[str, Any]:
    positions = np.random.default_rng(0).uniform(0, 400, (COUNT, 2))
    return {"K": K, "keypoints_2d": positions, "keypoints_std": np.ones(COUNT)}


def test_large_and_infinite_stds_are_not_measured_and_tiny_ones_are_raised() -> None:
    std = np.ones(COUNT)
    std[0], std[1], std[2], std[3] = np.inf, LARGEST_STD * K[0, 0] * 1.01, 1e-9, 20
    measured = check_measurements(ROBOT, **good() | {"keypoints_std": std})
    np.testing.assert_array_equal(measured.keypoints, np.arange(2, COUNT))
    assert measured.std[0] == SMALLEST_STD
    assert measured.std[1] == 20
    full = measured.for_all(measured.std, -1.0)
    np.testing.assert_array_equal(full[:4], [-1, -1, SMALLEST_STD, 20])


def test_std_scale_multiplies() -> None:
    measured = check_measurements(ROBOT, **good(), std_scale=2.5)
    np.testing.assert_array_equal(measured.std, 2.5)


def test_moves_says_which_joint_moves_which_keypoint() -> None:
    """Oracle: turn each joint and see which keypoints go elsewhere."""
    measured = check_measurements(ROBOT, **good())
    q = ROBOT.ready_positions
    for j in range(len(q)):
        turned = q.copy()
        turned[j] += 0.3
        moved = np.linalg.norm(ROBOT.keypoints(turned) - ROBOT.keypoints(q), axis=-1) > 1e-9
        assert not (moved & ~measured.moves[j]).any()  # points on the axis may stand still
        surface = slice(ROBOT.num_origin_keypoints, None)
        np.testing.assert_array_equal(moved[surface], measured.moves[j][surface])


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("keypoints_2d", np.zeros((COUNT, 3)), r"keypoints_2d has shape \(31, 3\)"),
        ("keypoints_2d", np.zeros((4, 2)), r"must have \(31, 2\)"),
        ("keypoints_2d", np.full((COUNT, 2), np.nan), r"keypoints_2d holds nan at \(0, 0\)"),
        ("keypoints_2d", np.full((COUNT, 2), np.inf), "keypoints_2d holds inf"),
        ("keypoints_2d", "left", "keypoints_2d must be an array of numbers"),
        ("keypoints_std", np.full(COUNT, np.nan), "keypoints_std holds nan"),
        ("keypoints_std", np.zeros(COUNT), "panda_link0 is 0"),
        ("keypoints_std", -np.ones(COUNT), "must be above 0"),
        ("keypoints_std", 1.0, "keypoints_std has shape"),
    ],
)
def test_bad_keypoints_are_named(name: str, value: object, says: str) -> None:
    with pytest.raises(BadShapeError, match=says):
        check_measurements(ROBOT, **good() | {name: value})


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(4)])
def test_bad_camera_matrix_is_named(bad: np.ndarray) -> None:
    with pytest.raises(BadIntrinsicsError, match="K"):
        check_measurements(ROBOT, **good() | {"K": bad})


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4)), np.diag([1, 1, -1, 1]), np.eye(3), 2 * np.eye(4)]
)
def test_a_pose_must_be_rigid(bad: np.ndarray) -> None:
    with pytest.raises(BadShapeError, match="T_start"):
        check_pose("T_start", bad)


def test_a_rigid_pose_passes() -> None:
    np.testing.assert_array_equal(check_pose("T_start", np.eye(4)), np.eye(4))
