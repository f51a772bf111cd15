"""Joint positions that a robot is drawn in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot

Array = NDArray[np.float64]

TRAIN_MIX = {"ready": 0.55, "uniform": 0.25, "tabletop": 0.20}
EVAL_MIX = {"ready": 0.8, "uniform": 0.2}
READY_SD = 0.6
"""Standard deviation [rad] around the ready pose: the spread of the held-out set."""


def sample_pose(rng: np.random.Generator, robot: Robot, mix: dict[str, float]) -> Array:
    """Joint positions (J,) [rad] of a kind drawn from `mix` (kind -> share).

    Kinds: `ready` (normal around the ready pose, within the limits), `uniform` (within the
    limits), `tabletop` (the last link points down, near the height of a table, before the base).
    """
    kind = rng.choice(list(mix), p=np.array(list(mix.values())) / sum(mix.values()))
    if kind == "uniform":
        return uniform_pose(rng, robot)
    if kind == "tabletop":
        return tabletop_pose(rng, robot)
    return ready_pose(rng, robot)


def uniform_pose(rng: np.random.Generator, robot: Robot) -> Array:
    """Each joint (J,) uniform in its limits [rad]."""
    low, high = robot.joint_limits.T
    return np.asarray(low + (high - low) * rng.random(len(low)), dtype=float)


def ready_pose(rng: np.random.Generator, robot: Robot) -> Array:
    """Joint positions (J,) [rad] normal around the ready pose, clipped to the limits."""
    offset: Array = rng.normal(0, READY_SD, len(robot.joint_names))
    return np.asarray(robot.clip(robot.ready_positions + offset), dtype=float)


def tabletop_pose(rng: np.random.Generator, robot: Robot, candidates: int = 256) -> Array:
    """A pose (J,) [rad] in which the last link hangs over the table, mostly pointing down.

    Of `candidates` poses around the ready pose, the one with the lowest cost for a random target
    is taken: cheaper than inverse kinematics, and it works for any arm.
    """
    low, high = robot.joint_limits.T
    spread = np.linspace(1.2, 0.7, len(low))
    q = robot.ready_positions + rng.normal(0, 1, (candidates, len(low))) * spread
    q = np.clip(q, low, high)
    # The first joint only turns the arm about its foot, the last only the hand about itself.
    q[:, -1] = low[-1] + (high[-1] - low[-1]) * rng.random(candidates)
    hand = robot.forward_kinematics(q)[:, -1]
    radius, height = rng.uniform(0.25, 0.75), rng.uniform(0.05, 0.45)
    tilt = np.arccos(np.clip(-hand[:, 2, 2], -1, 1))
    reach = np.hypot(hand[:, 0, 3], hand[:, 1, 3])
    behind = np.maximum(0, 0.1 - hand[:, 0, 3])
    cost = ((reach - radius) ** 2 + (hand[:, 2, 3] - height) ** 2) / 0.01 + behind**2 / 0.01
    cost = cost + (tilt / np.deg2rad(rng.choice([8.0, 25.0]))) ** 2
    return np.asarray(q[int(np.argmin(cost))], dtype=float)
