"""Actions that make the end effector follow a path: the controller inverted by trying it out.

The controller realises about a quarter of each step that it is asked for, so differences of poses
are no actions. Here the arm alone (lone_arm.py) plays a first guess, the distance between where it
went and the path is turned into a correction of all actions at once, and it plays again:
norm-optimal iterative learning control (Amann, Owens, Rogers 1996). Its linear model, a critically
damped mass pulled to a goal that is set anew at every control step, is exact for one axis:

    x(T) = x + (1 - (1 + wT) e^-wT) d + T e^-wT v          w = sqrt(KP), T = 1 / CONTROL_HZ
    v(T) = w^2 T e^-wT d + (1 - wT) e^-wT v                d: the commanded step [m] or [rad]

Nothing here sees the evaluated simulation: neither its state nor its objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.control.lone_arm import CONTROL_HZ, KP, POSITION_SCALE, ROTATION_SCALE, LoneArm
from armsight.errors import BadShapeError
from armsight.geometry import make_transform, rotation_from_rotvec, rotvec_from_rotation

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Tracking:
    """How closely a path is followed; tuned on initial states of the training split."""

    num_passes: int = 2
    """Times that the arm is played to correct the actions"""
    smoothing: float = 1.0
    """Weight of the path's squared third differences against its squared changes: how much of
    the path is taken for noise"""
    effort: float = 1e-3
    """Weight of squared second differences of the commanded steps against squared path errors"""


@dataclass(frozen=True)
class Tracked:
    """Actions for a path, and how well the arm alone followed it with them."""

    actions: Array
    """(N, 7) in [-1, 1]; OSC_POSE at 20 Hz"""
    T_base_ee: Array
    """(N, 4, 4) poses of the arm alone before each action [m]"""
    position_error: Array = field(repr=False)
    """(N,) distance between it and the path that was asked for [m]"""


def track_path(
    T_base_ee: ArrayLike,
    gripper: ArrayLike,
    initial_joint_positions: ArrayLike | None = None,
    *,
    tracking: Tracking | None = None,
    arm: LoneArm | None = None,
) -> Tracked:
    """Actions that take the end effector along a path.

    Args:
        T_base_ee: (N, 4, 4) poses of the grip site in the base frame [m], one for each control
            step (1/20 s); pose t is where action t begins.
        gripper: (N,) gripper commands: negative opens, positive closes. They keep their times.
        initial_joint_positions: (7,) [rad]; without them the arm starts in the path's first
            pose, near the ready pose of the suite.
        tracking: how closely to follow.
        arm: an arm to play with, if one was made before.

    Raises:
        BadShapeError: the arrays do not fit together, or hold NaN or infinity.
    """
    path, commands = _checked(T_base_ee, gripper)
    tracking = tracking or Tracking()
    arm = arm or LoneArm()
    wanted = smooth_path(path, tracking.smoothing)
    if initial_joint_positions is None:
        arm.reach(wanted[0])
        initial_joint_positions = arm.joint_positions
    arm.reset(initial_joint_positions)
    # Behind its end the path stands still, so that the last action has somewhere to go.
    goals = np.concatenate([wanted[1:], wanted[-1:]])
    solve, response = _least_squares(len(path), tracking.effort)
    steps = np.zeros((len(path), 6))
    poses = np.repeat(arm.T_base_ee[None], len(path) + 1, 0)
    limit = np.repeat([POSITION_SCALE, ROTATION_SCALE], 3)
    for correction in range(tracking.num_passes + 1):
        if correction:
            arm.reset(initial_joint_positions)
            poses = arm.play(np.column_stack([steps / limit, commands]))
        error = pose_error(goals, poses[1:])
        steps = np.clip(solve @ (error + response @ steps), -limit, limit)
    actions = np.column_stack([steps / limit, commands])
    distance = np.linalg.norm(poses[:-1, :3, 3] - path[:, :3, 3], axis=1)
    return Tracked(actions, poses[:-1], distance)


def pose_error(T_goal: Array, T_here: Array) -> Array:
    """(N, 6): translation [m], then rotation vector [rad], both in the base frame."""
    turn = T_goal[:, :3, :3] @ np.swapaxes(T_here[:, :3, :3], 1, 2)
    return np.column_stack([T_goal[:, :3, 3] - T_here[:, :3, 3], rotvec_from_rotation(turn)])


def smooth_path(T: Array, smoothing: float) -> Array:
    """Poses (N, 4, 4) nearby with small third differences (Whittaker 1923, Eilers 2003).

    Rotations are smoothed as rotation vectors from the first one; they must not turn by half a
    circle and more.
    """
    num = len(T)
    if smoothing <= 0 or num < 4:
        return T
    D = np.diff(np.eye(num), 3, axis=0)
    first = T[0, :3, :3]
    values = np.column_stack([T[:, :3, 3], rotvec_from_rotation(T[:, :3, :3] @ first.T)])
    smooth = np.linalg.solve(np.eye(num) + smoothing * D.T @ D, values)
    return make_transform(rotation_from_rotvec(smooth[:, 3:]) @ first, smooth[:, :3])


@lru_cache(maxsize=8)
def _least_squares(num: int, effort: float) -> tuple[Array, Array]:
    """(N, N) from path errors to steps, and (N, N) from steps to the path."""
    response = step_response(num)
    D = np.diff(np.eye(num), 2, axis=0)
    normal = response.T @ response + effort * D.T @ D
    # A trace of ridge: the last steps hardly move anything within the path.
    normal[np.diag_indices(num)] += 1e-6
    return np.linalg.solve(normal, response.T), response


def step_response(num: int) -> Array:
    """(N, N) lower triangular: where one axis is after step i, for commanded steps [m]."""
    w, T = np.sqrt(KP), 1 / CONTROL_HZ
    decay = np.exp(-w * T)
    A = np.array([[1.0, T * decay], [0.0, (1 - w * T) * decay]])
    state = np.array([1 - (1 + w * T) * decay, w * w * T * decay])
    impulse = np.empty(num)
    for i in range(num):
        impulse[i] = state[0]
        state = A @ state
    lag = np.subtract.outer(np.arange(num), np.arange(num))
    return np.where(lag >= 0, impulse[np.abs(lag)], 0.0)


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
