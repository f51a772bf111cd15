"""Following a path: the linear model against the arm, paths that are known, noise, bad input."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("robosuite")

from armsight.errors import BadShapeError
from armsight.geometry import make_transform, rotation_from_rotvec
from armsight.path_tracking.arm_simulation import READY, ArmSimulation
from armsight.path_tracking.track_path import (
    Tracking,
    one_axis,
    pose_error,
    track_path,
)
from armsight.robots import load_robot

STEPS = 70


@pytest.fixture(scope="module")
def arm() -> ArmSimulation:
    return ArmSimulation()


@pytest.fixture(scope="module")
def actions() -> np.ndarray:
    """A reach with a turn, a stop, and a lift with the gripper closed."""
    made = np.zeros((STEPS, 7))
    made[:25, :3] = 0.5, -0.3, -0.4
    made[5:25, 5] = 0.25
    made[40:65, :3] = -0.2, 0.2, 0.5
    made[:, 6] = np.where(np.arange(STEPS) < 32, -1, 1)
    return made


@pytest.fixture(scope="module")
def path(arm: ArmSimulation, actions: np.ndarray) -> np.ndarray:
    arm.reset(READY)
    return arm.play(actions)[:-1]


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, :3, 3] - b[:, :3, 3], axis=1)


def test_forward_kinematics_agree_with_the_robot_file(arm: ArmSimulation) -> None:
    robot = load_robot("panda")
    hand = robot.link_names.index("panda_hand")
    rng = np.random.default_rng(0)
    for q in READY + rng.normal(0, 0.2, (3, 7)):
        arm.reset(q)
        T_hand_ee = np.linalg.inv(robot.forward_kinematics(q)[hand]) @ arm.T_base_ee
        # robosuite rounds the quaternion of the hand's mount to three decimals.
        np.testing.assert_allclose(T_hand_ee[:3, 3], [0, 0, 0.0965], atol=2e-3)
        np.testing.assert_allclose(np.abs(T_hand_ee[:3, 2]), [0, 0, 1], atol=1e-3)


def test_velocity_is_the_change_of_the_pose(arm: ArmSimulation) -> None:
    arm.reset(READY)
    for _ in range(8):
        arm.step([0.3, -0.2, 0.1, 0.0, 0.1, 0.2, -1])
    before, speed = arm.T_base_ee, arm.velocity
    arm.step([0.3, -0.2, 0.1, 0.0, 0.1, 0.2, -1])
    mean = (speed + arm.velocity) / 2
    change = pose_error(arm.T_base_ee[None], before[None])[0] * 20
    np.testing.assert_allclose(change, mean, rtol=0.05, atol=2e-3)


def test_one_step_along_one_axis_follows_the_linear_model(arm: ArmSimulation) -> None:
    """The closed form of a critically damped spring, against 25 steps of physics."""
    arm.reset(READY)
    start, (A, B) = arm.T_base_ee[:3, 3], one_axis()
    state = np.zeros(2)
    for _ in range(6):
        arm.step([0, 0, 0.4, 0, 0, 0, -1])
        state = A @ state + B * 0.4 * 0.05
    risen = arm.T_base_ee[:3, 3] - start
    assert state[0] == pytest.approx(risen[2], rel=0.08)


def test_a_quarter_of_each_step_is_realised() -> None:
    A, B = one_axis()
    speed = np.linalg.solve(1 - A[1:, 1:], B[1:])[0]
    assert 0.2 < speed / 20 < 0.3


def test_an_exact_path_is_followed_to_a_millimetre(arm, path, actions) -> None:
    tracked = track_path(path, actions[:, 6], arm=arm, tracking=Tracking(effort=1e-3))
    assert tracked.actions.shape == (STEPS, 7)
    assert distances(tracked.T_base_ee, path).max() < 4e-3
    assert distances(tracked.T_base_ee, path).mean() < 1e-3
    turned = pose_error(tracked.T_base_ee, path)[:, 3:]
    assert np.degrees(np.abs(turned)).max() < 2
    # Played again, the actions lead where they were said to lead.
    arm.reach(tracked.T_base_ee[0])
    np.testing.assert_allclose(arm.play(tracked.actions)[:-1], tracked.T_base_ee, atol=1e-3)


def test_defaults_smooth_out_noise(arm, path, actions) -> None:
    rng = np.random.default_rng(0)
    noisy = path.copy()
    noisy[:, :3, 3] += rng.normal(0, 0.005, (STEPS, 3))
    tracked = track_path(noisy, actions[:, 6], arm=arm)
    assert distances(tracked.T_base_ee, path).mean() < 0.7 * distances(noisy, path).mean()
    assert np.abs(tracked.actions).max() <= 1


def test_differences_of_poses_fall_short_where_tracking_arrives(arm, path, actions) -> None:
    naive = np.zeros((STEPS, 7))
    naive[:-1, :6] = pose_error(path[1:], path[:-1]) / np.repeat([0.05, 0.5], 3)
    arm.reset(READY)
    assert distances(arm.play(naive)[:-1], path)[30] > 0.05
    tracked = track_path(path, actions[:, 6], arm=arm)
    assert distances(tracked.T_base_ee, path)[30] < 0.005


def test_gripper_commands_keep_their_times(arm, path, actions) -> None:
    tracked = track_path(path, 3 * actions[:, 6], arm=arm)
    np.testing.assert_array_equal(tracked.actions[:, 6], actions[:, 6])


def test_it_starts_where_it_is_told_to(arm, path, actions) -> None:
    elsewhere = READY + [0.1, 0, 0, 0, 0, 0, 0]
    tracked = track_path(path, actions[:, 6], elsewhere, arm=arm)
    arm.reset(elsewhere)
    np.testing.assert_allclose(tracked.T_base_ee[0], arm.T_base_ee, atol=1e-12)
    assert distances(tracked.T_base_ee, path)[0] > 0.03
    assert distances(tracked.T_base_ee, path)[-1] < 0.01


def test_the_start_is_somewhere_between_the_path_and_ready(arm, path, actions) -> None:
    """All initial states are near the ready pose, and a path may err as a whole."""
    arm.reset(READY)
    ready = arm.T_base_ee
    shifted = path.copy()
    shifted[:, :3, 3] += [0.0, 0.02, 0.0]
    free = track_path(shifted, actions[:, 6], arm=arm, tracking=Tracking(ready=0))
    sure = track_path(shifted, actions[:, 6], arm=arm, tracking=Tracking(ready=1e6))
    default = track_path(shifted, actions[:, 6], arm=arm)
    starts = [one.T_base_ee[0, 1, 3] - ready[1, 3] for one in (sure, default, free)]
    assert starts[0] == pytest.approx(0, abs=5e-4)
    assert starts[2] == pytest.approx(0.02, abs=3e-3)
    assert starts[0] + 1e-3 < starts[1] < starts[2] - 1e-4
    # A turn of the whole path is an error, since the controller holds the ready pose's.
    turned = path.copy()
    turned[:, :3, :3] = rotation_from_rotvec([0, 0, 0.05]) @ path[:, :3, :3]
    start = track_path(turned, actions[:, 6], arm=arm).T_base_ee[:1]
    assert np.abs(pose_error(start, ready[None])[0, 3:]).max() < 0.01


def test_reach_finds_poses_near_ready(arm: ArmSimulation) -> None:
    arm.reset(READY)
    turn = rotation_from_rotvec([0.05, -0.1, 0.3])
    start = arm.T_base_ee
    goal = make_transform(turn @ start[:3, :3], start[:3, 3] + [0.05, -0.06, 0.04])
    arm.reach(goal)
    np.testing.assert_allclose(pose_error(goal[None], arm.T_base_ee[None]), 0, atol=1e-4)
    assert np.abs(arm.joint_positions - READY).max() < 0.6


def test_a_pose_out_of_reach_does_no_harm(arm, path, actions) -> None:
    far = path.copy()
    far[:, 0, 3] += 3
    tracked = track_path(far, actions[:, 6], arm=arm)
    assert np.isfinite(tracked.actions).all()
    assert np.abs(tracked.actions).max() <= 1


def test_short_paths(arm, path, actions) -> None:
    for length in (1, 2, 3):
        tracked = track_path(path[:length], actions[:length, 6], arm=arm)
        assert tracked.actions.shape == (length, 7)


@pytest.mark.parametrize(
    "poses, gripper, message",
    [
        (np.zeros((5, 3)), np.zeros(5), "expected \\(N, 4, 4\\)"),
        (np.zeros((0, 4, 4)), np.zeros(0), "N of 1 or more"),
        (np.tile(np.eye(4), (5, 1, 1)), np.zeros(4), "5 poses and gripper commands"),
        (np.full((5, 4, 4), np.nan), np.zeros(5), "NaN"),
    ],
)
def test_paths_that_make_no_sense(poses, gripper, message: str) -> None:
    with pytest.raises(BadShapeError, match=message):
        track_path(poses, gripper)
