"""By how much a log runs ahead of its pictures, before any camera is known.

The pictures change most while the arm is fastest, so the two courses are correlated over lags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.inputs import LoggedPath
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.robots import Robot

Array = NDArray[np.floating]

LONGEST_S = 4.0
"""[s] Largest time offset that is searched; without time stamps, tens of frames"""
LONGEST_SHARE = 0.4
"""of the recording"""
FEWEST_FRAMES = 20
"""of a course in time that can be correlated"""
FEWEST_ROWS = 8
"""of a log that is a course in time"""
ORDERED_SHARE = 0.5
"""A log is a course in time where neighbouring rows differ, in the mean, by less than this share of
the difference of any two rows"""
DISTINCT_DROP = 0.15
"""Peaks lower than the highest by more than this are not candidates"""


def is_video(path: LoggedPath) -> bool:
    """Whether the log's rows follow each other along the arm's motion, so that a time between two
    of them has a meaning; photos in unrelated poses have none."""
    q = path.positions
    if len(q) < FEWEST_ROWS:
        return False
    steps = np.linalg.norm(np.diff(q, axis=0), axis=-1).mean()
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(q), (2, 500))
    apart = np.linalg.norm(q[one] - q[other], axis=-1)[one != other].mean()
    return bool(steps < ORDERED_SHARE * apart)


def image_motion(small: NDArray[np.float32]) -> Array:
    """(N - 1,) how much changes from each of N small frames (N, h, w, 3) to the next."""
    change = np.abs(np.diff(small, axis=0)).max(-1)
    noise = np.median(change, axis=(1, 2), keepdims=True)
    moving: Array = np.minimum(np.maximum(change - 2.5 * noise, 0), 60.0).mean((1, 2))
    return moving


def arm_motion(robot: Robot, path: LoggedPath, offset: float) -> Array:
    """(N - 1,) [m] how far the arm's surface moves from each frame to the next, in the mean."""
    points = LinkHulls.of(robot, path.at(offset)[0]).points[:, ::4]
    moved: Array = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1)
    return moved


def coarse_time_offsets(
    robot: Robot, path: LoggedPath, changes: Array, most: int = 3
) -> list[float]:
    """Offsets at which the arm's motion goes best with the pictures', best first; 0 is always
    among them.

    Args:
        robot: the arm.
        path: its joints at the N frames.
        changes: (N - 1,) `image_motion` between the frames.
        most: number of offsets.
    """
    times = path.frame_times
    if len(times) < FEWEST_FRAMES:
        return [0.0]
    period = path.log_period
    longest = min(
        LONGEST_S if path.in_seconds else 10 * LONGEST_S,
        LONGEST_SHARE * float(times[-1] - times[0]),
    )
    step = max(period, longest / 80)
    offsets = np.arange(-np.floor(longest / step), np.floor(longest / step) + 1) * step
    scores = np.array([_correlation(arm_motion(robot, path, x), changes) for x in offsets])
    peaks = [
        i for i in np.argsort(-scores)
        if scores[i] >= scores[max(0, i - 2) : i + 3].max()
        and scores[i] > scores.max() - DISTINCT_DROP
    ]  # fmt: skip
    found = [float(offsets[i]) for i in peaks[:most]]
    return found if any(abs(x) < 1.5 * step for x in found) else [*found, 0.0]


def _correlation(one: Array, other: Array) -> float:
    """Of two courses (N,), by the roots of their sizes: peaks shall not decide alone."""
    a, b = np.sqrt(one), np.sqrt(other)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 1e-12 else 0.0
