"""Joint positions that bring a frame of the robot to given poses.

Levenberg-Marquardt from pose to pose, each from the answer before, so that a smooth path of the
frame becomes a smooth path of the joints. The spare joints of a redundant arm are pulled weakly to
the robot's ready position: so weakly that the pose gives way by hundredths of a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError
from armsight.geometry import invert_transform, rotvec_from_rotation
from armsight.robots.robot import Robot, ToolFrame

Array = NDArray[np.floating]

PULL = 1e-5
"""Weight of squared angles from the ready position [rad] beside squared pose errors [m, rad]"""
MOST_STEPS = 200
CONVERGED = 1e-7
"""[rad] Change of a joint under which the steps end"""
LONGEST_STEP = 0.3
"""[rad] Of any joint, so that the linearisation holds"""
STARTS = 12
"""Random starts for the first pose, beside the ready position"""


@dataclass(frozen=True)
class ReachedPath:
    """Joint positions for N poses, and by how much they miss."""

    joint_positions: Array
    """(N, J) [rad], within the limits"""
    position_error: Array
    """(N,) [m]"""
    rotation_error: Array
    """(N,) [rad]"""


def solve_ik(
    robot: Robot, T_base_tool: ArrayLike, tool: ToolFrame, start: ArrayLike | None = None
) -> ReachedPath:
    """Joint positions within the limits for a path of poses.

    Args:
        robot: whose joints are sought.
        T_base_tool: (N, 4, 4) poses of the tool in the robot's base frame [m], in order.
        tool: the frame that is to be there, see `Robot.tool_frame`.
        start: (J,) [rad] near the first pose; by default the ready position and, where that leads
            nowhere, random ones are tried.

    Raises:
        BadShapeError: the poses are not (N, 4, 4), or hold NaN or infinity.
    """
    poses = np.asarray(T_base_tool, dtype=float)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses):
        raise BadShapeError(f"T_base_tool has shape {poses.shape}; give poses (N, 4, 4)")
    if not np.isfinite(poses).all():
        raise BadShapeError("T_base_tool holds NaN or infinity")
    link = robot.link_names.index(tool.link)
    goals = poses @ invert_transform(tool.T_link_tool)
    starts = [robot.ready_positions] if start is None else [np.asarray(start, dtype=float)]
    if start is None:
        low, high = robot.joint_limits.T
        starts += list(np.random.default_rng(0).uniform(low, high, (STARTS, len(low))))
    q, best = starts[0], np.inf
    for guess in starts:
        found = _solve_one(robot, goals[0], link, guess)
        miss = float(np.linalg.norm(_error(robot, goals[0], link, found)))
        if miss < best - 1e-4:
            q, best = found, miss
        if best < 1e-3:
            break
    path = []
    for goal in goals:
        q = _solve_one(robot, goal, link, q)
        path.append(q)
    errors = np.stack([_error(robot, g, link, q) for g, q in zip(goals, path, strict=True)])
    return ReachedPath(
        np.stack(path),
        np.linalg.norm(errors[:, :3], axis=1),
        np.linalg.norm(errors[:, 3:], axis=1),
    )


def _solve_one(robot: Robot, goal: Array, link: int, start: Array) -> Array:
    """Joint positions (J,) whose link is nearest to the pose (4, 4)."""
    low, high = robot.joint_limits.T
    q = robot.clip(start)
    damping = 1e-3
    cost = _cost(robot, goal, link, q)
    for _ in range(MOST_STEPS):
        J, error = _jacobian(robot, link, q), _error(robot, goal, link, q)
        gradient = J.T @ error + PULL * (robot.ready_positions - q)
        # A joint that would leave its limits stands still.
        free = ~((q <= low) & (gradient < 0) | (q >= high) & (gradient > 0))
        normal = J[:, free].T @ J[:, free] + PULL * np.eye(int(free.sum()))
        normal += damping * np.diag(np.diag(normal))
        change = np.zeros_like(q)
        change[free] = np.linalg.solve(normal, gradient[free])
        change *= min(1.0, LONGEST_STEP / max(float(np.abs(change).max()), 1e-12))
        tried = robot.clip(q + change)
        new = _cost(robot, goal, link, tried)
        if new > cost:
            damping = min(10 * damping, 1e8)
        else:
            damping = max(damping / 5, 1e-6)
            moved = float(np.abs(tried - q).max())
            q, cost = tried, new
            if moved < CONVERGED:
                break
        if damping >= 1e8:
            break
    return q


def _cost(robot: Robot, goal: Array, link: int, q: Array) -> float:
    error, away = _error(robot, goal, link, q), q - robot.ready_positions
    return float(error @ error + PULL * away @ away)


def _error(robot: Robot, goal: Array, link: int, q: Array) -> Array:
    """(6,) from where the link is to the goal: [m], rotation vector [rad], in the base frame."""
    here = robot.forward_kinematics(q)[link]
    turn = rotvec_from_rotation(goal[:3, :3] @ here[:3, :3].T)
    return np.concatenate([goal[:3, 3] - here[:3, 3], turn])


def _jacobian(robot: Robot, link: int, q: Array) -> Array:
    """(6, J) of the link's origin [m/rad] and rotation, in the base frame."""
    T = robot.forward_kinematics(q)
    turned = T[robot.joint_links]
    axes = (turned[:, :3, :3] @ robot.joint_axes[:, :, None])[..., 0]
    levers = T[link, :3, 3] - turned[:, :3, 3]
    J = np.concatenate([np.cross(axes, levers), axes], axis=1)
    moves: Array = J * robot.joint_moves[:, link][:, None]
    return moves.T
