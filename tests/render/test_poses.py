"""Pose mixes against what they promise."""

from __future__ import annotations

import numpy as np

from armsight.render.poses import EVAL_MIX, sample_pose, tabletop_pose
from armsight.robots import load_robot

ROBOT = load_robot("panda")
LOW, HIGH = ROBOT.joint_limits.T


def test_eval_mix_is_four_fifths_normal_and_one_fifth_uniform() -> None:
    q = np.array([sample_pose(np.random.default_rng(i), ROBOT, EVAL_MIX) for i in range(4000)])
    assert ((q >= LOW) & (q <= HIGH)).all()
    z = (q[:, 0] - ROBOT.ready_positions[0]) / 0.6
    # Share within one standard deviation: normal 68.3 %, uniform in the limits 2 * 0.6 / range.
    expected = 0.8 * 0.683 + 0.2 * 1.2 / (HIGH[0] - LOW[0])
    assert abs((np.abs(z) < 1).mean() - expected) < 0.025
    # Beyond three, nothing but the uniform poses: 80 % of them lie within.
    tails = 0.8 * 0.0027 + 0.2 * (1 - 2 * 1.8 / (HIGH[0] - LOW[0]))
    assert abs((np.abs(z) > 3).mean() - tails) < 0.02


def test_tabletop_poses_hang_the_hand_over_the_table() -> None:
    rng = np.random.default_rng(0)
    q = np.array([tabletop_pose(rng, ROBOT) for _ in range(100)])
    assert ((q >= LOW) & (q <= HIGH)).all()
    hand = ROBOT.forward_kinematics(q)[:, -1]
    assert (hand[:, 2, 2] < -0.7).mean() > 0.85
    assert ((hand[:, 2, 3] > -0.05) & (hand[:, 2, 3] < 0.65)).mean() > 0.9
    assert np.std(q[:, 0]) > 0.3
