"""Actions that make the end effector follow a path: the controller inverted by trying it out.

The controller realises about a quarter of each step that it is asked for, so differences of poses
are no actions. Its linear model, a critically damped mass pulled to a goal that is set anew at
every control step, is exact for one axis alone:

    x(T) = x + (1 - (1 + wT) e^-wT) d + T e^-wT v          w = sqrt(KP), T = 1 / CONTROL_HZ
    v(T) = w^2 T e^-wT d + (1 - wT) e^-wT v                d: the commanded step [m] or [rad]

1. The path is smoothed; the arm alone (lone_arm.py) is put where it begins.
2. Least squares on that model plans all steps at once, so that each looks ahead.
3. The arm plays them. What the model leaves out (position and orientation disturb each other) is
   corrected on the way by feedback of position and velocity. What was commanded are the actions.

Nothing here sees the evaluated simulation: neither its state nor its objects.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    smoothing: float = 10.0
    """Weight of the path's squared third differences against its squared changes: how much of
    the path is taken for noise"""
    effort: float = 1e-2
    """Weight of squared second differences of the commanded steps against squared path errors"""
    caution: float = 2e-2
    """Weight of squared corrections against the squared errors that they correct"""


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
    plan, coming, speeds = _plan(wanted, arm.T_base_ee, tracking.effort)
    gain, damping = _feedback(tracking.caution)
    limit = np.repeat([POSITION_SCALE, ROTATION_SCALE], 3)
    actions, poses = np.empty((len(path), 7)), np.empty((len(path), 4, 4))
    for t in range(len(path)):
        poses[t] = arm.T_base_ee
        slip = pose_error(coming[t : t + 1], poses[t : t + 1])[0]
        step = plan[t] + gain * slip + damping * (speeds[t] - arm.velocity)
        actions[t] = np.append(np.clip(step / limit, -1, 1), commands[t])
        arm.step(actions[t])
    return Tracked(actions, poses)


def _plan(wanted: Array, start: Array, effort: float) -> tuple[Array, Array, Array]:
    """Steps (N, 6) for poses (N, 4, 4), and the poses and velocities (N, 6) before each."""
    # Behind its end the path stands still, so that the last step has somewhere to go.
    goals = np.concatenate([wanted[1:], wanted[-1:]])
    position, velocity, solve = _linear_model(len(wanted), effort)
    steps = solve @ pose_error(goals, np.broadcast_to(start, goals.shape))
    moves = np.concatenate([np.zeros((1, 6)), (position @ steps)[:-1]])
    coming = make_transform(
        rotation_from_rotvec(moves[:, 3:]) @ start[:3, :3], moves[:, :3] + start[:3, 3]
    )
    return steps, coming, np.concatenate([np.zeros((1, 6)), (velocity @ steps)[:-1]])


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
def _linear_model(num: int, effort: float) -> tuple[Array, Array, Array]:
    """(N, N) each: from steps to positions, to velocities, and from positions back to steps."""
    A, B = one_axis()
    impulse = np.empty((2, num))
    state = B
    for i in range(num):
        impulse[:, i] = state
        state = A @ state
    lag = np.subtract.outer(np.arange(num), np.arange(num))
    position, velocity = np.where(lag >= 0, impulse[:, np.abs(lag)], 0.0)
    D = np.diff(np.eye(num), 2, axis=0)
    # A trace of ridge: the last steps hardly move anything within the path.
    normal = position.T @ position + effort * D.T @ D + 1e-6 * np.eye(num)
    return position, velocity, np.linalg.solve(normal, position.T)


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
