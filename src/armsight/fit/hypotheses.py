"""Sets of joint-angle hypotheses: what they believe together, and where to start without any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.fit.gauss_newton import Prior
from armsight.robots import Robot

Array = NDArray[np.floating]

MODE_WIDTH = 0.4
"""[rad] Hypotheses nearer to each other than about this, over all joints, are one configuration."""

START_SPREAD = 0.6
"""[rad] Half of the starts are normal around the ready pose with this standard deviation."""

READY_SPREAD = 1.0
"""[rad] How far from the ready pose arms are expected when nothing else is known."""


def local_prior(hypotheses: Array, weights: Array, prior_std: float) -> tuple[Prior, Array]:
    """The belief of each hypothesis and its neighbours, and how many neighbours it has.

    Hypotheses may speak of several configurations (an elbow left or right), which no single
    Gaussian describes; so each gets the mean and spread of those near it.

    Args:
        hypotheses: (S, J) [rad].
        weights: (S,) that sum to 1.
        prior_std: [rad] added to the covariance in quadrature: the error that all hypotheses
            of one image share, which their spread cannot show.

    Returns:
        The prior of each hypothesis, and its support (S,): the weight of its neighbourhood.
    """
    squared = ((hypotheses[:, None] - hypotheses) ** 2).sum(-1)
    # Where hypotheses scatter widely, a neighbourhood has to hold a quarter of them.
    quarter = np.median(np.sort(squared, axis=-1)[:, len(hypotheses) // 4])
    width = max(MODE_WIDTH**2, float(quarter))
    near = np.maximum(weights, 1e-6) * np.exp(-0.5 * squared / width)
    support = near.sum(-1)
    near = near / support[:, None]
    mean = near @ hypotheses
    off = hypotheses - mean[:, None]
    variance = (near[:, :, None] * off**2).sum(1)
    return Prior(mean, np.sqrt(variance + prior_std**2)), support


def ready_prior(robot: Robot, count: int) -> Prior:
    """What to believe without any hypotheses: within READY_SPREAD of the ready pose."""
    mean = np.tile(robot.ready_positions, (count, 1))
    return Prior(mean, np.full_like(mean, READY_SPREAD))


def starting_hypotheses(robot: Robot, count: int, seed: int = 0) -> Array:
    """Starts (count, J) [rad] for a search without any hypotheses, all within the limits.

    The ready pose first, then by turns one near it and one uniform within the limits.
    """
    rng = np.random.default_rng(seed)
    J = len(robot.joint_names)
    near = robot.ready_positions + START_SPREAD * rng.standard_normal((count, J))
    low, high = robot.joint_limits.T
    anywhere = rng.uniform(low, high, (count, J))
    starts = np.where(np.arange(count)[:, None] % 2 == 1, near, anywhere)
    starts[:1] = robot.ready_positions
    return robot.clip(starts)
