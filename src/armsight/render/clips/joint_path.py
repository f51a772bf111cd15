"""Joint paths that an arm could have driven, and poses for photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.render.poses import sample_pose
from armsight.robots import Robot

Array = NDArray[np.float64]

POSES = {"ready": 0.75, "tabletop": 0.25}
CANDIDATES = 40
LOWEST = 0.02
"""Height above the base [m] that no keypoint falls below, those at the foot apart"""
PEAK_SPEED = (0.3, 1.2)
"""[rad/s] of the fastest joint on the way between two poses"""
STEP_SD = 0.45
"""[rad] from one pose of a path to the next"""


def free_pose(rng: np.random.Generator, robot: Robot) -> Array:
    """Joint positions (J,) [rad] of a pose above the plane that the arm stands on."""
    return _lifted(robot, [sample_pose(rng, robot, POSES) for _ in range(CANDIDATES)])


def joint_path(rng: np.random.Generator, robot: Robot, times: Array) -> Array:
    """Joint positions (N, J) [rad] at times (N,) [s], rising.

    The arm goes from pose to pose on minimum-jerk paths (Flash and Hogan 1985) and sometimes
    stops in between.
    """
    q = free_pose(rng, robot)
    knots, begin = [(times[0] - rng.uniform(0.0, 1.0), q)], float(times[0]) - 1.0
    while begin < times[-1]:
        near = [robot.clip(q + rng.normal(0, STEP_SD, len(q))) for _ in range(CANDIDATES)]
        goal = _lifted(robot, [np.asarray(pose, dtype=float) for pose in near])
        # The peak of a minimum-jerk path is 15/8 of its mean speed.
        lasts = 15 / 8 * float(np.abs(goal - q).max()) / rng.uniform(*PEAK_SPEED)
        begin = knots[-1][0] + lasts
        knots.append((begin, goal))
        if rng.random() < 0.35:
            begin += rng.uniform(0.1, 0.8)
            knots.append((begin, goal))
        q = goal
    starts = np.array([start for start, _ in knots])
    poses = np.array([pose for _, pose in knots])
    leg = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(starts) - 2)
    share = np.clip((times - starts[leg]) / (starts[leg + 1] - starts[leg]), 0, 1)
    eased = (share**3 * (10 - 15 * share + 6 * share**2))[:, None]
    return np.asarray(poses[leg] + eased * (poses[leg + 1] - poses[leg]))


def _lifted(robot: Robot, candidates: list[Array]) -> Array:
    """The first of the poses that keeps the arm off the table; else the highest."""
    points = np.asarray(robot.keypoints(np.array(candidates)))
    moving = robot.keypoint_links > 1
    low = points[:, moving, 2].min(1)
    good = np.flatnonzero(low > LOWEST)
    return candidates[int(good[0]) if len(good) else int(np.argmax(low))]
