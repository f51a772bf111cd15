"""Tracking, judging and evaluating in the real simulation, which all tests here share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli.evaluate.control import control as evaluate_command
from armsight.control.expert import Expert, Style
from armsight.control.outcome import OutcomeWatch
from armsight.control.rollout import rollout
from armsight.control.simulation import Simulation
from armsight.errors import ArmsightError, ConfigError, DatasetError, UnknownTaskError
from armsight.evaluate.control.world import LiberoWorld
from armsight.path_tracking.arm_simulation import ArmSimulation
from armsight.path_tracking.track_path import pose_error, track_path
from tests.control.conftest import Kept, wiggle

STATE = 3


@pytest.fixture(scope="module")
def demonstration(shared_simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Actions (N, 7) and end-effector poses (N, 4, 4) of the expert."""
    shared_simulation.reset(STATE)
    actions, poses = [], []
    expert = Expert(shared_simulation, Style(after=0), np.random.default_rng(0))
    for action in expert.actions():
        poses.append(shared_simulation.T_base_ee)
        actions.append(action)
        shared_simulation.step(action)
    assert shared_simulation.success
    return np.array(actions), np.array(poses)


def test_the_arm_alone_moves_as_the_arm_among_objects(sim: Simulation) -> None:
    """The same commands in LIBERO's own simulation, in free space, with turns and the gripper."""
    actions = wiggle(30) * [0.5, 0.5, 0.5, 0.3, 0.3, 0.5, 1]
    actions[:, 2] = 0.2
    arm = ArmSimulation()
    arm.reset(sim.joint_positions)
    arm._data.qvel[:] = sim.data.qvel[: arm._model.nv]  # the arm is still settling
    poses = arm.play(actions)
    for action in actions:
        sim.step(action)
    error = pose_error(sim.T_base_ee[None], poses[-1:])[0]
    travelled = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum()
    assert travelled > 0.08
    assert np.linalg.norm(error[:3]) < 1e-3
    assert np.linalg.norm(error[3:]) < 2e-3


def test_a_demonstrated_path_is_tracked_to_success(
    sim: Simulation, demonstration: tuple[np.ndarray, np.ndarray]
) -> None:
    actions, poses = demonstration
    tracked = track_path(poses, actions[:, 6])
    judge = OutcomeWatch(sim)
    result = rollout(sim, tracked.actions, STATE, watch=judge)
    assert result.success
    outcome = judge.outcome()
    assert outcome.picked
    assert outcome.distance < 0.1
    assert outcome.text(True) == "the cream cheese was picked up and placed"


def test_differences_of_its_poses_do_not_even_lift(
    sim: Simulation, demonstration: tuple[np.ndarray, np.ndarray]
) -> None:
    actions, poses = demonstration
    naive = np.zeros_like(actions)
    naive[:-1, :6] = pose_error(poses[1:], poses[:-1]) / np.repeat([0.05, 0.5], 3)
    naive[:, 6] = actions[:, 6]
    judge = OutcomeWatch(sim, every=8)
    assert not rollout(sim, naive, STATE, watch=judge, hold_steps=1).success
    assert "was not picked up" in judge.outcome().text(False)


@pytest.mark.usefixtures("drawing")
def test_evaluation_of_a_replay(
    shared_simulation: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_simulation.set_appearance(None)
    monkeypatch.setattr(LiberoWorld, "simulation", lambda self, task: Kept(shared_simulation))
    report = tmp_path / "report"
    arguments = ["--tasks", "cream_cheese", "--init-states", "40", "--rows", "replay,regression",
                 "--default-row", "replay", "--stride", "8", "--report", str(report)]  # fmt: skip
    done = CliRunner().invoke(evaluate_command, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    name = "pick_up_the_cream_cheese_and_place_it_in_the_basket"
    assert result["overall"]["success_rate"] == 1.0
    assert result["per_task"][name]["episodes"] == 1
    assert len(result["overall"]["interval"]) == 2
    assert result["rows"]["regression"]["status"] == "no weights"
    assert "cream cheese" in (report / "report.html").read_text()
    # A second call finds everything there, and prints the table.
    again = CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)
    assert "100.0 % [20.7, 100.0]" in again.stdout


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["--tasks", "cream_chese"], UnknownTaskError, "cream_cheese"),
        (["--suite", "libero_goal"], UnknownTaskError, "known: libero_object"),
        (["--init-states", "50"], UnknownTaskError, "no initial state 50"),
        (["--split", "tests"], UnknownTaskError, "no split 'tests'"),
        (["--rows", "replay,best"], ConfigError, "unknown row 'best'"),
        (["--default-row", "best"], ConfigError, "unknown row 'best'"),
        (["--keyframes", "nowhere"], DatasetError, "give 'oracle', or a folder"),
        (["--strides", "1-a"], ConfigError, "--strides is"),
        (["--weights", "nothing"], ArmsightError, "no weights for 'nothing'"),
    ],
)
@pytest.mark.usefixtures("shared_simulation")
def test_bad_arguments(arguments, error, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        CliRunner().invoke(
            evaluate_command,
            ["--rows", "no_action", "--report", str(tmp_path / "r"), *arguments],
            catch_exceptions=False,
        )
    assert not (tmp_path / "r" / "episodes.jsonl").exists()
