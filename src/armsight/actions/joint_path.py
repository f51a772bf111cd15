"""From actions to a path of the robot's joints that keeps its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ABSOLUTE
from armsight.actions.sequence import ActionSequence
from armsight.data.recordings.log_columns import match_joints
from armsight.errors import ConfigError, DatasetError
from armsight.robots import Robot
from armsight.robots.inverse_kinematics import solve_ik
from armsight.robots.path_timing import TimedPath, time_path

Array = NDArray[np.floating]

ASSUMED_VELOCITY, ASSUMED_ACCELERATION = 1.0, 2.0
"""[rad/s], [rad/s^2] Of each joint, where the robot's data file says nothing: slow for any arm"""
NOTED_MM, NOTED_DEG = 2.0, 1.0
"""By how much a pose may be missed without a word"""
MOST_MM, MOST_DEG = 20.0, 5.0
"""By how much a pose may be missed at all: a path beyond is not this arm's"""
SMOOTH_HZ = 3.0
"""What a path does faster is the network's noise: the arm would shake"""


@dataclass(frozen=True)
class JointPath:
    """Where the joints are to be when, within the limits of the robot's data file."""

    robot: str
    joint_names: tuple[str, ...]
    path: TimedPath
    rate_hz: float
    gripper: Array
    """(M,) the gripper's command as the actions have it; NaN without one"""
    gripper_opening: Array
    """(M,) [m] between the fingers, where the weights say it; else NaN"""
    checks: dict[str, Any]
    """What was checked, against which limits, and what came out; ready for JSON"""
    messages: tuple[str, ...]


def joint_path(sequence: ActionSequence, robot: Robot, rate_hz: float | None = None) -> JointPath:
    """The joints' path of actions, slowed down where it would break the robot's limits.

    An end effector's path (`ee_position`, `ee_rotation`) goes through inverse kinematics; actions
    that are joint targets are taken as they are. Both are smoothed.

    Args:
        sequence: what `ActionModel.predict_action_chunk` or `read_actions` gave.
        robot: whose joints and limits.
        rate_hz: rows per second of the result; by default the sequence's own rate.

    Raises:
        ConfigError: the arm cannot reach the path, the actions are no path of joints, the sequence
            is one action long, or the rate is not positive.
        UnknownRobotError: the robot's file does not know the end effector's frame.
    """
    rate = sequence.control_hz if rate_hz is None else rate_hz
    if not 0 < rate <= 1000:
        raise ConfigError(f"the path's rate is {rate:g} Hz; give 1 to 1000 rows a second")
    if len(sequence) < 2:
        raise ConfigError("one action is no path; give more keyframes")
    if sequence.spec.has_end_effector:
        q, checks, notes = _by_inverse_kinematics(sequence, robot)
    else:
        q, checks, notes = _by_joint_targets(sequence, robot)
    fastest, hardest = robot.max_velocity, robot.max_acceleration
    for what, known, assumed, unit in (
        ("speed", fastest, ASSUMED_VELOCITY, "rad/s"),
        ("acceleration", hardest, ASSUMED_ACCELERATION, "rad/s^2"),
    ):
        if known is None:
            notes.append(
                f"the data file of {robot.name} says no limits of {what}: {assumed:g} {unit} was "
                "assumed for every joint"
            )
    fastest = np.full(q.shape[1], ASSUMED_VELOCITY) if fastest is None else fastest
    hardest = np.full(q.shape[1], ASSUMED_ACCELERATION) if hardest is None else hardest
    timed = time_path(q, 1 / sequence.control_hz, fastest, hardest, rate)
    notes += _limit_notes(timed, robot, checks)
    shares = {
        "velocity": np.abs(timed.velocities).max(axis=0) / fastest,
        "acceleration": np.abs(timed.accelerations).max(axis=0) / hardest,
    }
    checks |= {
        "frame": f"base of {robot.name} ({robot.link_names[0]})",
        "rate_hz": rate,
        "duration_s": float(timed.times[-1]),
        "asked_duration_s": float(timed.asked[-1]),
        "slowed": timed.slowed,
        "max_velocity": fastest.tolist(),
        "max_acceleration": hardest.tolist(),
        "share_of_limits": {key: value.tolist() for key, value in shares.items()},
    }
    then = np.floor(timed.asked * sequence.control_hz + 1e-6).astype(int)
    return JointPath(
        robot.name, robot.joint_names, timed, rate, _gripper(sequence, then),
        _opening(sequence)[then], checks, tuple(notes),
    )  # fmt: skip


def _by_inverse_kinematics(
    sequence: ActionSequence, robot: Robot
) -> tuple[Array, dict[str, Any], list[str]]:
    tool = robot.tool_frame(sequence.spec.end_effector)
    reached = solve_ik(robot, sequence.T_base_ee, tool)
    millimetres, degrees = 1000 * reached.position_error, np.degrees(reached.rotation_error)
    worst = int((millimetres / MOST_MM + degrees / MOST_DEG).argmax())
    missed = f"{millimetres[worst]:.1f} mm and {degrees[worst]:.1f} deg"
    if millimetres.max() > MOST_MM or degrees.max() > MOST_DEG:
        raise ConfigError(
            f"{robot.name} cannot reach this path within its joint limits: at step {worst} of "
            f"{len(millimetres)} it misses by {missed}. Is it another robot's (--robot), or does "
            "its base stand elsewhere?"
        )
    notes = []
    if millimetres.max() > NOTED_MM or degrees.max() > NOTED_DEG:
        notes.append(f"not quite reached within the joint limits: step {worst} misses by {missed}")
    q = robot.clip(_smoothed(reached.joint_positions, sequence.control_hz))
    tips = [robot.forward_kinematics(rows)[:, robot.link_names.index(tool.link)]
            @ tool.T_link_tool for rows in (q, reached.joint_positions)]  # fmt: skip
    moved = 1000 * np.linalg.norm(tips[0][:, :3, 3] - tips[1][:, :3, 3], axis=1)
    checks = {
        "by": "inverse kinematics",
        "smoothed_above_hz": SMOOTH_HZ,
        "smoothing_moved_mm": {"median": float(np.median(moved)), "most": float(moved.max())},
        "tool": {"link": tool.link, "T_link_tool": tool.T_link_tool.tolist()},
        "position_error_mm": float(millimetres.max()),
        "rotation_error_deg": float(degrees.max()),
    }
    return q, checks, notes


def _smoothed(rows: Array, rate_hz: float) -> Array:
    """Rows (N, J) without what is faster than SMOOTH_HZ (Whittaker 1923, third differences)."""
    if len(rows) < 4:
        return rows
    third = np.diff(np.eye(len(rows)), 3, axis=0)
    weight = (rate_hz / (2 * np.pi * SMOOTH_HZ)) ** 6
    smooth: Array = np.linalg.solve(np.eye(len(rows)) + weight * third.T @ third, rows)
    return smooth


def _by_joint_targets(
    sequence: ActionSequence, robot: Robot
) -> tuple[Array, dict[str, Any], list[str]]:
    spec = sequence.spec
    relative = [one.name for one in spec.actions if one.kind != ABSOLUTE and not one.gripper]
    if relative:
        raise ConfigError(
            f"the actions of {spec.dataset} are no joint targets ({', '.join(relative)} are steps "
            "or of an unknown kind), and these weights know no end effector's path, so there is "
            "no path of joints to write; NAME.parquet holds the actions as they are"
        )
    try:
        q, notes, _ = match_joints(sequence.actions, spec.action_names, robot, "the actions")
    except DatasetError as error:
        raise ConfigError(f"{error} (--robot says whose joints the actions are)") from error
    q = robot.clip(_smoothed(q, sequence.control_hz))
    return q, {"by": "joint targets", "smoothed_above_hz": SMOOTH_HZ}, list(notes)


def _limit_notes(timed: TimedPath, robot: Robot, checks: dict[str, Any]) -> list[str]:
    low, high = robot.joint_limits.T
    beyond = np.maximum(low - timed.positions, timed.positions - high).max(axis=0)
    checks["beyond_position_limits_rad"] = float(max(0.0, beyond.max()))
    notes = []
    if beyond.max() > 1e-3:
        joint = robot.joint_names[int(beyond.argmax())]
        raise ConfigError(
            f"{joint} leaves its limits by {np.degrees(beyond.max()):.1f} deg; nothing was "
            "written for the robot. Is it another robot's path (--robot)?"
        )
    if timed.slowed > 1.005:
        notes.append(
            f"slowed down to keep the limits of speed and acceleration, and to start and end at "
            f"rest: {timed.times[-1]:.2f} s in place of {timed.asked[-1]:.2f} s"
        )
    return notes


def _gripper(sequence: ActionSequence, then: NDArray[np.intp]) -> Array:
    columns = [i for i, one in enumerate(sequence.spec.actions) if one.gripper]
    if len(columns) != 1:
        return np.full(len(then), np.nan)
    command: Array = sequence.actions[then, columns[0]]
    return command


def _opening(sequence: ActionSequence) -> Array:
    if not sequence.spec.has_end_effector:
        return np.full(len(sequence), np.nan)
    return np.maximum(sequence.gripper_opening, 0.0)
