"""Joint paths of actions: what a robot would do with them, by MuJoCo, and what the files hold."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from armsight.action_spec import ABSOLUTE, RELATIVE, ActionSpec, Dimension
from armsight.actions.joint_path import joint_path
from armsight.actions.joint_path_files import FORMATS, write_checks, write_joint_path
from armsight.actions.sequence import ActionSequence
from armsight.errors import ConfigError, OutputError
from armsight.robots import load_robot

PANDA = load_robot("panda")
STEPS = 41


def libero_sequence(speed: float = 1.0) -> ActionSequence:
    """The grip site goes 10 cm sideways and down, `speed` times as far."""
    tool = PANDA.tool_frame("grip site")
    home = PANDA.forward_kinematics(PANDA.ready_positions)
    T = home[PANDA.link_names.index(tool.link)] @ tool.T_link_tool
    share = np.linspace(0, 1, STEPS)[:, None]
    way = share**2 * (3 - 2 * share)
    actions = np.zeros((STEPS, 7))
    actions[:, 6] = np.where(np.arange(STEPS) < 25, -1, 1)
    return ActionSequence(
        actions=actions, std=np.zeros_like(actions), keyframe_steps=np.array([0, STEPS - 1]),
        presence=np.ones(2), pairs=np.array([[0, 1]]), pair_actions=actions[None],
        states={
            "ee_position": T[:3, 3] + speed * way * [0.0, 0.1, -0.1],
            "ee_rotation": np.tile(T[:3, :3], (STEPS, 1, 1)),
            "gripper_opening": np.full(STEPS, 0.07),
        },
    )  # fmt: skip


def joint_sequence(kind: str = ABSOLUTE) -> ActionSequence:
    """Targets of an SO-101 in degrees, and its gripper's."""
    robot = load_robot("so101")
    names = [f"{name}.pos" for name in robot.joint_names]
    low, high = np.degrees(robot.joint_limits.T)
    rows = low + (high - low) * np.linspace(0.4, 0.6, STEPS)[:, None]
    rows[:, 1] = np.linspace(low[1] + 1, high[1] - 1, STEPS)
    actions = np.column_stack([rows, np.linspace(0, 100, STEPS)])
    dimensions = [Dimension(name, kind=kind, low=-200, high=200) for name in names]
    dimensions.append(Dimension("gripper.pos", kind=kind, low=0, high=100, gripper=True))
    spec = ActionSpec(dataset="mine", robot="so101", rate_hz=30.0, actions=tuple(dimensions))
    return ActionSequence(
        actions=actions, std=np.zeros_like(actions), keyframe_steps=np.array([0, STEPS - 1]),
        presence=np.ones(2), pairs=np.array([[0, 1]]), pair_actions=actions[None], spec=spec,
        robot="so101",
    )  # fmt: skip


def test_mujoco_goes_where_the_pictures_went() -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("robosuite")
    from armsight.path_tracking.arm_simulation import ArmSimulation

    sequence = libero_sequence()
    path = joint_path(sequence, PANDA, 50)
    arm = ArmSimulation()
    for row in range(0, len(path.path.times), 10):
        arm.reset(path.path.positions[row])
        wanted = [
            np.interp(path.path.asked[row], sequence.times, sequence.ee_position[:, axis])
            for axis in range(3)
        ]
        assert np.linalg.norm(arm.T_base_ee[:3, 3] - wanted) < 0.002
        assert np.abs(arm.T_base_ee[:3, :3] - sequence.ee_rotation[0]).max() < 0.01
    assert path.checks["slowed"] < 1.05
    assert path.checks["frame"] == "base of panda (panda_link0)"


def test_what_is_too_fast_is_slowed_down() -> None:
    quick = replace(libero_sequence(2.5), spec=replace(libero_sequence().spec, rate_hz=120.0))
    path = joint_path(quick, PANDA, 200)
    assert path.checks["slowed"] > 1.2
    assert any("slowed down" in note for note in path.messages)
    speed = np.diff(path.path.positions, axis=0) * 200
    assert (np.abs(speed) <= PANDA.max_velocity).all()
    # The gripper closes where it did on the path, not when it did on the clock.
    closes = int(np.flatnonzero(path.gripper > 0)[0])
    assert path.path.asked[closes] == pytest.approx(25 / 120, abs=0.01)


def test_what_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"panda cannot reach this path.*mm"):
        joint_path(libero_sequence(9.0), PANDA)


def test_joint_targets_are_taken_as_they_are() -> None:
    robot = load_robot("so101")
    path = joint_path(joint_sequence(), robot)
    assert "angles were in degrees" in path.messages
    assert any("1 rad/s was assumed" in note for note in path.messages)
    ends = np.radians(joint_sequence().actions[[0, -1], :5])
    np.testing.assert_allclose(path.path.positions[[0, -1]], ends, atol=1e-6)
    assert path.gripper[-1] == 100
    with pytest.raises(ConfigError, match="no joint targets"):
        joint_path(joint_sequence(RELATIVE), robot)


def test_files_hold_the_same_path(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = joint_path(libero_sequence(), PANDA, 50)
    for form, ending in FORMATS.items():
        for _ in range(2):  # our own are replaced
            write_joint_path(path, form, tmp_path / f"a.{ending}")
    message = yaml.safe_load((tmp_path / "a.joint_trajectory.yaml").read_text())
    assert set(message) == {"header", "joint_names", "points"}  # as ROS's message has them
    positions = np.array([point["positions"] for point in message["points"]])
    np.testing.assert_allclose(positions, path.path.positions, atol=1e-6)
    stamps = [p["time_from_start"] for p in message["points"]]
    np.testing.assert_allclose([t["sec"] + 1e-9 * t["nanosec"] for t in stamps], path.path.times)
    lines = (tmp_path / "a.joints.csv").read_text().splitlines()
    assert "frame: base of panda (panda_link0)" in lines[0]
    table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    column = [float(row["panda_joint4_rad"]) for row in table]
    np.testing.assert_allclose(column, path.path.positions[:, 3], atol=1e-6)

    from armsight.data.lerobot import LeRobotReader

    reader = LeRobotReader(tmp_path / "a.lerobot")
    rows = reader.rows(0)
    assert reader.fps == 50
    np.testing.assert_allclose(rows["observation.state"][:, :7], path.path.positions, atol=1e-6)
    np.testing.assert_allclose(rows["action"][:-1], rows["observation.state"][1:])
    write_checks(path, tmp_path / "a.joints.json")
    said = json.loads((tmp_path / "a.joints.json").read_text())
    assert [one["command"] for one in said["gripper"]] == [-1, 1]
    assert max(said["share_of_limits"]["velocity"]) <= 1


def test_nothing_of_others_is_overwritten(tmp_path: Path) -> None:
    path = joint_path(libero_sequence(), PANDA)
    (tmp_path / "a.joints.csv").write_text("mine")
    (tmp_path / "a.lerobot").mkdir()
    with pytest.raises(OutputError, match="was not written by armsight"):
        write_joint_path(path, "csv", tmp_path / "a.joints.csv")
    pytest.importorskip("pyarrow")
    with pytest.raises(OutputError, match="no joint path of armsight"):
        write_joint_path(path, "lerobot", tmp_path / "a.lerobot")
