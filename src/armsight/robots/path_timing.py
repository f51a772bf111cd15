"""When a robot may be where on a path: as fast as asked for, and slower where limits would break.

The path q(s) is a cubic spline through the joint positions, its parameter s the time that was asked
for. Sought is the speed ds/dt along it; its square b is piecewise linear in s, so that with
u = b'/2 = d²s/dt²

    dq/dt = q'(s) sqrt(b),     d²q/dt² = q'(s) u + q''(s) b

and all limits are linear in (u, b). The largest b that can still be stopped from is found from the
end backwards, the largest that can be reached from the start forwards (time-optimal path
parameterisation by reachability: Pham and Pham, IEEE T-RO 34(3), 2018), here with b <= 1 besides:
nothing becomes faster than it was. The arm stands still at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError

Array = NDArray[np.floating]

FINER = 10
"""Points of the spline at which limits are held, for each step of the path"""
SHARE = 0.95
"""Of the limits, that is held at these points; between them a path may exceed it a little"""
STILL = 1e-9
"""Of q' [rad/s], below which a joint stands still"""


@dataclass(frozen=True)
class TimedPath:
    """A path that keeps its limits, at a fixed rate."""

    times: Array
    """(M,) [s] from 0 on"""
    asked: Array
    """(M,) [s] where on the path that was asked for the arm is at these times"""
    positions: Array
    """(M, J) [rad]"""
    velocities: Array
    """(M, J) [rad/s]"""
    accelerations: Array
    """(M, J) [rad/s^2]"""

    @property
    def slowed(self) -> float:
        """How many times as long as asked for it takes."""
        asked = float(self.asked[-1])
        return float(self.times[-1]) / asked if asked else 1.0


def time_path(
    joint_positions: ArrayLike,
    step: float,
    max_velocity: ArrayLike,
    max_acceleration: ArrayLike,
    rate_hz: float | None = None,
) -> TimedPath:
    """Times for a path, so that no joint exceeds its limits.

    Args:
        joint_positions: (N, J) [rad], N >= 2.
        step: [s] from row to row, as asked for.
        max_velocity: (J,) [rad/s].
        max_acceleration: (J,) [rad/s^2].
        rate_hz: of the result; by default that of the rows.

    Raises:
        BadShapeError: the arrays do not fit together, or hold NaN or infinity.
    """
    q = np.asarray(joint_positions, dtype=float)
    fastest, hardest = (np.asarray(v, dtype=float) for v in (max_velocity, max_acceleration))
    if q.ndim != 2 or len(q) < 2 or fastest.shape != q.shape[1:] or hardest.shape != q.shape[1:]:
        raise BadShapeError(
            f"joint positions {q.shape}, velocities {fastest.shape} and accelerations "
            f"{hardest.shape} do not fit: (N, J) with N >= 2, (J,) and (J,)"
        )
    if not np.isfinite(q).all():
        raise BadShapeError("joint positions hold NaN or infinity")
    spline = Spline(q, step)
    s = np.arange((len(q) - 1) * FINER + 1) * (step / FINER)
    _, first, second = spline.at(s)
    b = _squared_speed(first, second, SHARE * fastest, SHARE * hardest, step / FINER)
    b = b / _excess(spline, s, b, fastest, hardest)
    # Between two points the acceleration along the path is constant.
    roots = np.sqrt(b)
    clock = np.concatenate([[0.0], np.cumsum(2 * np.diff(s) / (roots[:-1] + roots[1:]))])
    rate = rate_hz or 1 / step
    times = np.arange(int(np.ceil(clock[-1] * rate - 1e-9)) + 1) / rate
    at = np.clip(np.searchsorted(clock, times, side="right") - 1, 0, len(s) - 2)
    since = np.minimum(times, clock[-1]) - clock[at]
    pull = (b[at + 1] - b[at]) / (2 * np.diff(s)[at])
    speed = np.maximum(roots[at] + pull * since, 0.0)
    where = np.clip(s[at] + roots[at] * since + pull * since**2 / 2, 0, s[-1])
    position, first, second = spline.at(where)
    ended = times > clock[-1]
    pull[ended] = speed[ended] = 0.0
    return TimedPath(
        times, where, position, first * speed[:, None],
        first * pull[:, None] + second * speed[:, None] ** 2,
    )  # fmt: skip


class Spline:
    """The natural cubic spline through rows (N, J) that are `step` apart."""

    def __init__(self, rows: Array, step: float) -> None:
        self._rows, self._step = rows, step
        count = len(rows)
        bend = np.zeros_like(rows)
        if count > 2:
            matrix = (
                np.diag(np.full(count - 2, 4.0))
                + np.diag(np.ones(count - 3), 1)
                + np.diag(np.ones(count - 3), -1)
            )
            bend[1:-1] = np.linalg.solve(matrix, 6 * np.diff(rows, 2, axis=0) / step**2)
        self._bend = bend

    def at(self, s: Array) -> tuple[Array, Array, Array]:
        """Values (M, J) at places s (M,) from 0 on, and their first and second derivatives."""
        h = self._step
        i = np.clip((s / h).astype(int), 0, len(self._rows) - 2)
        after = (s - i * h)[:, None]
        before = h - after
        y0, y1, m0, m1 = self._rows[i], self._rows[i + 1], self._bend[i], self._bend[i + 1]
        a, c = y0 / h - m0 * h / 6, y1 / h - m1 * h / 6
        value = (m0 * before**3 + m1 * after**3) / (6 * h) + a * before + c * after
        slope = (m1 * after**2 - m0 * before**2) / (2 * h) - a + c
        return value, slope, (m0 * before + m1 * after) / h


def _squared_speed(first: Array, second: Array, fastest: Array, hardest: Array, h: float) -> Array:
    """(M,) the largest b <= 1 at M points, `h` apart, that starts and ends at 0."""
    with np.errstate(divide="ignore"):
        ceiling = np.minimum(1.0, ((fastest / np.abs(first)) ** 2).min(axis=1))
    # Acceleration is a u + c b at a point, with b there; and, by b + 2 h u, at the next point.
    a = np.concatenate([first[:-1], first[1:] + 2 * h * second[1:]], axis=1)
    c = np.concatenate([second[:-1], second[1:]], axis=1)
    limit = np.concatenate([hardest, hardest])
    turning = np.abs(a) > STILL
    with np.errstate(divide="ignore"):
        bent = np.where(turning, np.inf, limit / np.abs(c)).min(axis=1)
    ceiling[:-1] = np.minimum(ceiling[:-1], bent)
    safe = np.where(turning, a, 1.0)
    reach = np.where(turning, limit / np.abs(safe), np.inf)
    tilt = np.where(turning, -c / safe, 0.0)  # of u's bounds: -reach + tilt b, reach + tilt b
    stoppable = np.zeros(len(first))
    for i in range(len(first) - 2, 0, -1):
        stoppable[i] = min(ceiling[i], _largest(reach[i], tilt[i], stoppable[i + 1], h))
    b = np.zeros(len(first))
    for i in range(len(first) - 1):
        u = float((reach[i] + tilt[i] * b[i]).min())
        b[i + 1] = max(0.0, min(stoppable[i + 1], b[i] + 2 * h * u))
    return b


def _excess(spline: Spline, s: Array, b: Array, fastest: Array, hardest: Array) -> float:
    """By how much b is too large where a limit breaks between the points; 1 where none does."""
    u = np.diff(b) / (2 * np.diff(s))
    worst = 1.0
    for share in np.linspace(0, 1, 9):
        at = s[:-1] + share * np.diff(s)
        _, first, second = spline.at(at)
        there = (b[:-1] + share * np.diff(b))[:, None]
        acceleration = np.abs(first * u[:, None] + second * there) / hardest
        worst = max(worst, float((first**2 * there / fastest**2).max()), float(acceleration.max()))
    return 1.01 * worst if worst > 1 else 1.0  # for what lies between these, too


def _largest(reach: Array, tilt: Array, after: float, h: float) -> float:
    """The largest b from which some allowed u leads to 0 <= b + 2 h u <= `after`."""
    lows = np.append(-reach, 0.0), np.append(tilt, -1 / (2 * h))
    highs = np.append(reach, after / (2 * h)), np.append(tilt, -1 / (2 * h))
    # Every lower bound stays below every upper bound: gap + rise * b <= 0.
    gap = lows[0][:, None] - highs[0]
    rise = lows[1][:, None] - highs[1]
    closing = (rise > 0) & np.isfinite(gap)
    return float((-gap[closing] / rise[closing]).min()) if closing.any() else np.inf
