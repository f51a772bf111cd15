"""Inverse kinematics: poses made by MuJoCo from known joints are reached within the limits."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.errors import BadShapeError, UnknownRobotError
from armsight.geometry import make_transform
from armsight.robots import load_robot
from armsight.robots.inverse_kinematics import solve_ik

PANDA = load_robot("panda")


def joint_path(count: int, seed: int) -> np.ndarray:
    """A smooth path of the joints within the inner part of their limits."""
    rng = np.random.default_rng(seed)
    low, high = PANDA.joint_limits.T
    ends = PANDA.ready_positions + rng.uniform(-0.5, 0.5, (2, 7))
    ends = np.clip(ends, low + 0.1, high - 0.1)
    share = np.linspace(0, 1, count)[:, None]
    return np.asarray(ends[0] + (ends[1] - ends[0]) * share**2 * (3 - 2 * share))


def test_against_mujoco() -> None:
    """The grip site of robosuite's own Panda, by MuJoCo's kinematics, there and back."""
    pytest.importorskip("mujoco")
    pytest.importorskip("robosuite")
    from armsight.path_tracking.arm_simulation import ArmSimulation

    arm = ArmSimulation()

    def by_mujoco(q: np.ndarray) -> np.ndarray:
        arm.reset(q)
        return np.asarray(arm.T_base_ee)

    for seed in range(3):
        poses = np.stack([by_mujoco(q) for q in joint_path(20, seed)])
        found = solve_ik(PANDA, poses, PANDA.tool_frame("grip site"))
        assert found.position_error.max() < 2e-4
        low, high = PANDA.joint_limits.T
        assert ((found.joint_positions >= low) & (found.joint_positions <= high)).all()
        again = np.stack([by_mujoco(q) for q in found.joint_positions])
        assert np.abs(again[:, :3, 3] - poses[:, :3, 3]).max() < 3e-4
        assert np.abs(again[:, :3, :3] - poses[:, :3, :3]).max() < 1e-3
        # No jumps from one elbow to another: the path of the joints is as smooth as the tool's.
        assert np.abs(np.diff(found.joint_positions, axis=0)).max() < 0.2


@pytest.mark.parametrize("name", ["ur5e", "so101", "iiwa7", "xarm7"])
def test_other_arms(name: str) -> None:
    robot = load_robot(name)
    turned = np.random.default_rng(1).uniform(-0.3, 0.3, len(robot.joint_names))
    q = robot.clip(robot.ready_positions + turned)
    tool = robot.tool_frame(robot.link_names[-1])
    goal = robot.forward_kinematics(q)[-1]
    found = solve_ik(robot, goal[None], tool)
    assert found.position_error[0] < 5e-4
    assert found.rotation_error[0] < 5e-3


def test_what_cannot_be_reached_says_by_how_much() -> None:
    goal = make_transform(np.diag([1.0, -1, -1]), [2.0, 0, 0.5])
    found = solve_ik(PANDA, goal[None], PANDA.tool_frame("panda_hand"))
    here = PANDA.forward_kinematics(found.joint_positions[0])[PANDA.link_names.index("panda_hand")]
    assert found.position_error[0] == pytest.approx(np.linalg.norm(here[:3, 3] - goal[:3, 3]))
    assert found.position_error[0] > 0.9


def test_nonsense_is_refused() -> None:
    tool = PANDA.tool_frame("panda_hand")
    with pytest.raises(BadShapeError, match=r"shape \(4, 4\)"):
        solve_ik(PANDA, np.eye(4), tool)
    with pytest.raises(BadShapeError, match="NaN"):
        solve_ik(PANDA, np.full((2, 4, 4), np.nan), tool)
    with pytest.raises(UnknownRobotError, match=r"no frame 'flange'.*grip site.*panda_hand"):
        PANDA.tool_frame("flange")
