"""Robust Gauss-Newton over joint angles and camera together, for many hypotheses at once.

Minimises, for each hypothesis, minus the logarithm of its posterior:

    1/2 sum_k rho(|r_k / s|^2) - log p(q)       with joint limits as hard bounds

where r_k is keypoint k's whitened reprojection residual, rho is Geman and McClure's loss,
rho(x) = c^2 x / (c^2 + x) (bounded: a gross outlier costs c^2 and pulls no more), and p is the
prior on the joints. The scale s >= 1 is the residuals' own: it starts wide, so that
points which are far off only because the start is poor still pull, and narrows while the fit
improves (graduated non-convexity); where the stated stds are too small it stays above 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.measurements import Measurements
from armsight.estimate.residuals import Linearisation, linearise, step

Array = NDArray[np.floating]

CUTOFF = 3.5
"""Geman and McClure's c, in units of one standard deviation."""

TAIL = 3.0
"""Degrees of freedom of the prior's t: models are sometimes far off, and sure of it."""

WIDEN, MOST, WIDEST, NARROW = 4.0, 0.9, 30.0, 0.65
"""Graduation starts with so many times the residuals' scale, and wide enough that so many of the
keypoints still pull (a joint far off moves but a few of them), though not wider than so many stds;
it shrinks by no more in a step."""

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-3, 0.2, 10.0


@dataclass(frozen=True)
class States:
    """B states of arm and camera."""

    q: Array
    """(B, J) joint positions [rad]"""
    R: Array
    """(B, 3, 3) rotation of `T_cam_base`"""
    t: Array
    """(B, 3) [m] translation of `T_cam_base`"""

    def __getitem__(self, index: NDArray[np.generic] | slice) -> States:
        return States(self.q[index], self.R[index], self.t[index])


@dataclass(frozen=True)
class Prior:
    """A belief on the joint angles of each of B hypotheses: Student's t for every joint."""

    mean: Array
    """(B, J) [rad]"""
    std: Array
    """(B, J) [rad]"""

    def __getitem__(self, index: NDArray[np.generic] | slice) -> Prior:
        return Prior(self.mean[index], self.std[index])

    def cost(self, q: Array) -> Array:
        """(B,) minus the log probability of `q` (B, J), up to a constant."""
        off = (q - self.mean) / self.std
        cost: Array = 0.5 * (TAIL + 1) * np.log1p(off**2 / TAIL).sum(-1)
        return cost

    def precision(self, q: Array) -> Array:
        """(B, J) [1/rad^2] of the Gaussian that pulls as hard at `q` (B, J)."""
        return (TAIL + 1) / (TAIL * self.std**2 + (q - self.mean) ** 2)


def polish(
    measured: Measurements,
    states: States,
    prior: Prior,
    at: Linearisation | None = None,
    *,
    num_iterations: int = 10,
    graduated: bool = True,
    move_joints: bool = True,
    tolerance: float = 1e-4,
) -> tuple[States, Linearisation]:
    """States near `states` that fit the measurements best, by Levenberg and Marquardt's method,
    and the measurements linearised there.

    Args:
        measured: the image's keypoints.
        states: B starts, joints within the limits.
        prior: belief on the joints of each.
        at: the measurements linearised at the starts, where that is known already.
        num_iterations: at most so many steps.
        graduated: begin with a wide loss and a weak prior, for starts that may be far off; the
            answer then still is not the optimum, but near it.
        move_joints: False moves the cameras only.
        tolerance: stop when no step promises to lower the cost by more than this; 1e-4 is a
            hundredth of a standard deviation.
    """
    low, high = measured.robot.joint_limits.T
    num_joints = len(low)
    damping = np.full(len(states.q), DAMPING_START)
    now = at or linearise(measured, states.q, states.R, states.t)
    scale = residual_scale(now)
    if graduated:
        scale = np.maximum(WIDEN * scale, np.minimum(residual_scale(now, MOST), WIDEST))
    for _ in range(num_iterations):
        before = scale
        scale = np.minimum(scale, np.maximum(residual_scale(now), NARROW * scale))
        H, g = data_terms(now, scale)
        # While the scale is wide the prior has to give way too: it would else hold joints that
        # are far off, until the keypoints that could tell have become outliers.
        slack = scale if graduated else np.ones_like(scale)
        precision = prior.precision(states.q) / slack[:, None]
        H[:, :num_joints, :num_joints] += precision[:, None] * np.eye(num_joints)
        g[:, :num_joints] += precision * (states.q - prior.mean)
        # A joint at its limit that wants to go further stands still in this step.
        g_q = g[:, :num_joints]
        stuck = ((states.q <= low) & (g_q > 0)) | ((states.q >= high) & (g_q < 0))
        free = np.concatenate([~stuck & move_joints, np.ones((len(g), 6), dtype=bool)], -1)
        H = H * (free[:, :, None] & free[:, None, :])
        diagonal = np.einsum("bii->bi", H)
        diagonal += damping[:, None] * diagonal + np.where(free, 1e-9, 1.0)
        delta = -np.linalg.solve(H, (g * free)[..., None])[..., 0]

        q, R, t = step(states.q, states.R, states.t, delta)
        q = np.clip(q, low, high)
        after = linearise(measured, q, R, t)
        cost = data_cost(now, scale) + prior.cost(states.q) / slack
        better = data_cost(after, scale) + prior.cost(q) / slack <= cost
        damping = np.where(better, damping * DAMPING_DOWN, damping * DAMPING_UP)
        states = States(
            np.where(better[:, None], q, states.q),
            np.where(better[:, None, None], R, states.R),
            np.where(better[:, None], t, states.t),
        )
        now = Linearisation(
            np.where(better[:, None, None], after.residuals, now.residuals),
            np.where(better[:, None, None, None], after.jacobian, now.jacobian),
            np.where(better[:, None], after.in_front, now.in_front),
        )
        settled = -0.5 * (g * delta).sum(-1) < tolerance
        if settled.all() and (scale > 0.99 * before).all():
            break
    return states, now


def residual_scale(at: Linearisation, share: float = 0.5) -> Array:
    """(B,) scale of the whitened residuals by their median, or by another quantile; at least 1."""
    size = np.sqrt((at.residuals**2).sum(-2))
    size = np.where(at.in_front, size, np.inf)
    rank = int(share * (size.shape[-1] - 1))
    quantile = np.partition(size, rank, axis=-1)[:, rank]
    # The length of two unit Gaussians is a Rayleigh variable.
    scale: Array = np.clip(quantile / np.sqrt(-2 * np.log(1 - share)), 1.0, 1e6)
    return scale


def robust_weights(at: Linearisation, scale: Array) -> Array:
    """(B, N) derivative of rho: 1 for a perfect fit, near 0 for an outlier, 0 behind the camera."""
    x = (at.residuals**2).sum(-2) / scale[:, None] ** 2
    weights: Array = np.where(at.in_front, (CUTOFF**2 / (CUTOFF**2 + x)) ** 2, 0.0)
    return weights


def data_cost(at: Linearisation, scale: Array) -> Array:
    """(B,) half of the sum of rho; a keypoint behind the camera costs as much as an outlier."""
    x = (at.residuals**2).sum(-2) / scale[:, None] ** 2
    rho = np.where(at.in_front, CUTOFF**2 * x / (CUTOFF**2 + x), CUTOFF**2)
    cost: Array = 0.5 * rho.sum(-1)
    return cost


def data_terms(at: Linearisation, scale: Array) -> tuple[Array, Array]:
    """The measurements' part of Gauss-Newton's matrix (B, J + 6, J + 6) and gradient (B, J + 6)."""
    weights = robust_weights(at, scale) / scale[:, None] ** 2
    B, M = at.jacobian.shape[:2]
    jacobian = at.jacobian.reshape(B, M, -1)
    weighted = (at.jacobian * weights[:, None, None]).reshape(B, M, -1)
    H = weighted @ jacobian.swapaxes(-1, -2)
    g = (weighted @ at.residuals.reshape(B, -1, 1))[..., 0]
    return H, g
