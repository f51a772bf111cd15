"""Sets of joint-angle hypotheses: what they believe together, and where to start without any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.polish import Prior
from armsight.robots import Robot

Array = NDArray[np.floating]

MODE_WIDTH = 0.4
"""[rad] Hypotheses nearer than about this, over all joints, speak of the same configuration."""

START_SPREAD = 0.6
"""[rad] Half of the starts are normal around the ready pose with this standard deviation."""

READY_SPREAD = 1.0
"""[rad] How far from the ready pose arms are expected when nothing else is known."""


def local_prior(hypotheses: Array, weights: Array, prior_std: float) -> tuple[Prior, Array]:
    """The belief of each hypothesis and its neighbours, and how many neighbours it has.

    Hypotheses may speak of several configurations (an elbow left or right), which no single
    Gaussian describes; so each gets the mean and covariance of those near it.

    Args:
        hypotheses: (S, J) [rad].
        weights: (S,) that sum to 1.
        prior_std: [rad] added to the covariance in quadrature: the error that all hypotheses
            of one image share, which their spread cannot show.

    Returns:
        The prior of each hypothesis, and its support (S,): the weight of its neighbourhood.
    """
    off = hypotheses[:, None] - hypotheses
    near = weights * np.exp(-0.5 * (off**2).sum(-1) / MODE_WIDTH**2)
    support = near.sum(-1)
    near = near / support[:, None]
    mean = near @ hypotheses
    off = hypotheses - mean[:, None]
    covariance = (near[:, :, None] * off).swapaxes(-1, -2) @ off
    # Sixteen samples say little about correlations of seven joints: halve them.
    num_joints = hypotheses.shape[-1]
    covariance = covariance * (0.5 + 0.5 * np.eye(num_joints)) + prior_std**2 * np.eye(num_joints)
    return Prior(mean, np.linalg.inv(covariance)), support


def ready_prior(robot: Robot, count: int) -> Prior:
    """What to believe without any hypotheses: within READY_SPREAD of the ready pose."""
    J = len(robot.joint_names)
    precision = np.eye(J) / READY_SPREAD**2
    return Prior(np.tile(robot.ready_positions, (count, 1)), np.tile(precision, (count, 1, 1)))


def starting_hypotheses(robot: Robot, count: int, seed: int = 0) -> Array:
    """Starts (count, J) [rad] for a search without any hypotheses, all within the limits.

    The ready pose first, then by turns one near it and one uniform within the limits.
    """
    rng = np.random.default_rng(seed)
    J = len(robot.joint_names)
    near = robot.ready_positions + START_SPREAD * rng.standard_normal((count, J))
    anywhere = rng.uniform(*robot.joint_limits.T, (count, J))
    starts = np.where(np.arange(count)[:, None] % 2 == 1, near, anywhere)
    starts[:1] = robot.ready_positions
    return robot.clip(starts)
