"""Claims with one joint off: which parts of the arm a camera sees where they were."""

from __future__ import annotations

import numpy as np

from armsight.fit.gauss_newton import States
from armsight.fit.one_joint import OFFSETS, keeping_the_far_part, one_joint_free, one_joint_off
from armsight.geometry import make_transform
from armsight.robots import load_robot
from tests.fit.seen_arms import view

ROBOT = load_robot("panda")
JOINTS = len(ROBOT.joint_names)


def claim(seed: int) -> States:
    arm = view(np.random.default_rng(seed))
    T = arm.T_cam_base[None]
    return States(arm.q[None], T[:, :3, :3], T[:, :3, 3])


def seen(states: States, i: int) -> np.ndarray:
    """(L, 4, 4) links in the camera frame."""
    return make_transform(states.R[i], states.t[i]) @ ROBOT.forward_kinematics(states.q[i])


def test_one_joint_is_off_by_each_offset_within_its_limits() -> None:
    held = claim(0)
    tries = one_joint_off(ROBOT, held)
    assert len(tries.q) == JOINTS * len(OFFSETS)
    for i, q in enumerate(tries.q):
        joint, offset = i // len(OFFSETS), OFFSETS[i % len(OFFSETS)]
        want = held.q[0].copy()
        want[joint] = np.clip(want[joint] + offset, *ROBOT.joint_limits[joint])
        np.testing.assert_allclose(q, want)
        np.testing.assert_array_equal(tries.R[i], held.R[0])


def test_links_beyond_the_joint_stay_where_the_camera_saw_them() -> None:
    held = claim(1)
    tries = one_joint_off(ROBOT, held)
    kept = keeping_the_far_part(ROBOT, held, tries)
    before = seen(held, 0)
    np.testing.assert_array_equal(kept.q, tries.q)
    for i in range(0, len(kept.q), 3):
        joint = i // len(OFFSETS)
        beyond = ROBOT.joint_moves[joint]
        after = seen(kept, i)
        np.testing.assert_allclose(after[beyond], before[beyond], atol=1e-9)
        moved = not np.isclose(kept.q[i, joint], held.q[0, joint])
        assert moved != np.allclose(after[~beyond], before[~beyond], atol=1e-6)


def test_the_camera_may_always_move_and_one_joint_at_most() -> None:
    free = one_joint_free(JOINTS)
    assert free[:, JOINTS:].all()
    np.testing.assert_array_equal(free[1:, :JOINTS], np.eye(JOINTS))
    assert not free[0, :JOINTS].any()
