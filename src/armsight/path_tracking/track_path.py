"""Actions that make the end effector follow a path: the controller inverted by trying it out.

The controller realises about a quarter of each step that it is asked for, so differences of poses
are no actions. Its linear model, a critically damped mass pulled to a goal that is set anew at
every control step, is exact for one axis alone:

    x(T) = x + (1 - (1 + wT) e^-wT) d + T e^-wT v          w = sqrt(KP), T = 1 / CONTROL_HZ
    v(T) = w^2 T e^-wT d + (1 - wT) e^-wT v                d: the commanded step [m] or [rad]

1. Least squares on that model plans all steps at once, so that each looks ahead, and smooths the
   path. Where the arm starts is unknown, but near the suite's ready pose, and planned along.
2. The arm alone (arm_simulation.py) plays the plan. What the model leaves out (position and
   orientation disturb each other) is corrected on the way by feedback of position and velocity.
   What was commanded are the actions.

Nothing here sees the evaluated simulation: neither its state nor its objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError
from armsight.geometry import make_transform, rotation_from_rotvec, rotvec_from_rotation
from armsight.path_tracking.arm_simulation import (
    CONTROL_HZ,
    KP,
    POSITION_SCALE,
    READY,
    ROTATION_SCALE,
    ArmSimulation,
)

Array = NDArray[np.floating]

LIMIT = np.repeat([POSITION_SCALE, ROTATION_SCALE], 3)
"""Largest steps of an axis: [m], [rad]"""


@dataclass(frozen=True)
class Tracking:
    """How closely a path is followed; tuned on initial states that nothing is tested on."""

    effort: float = 1.0
    """Weight of the steps' squared second differences against squared path errors"""
    ready: float = 1.0
    """Weight of the start's squared distance from the ready pose; initial states are spread around
    it by a centimetre"""
    ready_turn: float = 100.0
    """The same for its orientation, which the controller holds from the suite's reset on"""
    caution: float = 2e-2
    """Weight of squared feedback against the squared errors that it corrects"""


@dataclass(frozen=True)
class Tracked:
    """Actions for a path, and where the arm alone went with them."""

    actions: Array
    """(N, 7) in [-1, 1]; OSC_POSE at 20 Hz"""
    T_base_ee: Array
    """(N, 4, 4) poses before each action [m]"""


def track_path(
    T_base_ee: ArrayLike,
    gripper: ArrayLike,
    initial_joint_positions: ArrayLike | None = None,
    *,
    tracking: Tracking | None = None,
    arm: ArmSimulation | None = None,
) -> Tracked:
    """Actions that take the end effector along a path.

    Args:
        T_base_ee: (N, 4, 4) poses of the grip site in the base frame [m], one for each control
            step (1/20 s); pose t is where action t begins.
        gripper: (N,) gripper commands: negative opens, positive closes. They keep their times.
        initial_joint_positions: (7,) [rad]; without them the start is read from the path and from
            the suite's ready pose.
        tracking: how closely to follow.
        arm: an arm to play with, if one was made before.

    Raises:
        BadShapeError: the arrays do not fit together, or hold NaN or infinity.
    """
    path, commands = _checked(T_base_ee, gripper)
    tracking = tracking or Tracking()
    arm = arm or ArmSimulation()
    free = initial_joint_positions is None
    arm.reset(READY if initial_joint_positions is None else initial_joint_positions)
    # Behind its end the path stands still, so that the last step has somewhere to go.
    goals = np.concatenate([path, path[-1:]])
    errors = pose_error(goals, np.broadcast_to(arm.T_base_ee, goals.shape))
    steps, moves, speeds = np.empty((len(path), 6)), np.empty(errors.shape), np.empty(errors.shape)
    for axes, weight in ((slice(3), tracking.ready), (slice(3, 6), tracking.ready_turn)):
        model = _linear_model(len(path), tracking.effort, weight if free else None)
        solution = model.solve @ errors[:, axes]
        start, steps[:, axes] = solution[0], solution[1:]
        moves[:, axes] = start + model.position @ steps[:, axes]
        speeds[:, axes] = model.velocity @ steps[:, axes]
    coming = _moved(arm.T_base_ee, moves)
    if free:
        arm.reach(coming[0])
    return _play_with_feedback(arm, steps, coming, speeds, commands, tracking.caution)


def _play_with_feedback(
    arm: ArmSimulation, steps: Array, coming: Array, speeds: Array, commands: Array, caution: float
) -> Tracked:
    gain, damping = _feedback(caution)
    actions, poses = np.empty((len(steps), 7)), np.empty((len(steps), 4, 4))
    for t, step in enumerate(steps):
        poses[t] = arm.T_base_ee
        slip = pose_error(coming[t : t + 1], poses[t : t + 1])[0]
        step = step + gain * slip + damping * (speeds[t] - arm.velocity)
        actions[t] = np.append(np.clip(step / LIMIT, -1, 1), commands[t])
        arm.step(actions[t])
    return Tracked(actions, poses)


def _moved(T: Array, moves: Array) -> Array:
    """Poses (N, 4, 4) after moves (N, 6) in the base frame: translation, rotation vector."""
    turned = rotation_from_rotvec(moves[:, 3:]) @ T[:3, :3]
    return make_transform(turned, T[:3, 3] + moves[:, :3])


def pose_error(T_goal: Array, T_here: Array) -> Array:
    """(N, 6): translation [m], then rotation vector [rad], both in the base frame."""
    turn = T_goal[:, :3, :3] @ np.swapaxes(T_here[:, :3, :3], 1, 2)
    return np.column_stack([T_goal[:, :3, 3] - T_here[:, :3, 3], rotvec_from_rotation(turn)])


@dataclass(frozen=True)
class _LinearModel:
    """One axis over N steps."""

    position: Array
    """(N + 1, N) from steps to positions before, between and after them"""
    velocity: Array
    """(N + 1, N) the same of velocities"""
    solve: Array
    """(1 + N, N + 1) from a path, seen from a guess of its start, to the start and the steps"""


@lru_cache(maxsize=8)
def _linear_model(num: int, effort: float, start_weight: float | None) -> _LinearModel:
    """The model, and its least squares.

    Args:
        effort: weight of the steps' squared second differences.
        start_weight: of the squared distance between start and guess; None: there is none.
    """
    A, B = one_axis()
    impulse = np.zeros((2, num + 1))
    state = B
    for i in range(1, num + 1):
        impulse[:, i] = state
        state = A @ state
    lag = np.subtract.outer(np.arange(num + 1), np.arange(num))
    position, velocity = np.where(lag >= 0, impulse[:, np.abs(lag)], 0.0)
    D = np.diff(np.eye(num), 2, axis=0)
    # A trace of ridge: the last steps hardly move anything within the path.
    penalty = np.pad(effort * D.T @ D + 1e-6 * np.eye(num), ((1, 0), (1, 0)))
    unknown = np.column_stack([np.ones(num + 1), position])
    if start_weight is None:
        unknown[:, 0], start_weight = 0.0, 1.0
    penalty[0, 0] = start_weight
    solve = np.linalg.solve(unknown.T @ unknown + penalty, unknown.T)
    return _LinearModel(position, velocity, solve)


def one_axis() -> tuple[Array, Array]:
    """A (2, 2) and B (2,): position and velocity of one axis after a control step (see above)."""
    w, T = np.sqrt(KP), 1 / CONTROL_HZ
    decay = np.exp(-w * T)
    A = np.array([[1.0, T * decay], [0.0, (1 - w * T) * decay]])
    return A, np.array([1 - (1 + w * T) * decay, w * w * T * decay])


@lru_cache(maxsize=8)
def _feedback(caution: float) -> tuple[float, float]:
    """Steps for each metre and each metre a second of error: the linear-quadratic regulator."""
    A, B = one_axis()
    P = cost = np.diag([1.0, 0.0])
    for _ in range(500):
        gain = (B @ P @ A) / (caution + B @ P @ B)
        P = cost + A.T @ P @ (A - np.outer(B, gain))
    return float(gain[0]), float(gain[1])


def _checked(T_base_ee: ArrayLike, gripper: ArrayLike) -> tuple[Array, Array]:
    path, commands = np.asarray(T_base_ee, float), np.asarray(gripper, float)
    if path.ndim != 3 or path.shape[1:] != (4, 4) or not len(path):
        raise BadShapeError(f"the path is {path.shape}; expected (N, 4, 4) with N of 1 or more")
    if commands.shape != path.shape[:1]:
        raise BadShapeError(
            f"{len(path)} poses and gripper commands of shape {commands.shape}; "
            f"expected ({len(path)},)"
        )
    if not (np.isfinite(path).all() and np.isfinite(commands).all()):
        raise BadShapeError("the path or its gripper commands hold NaN or infinity")
    return path, np.clip(commands, -1.0, 1.0)
