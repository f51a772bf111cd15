"""Timing of paths: limits hold by finite differences, and nothing is slower than it must be."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.errors import BadShapeError
from armsight.robots.path_timing import SHARE, TimedPath, time_path


def differences(path: TimedPath) -> tuple[np.ndarray, np.ndarray]:
    """Speeds and accelerations of a densely sampled path, without its own account of them."""
    step = path.times[1] - path.times[0]
    speed = np.diff(path.positions, axis=0) / step
    return speed, np.diff(speed, axis=0) / step


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tightness", [0.05, 0.5, 5.0])
def test_limits_hold(seed: int, tightness: float) -> None:
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.normal(0, 0.05, (40, 3)), axis=0)
    rows[10:20] = rows[10]  # it stands still for a while
    fastest, hardest = tightness * np.array([1.0, 2, 3]), tightness * np.array([4.0, 8, 6])
    path = time_path(rows, 0.05, fastest, hardest, 1000.0)
    speed, acceleration = differences(path)
    assert (np.abs(speed) <= fastest * 1.001).all()
    assert (np.abs(acceleration) <= hardest * 1.02).all()
    np.testing.assert_allclose(path.velocities[[0, -1]], 0, atol=1e-6)
    np.testing.assert_allclose(path.positions[[0, -1]], rows[[0, -1]], atol=1e-6)
    # Rows of the path are passed in order, none is cut short.
    at = np.searchsorted(path.asked, np.arange(len(rows)) * 0.05 - 1e-9)
    at = np.minimum(at, len(path.asked) - 1)
    near = np.abs(path.positions[at] - rows).max()
    assert near < 0.02
    assert (np.diff(path.asked) >= -1e-9).all()


def test_one_joint_is_as_quick_as_can_be() -> None:
    """A straight line from rest to rest: full acceleration, full speed, full braking."""
    rows = np.linspace(0, 2, 201)[:, None]
    v, a = 0.8, 1.6
    path = time_path(rows, 1e-3, [v], [a], 500.0)
    v, a = SHARE * v, SHARE * a
    assert path.times[-1] == pytest.approx(2 / v + v / a, rel=0.01)


def test_what_keeps_the_limits_keeps_its_time() -> None:
    share = np.linspace(0, 1, 81)[:, None]
    rows = share**3 * (10 - 15 * share + 6 * share**2) * [[0.5, -0.3]]  # rest to rest, minimum jerk
    path = time_path(rows, 0.05, [2, 2], [10, 10])
    assert path.slowed < 1.03
    middle = np.abs(path.times - 2.0).argmin()
    np.testing.assert_allclose(path.positions[middle], [0.25, -0.15], atol=0.02)


def test_shapes_are_checked() -> None:
    with pytest.raises(BadShapeError, match=r"N >= 2"):
        time_path(np.zeros((1, 2)), 0.1, [1, 1], [1, 1])
    with pytest.raises(BadShapeError, match="NaN"):
        time_path(np.full((3, 2), np.nan), 0.1, [1, 1], [1, 1])
