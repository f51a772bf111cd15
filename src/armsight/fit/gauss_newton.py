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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from armsight.fit.measurements import Measurements
from armsight.fit.residuals import Linearisation, linearise, step

Array = NDArray[np.floating]

LOSS_CUTOFF = 3.5
"""Geman and McClure's c, in units of one standard deviation."""

JOINT_PRIOR_DOF = 3.0
"""Degrees of freedom of the prior's t distribution: models are sometimes far off, and sure of
it."""

WIDEN, MOST, WIDEST = 4.0, 0.9, 30.0
"""The graduated loss starts at so many times the residuals' scale, wide enough that this share of
the keypoints still pulls (a joint that is far off moves only a few of them), and at most so many
stds wide."""

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
    log_focal: Array = field(default_factory=lambda: np.zeros(()))
    """(B,) log of the focal length over that of the picture's K; 0 by default"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_focal", np.broadcast_to(self.log_focal, (len(self.q),)))

    def __getitem__(self, index: NDArray[np.generic] | slice) -> States:
        return States(self.q[index], self.R[index], self.t[index], self.log_focal[index])

    @property
    def parts(self) -> tuple[Array, Array, Array, Array]:
        """q, R, t, log_focal"""
        return self.q, self.R, self.t, self.log_focal

    def moved(self, delta: Array) -> States:
        """After small changes (B, J + 7) = (dq [rad], omega [rad], v [m], dlogf)."""
        return States(*step(self.q, self.R, self.t, delta), self.log_focal + delta[:, -1])

    def clipped(self, limits: Array) -> States:
        """With joints within their limits (J, 2) [rad]."""
        return States(np.clip(self.q, *limits.T), self.R, self.t, self.log_focal)

    def where(self, chosen: NDArray[np.bool_], other: States) -> States:
        """These in the chosen rows (B,), else the other's."""
        one, two = chosen[:, None], chosen[:, None, None]
        return States(
            np.where(one, self.q, other.q),
            np.where(two, self.R, other.R),
            np.where(one, self.t, other.t),
            np.where(chosen, self.log_focal, other.log_focal),
        )

    def focal_lengths(self, K: Array) -> Array:
        """(B, 2, 2) [px] the left upper part of K with each state's focal length."""
        scaled: Array = np.exp(self.log_focal)[:, None, None] * K[:2, :2]
        return scaled


def joined(*states: States) -> States:
    """All of them, one after the other."""
    return States(
        np.concatenate([s.q for s in states]),
        np.concatenate([s.R for s in states]),
        np.concatenate([s.t for s in states]),
        np.concatenate([s.log_focal for s in states]),
    )


@dataclass(frozen=True)
class Prior:
    """A belief on the joint angles of each of B hypotheses: Student's t for every joint."""

    mean: Array
    """(B, J) [rad]"""
    std: Array
    """(B, J) [rad]"""

    def __getitem__(self, index: NDArray[np.generic] | slice) -> Prior:
        return Prior(self.mean[index], self.std[index])

    @classmethod
    def flat(cls, count: int, joints: int) -> Prior:
        """No belief at all."""
        return cls(np.zeros((count, joints)), np.full((count, joints), np.inf))

    def joined(self, other: Prior) -> Prior:
        """Both, one after the other."""
        return Prior(np.concatenate([self.mean, other.mean]), np.concatenate([self.std, other.std]))

    def cost(self, q: Array) -> Array:
        """(B,) minus the log probability of `q` (B, J), up to a constant."""
        off = (q - self.mean) / self.std
        cost: Array = 0.5 * (JOINT_PRIOR_DOF + 1) * np.log1p(off**2 / JOINT_PRIOR_DOF).sum(-1)
        return cost

    def precision(self, q: Array) -> Array:
        """(B, J) [1/rad^2] of the Gaussian that pulls as hard at `q` (B, J)."""
        return (JOINT_PRIOR_DOF + 1) / (JOINT_PRIOR_DOF * self.std**2 + (q - self.mean) ** 2)


def levenberg_marquardt(
    measured: Measurements,
    states: States,
    prior: Prior,
    at: Linearisation | None = None,
    *,
    num_iterations: int = 10,
    graduated: bool = True,
    narrowing: float = 0.65,
    move_joints: bool = True,
    tolerance: float = 1e-3,
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
        narrowing: the loss's scale shrinks by no more than this in a step.
        move_joints: False moves the cameras only.
        tolerance: stop when no step promises to lower the cost by more than this; 1e-3 is a
            twentieth of a standard deviation, and the step is still taken.
    """
    low, high = measured.robot.joint_limits.T
    num_joints = len(low)
    num_free = num_joints + (7 if measured.log_focal_std else 6)
    damping = np.full(len(states.q), DAMPING_START)
    now = at or linearise(measured, *states.parts)
    scale = residual_scale(now)
    if graduated:
        scale = np.maximum(WIDEN * scale, np.minimum(residual_scale(now, MOST), WIDEST))
    for _ in range(num_iterations):
        before = scale
        scale = np.minimum(scale, np.maximum(residual_scale(now), narrowing * scale))
        # While the scale is wide, the prior has to give way too; otherwise it would hold joints
        # that are far off, until the keypoints that could tell have become outliers.
        slack = scale if graduated else np.ones_like(scale)
        H, g = _normal_equations(measured, states, now, prior, scale, slack)
        # A joint at its limit that wants to go further stands still in this step.
        g_q = g[:, :num_joints]
        stuck = ((states.q <= low) & (g_q > 0)) | ((states.q >= high) & (g_q < 0))
        delta = np.zeros_like(g)
        delta[:, :num_free] = _damped_step(
            H[:, :num_free, :num_free], g[:, :num_free], damping, stuck | (not move_joints)
        )
        trial = states.moved(delta).clipped(measured.robot.joint_limits)
        after = linearise(measured, *trial.parts)
        cost, tried = (
            data_cost(fit, scale) + prior.cost(at.q) / slack + measured.focal_cost(at.log_focal)
            for at, fit in ((states, now), (trial, after))
        )
        better = tried <= cost
        damping *= np.where(better, DAMPING_DOWN, DAMPING_UP)
        states, now = _accept(better, trial, after, states, now)
        settled = -0.5 * (g * delta).sum(-1) < tolerance
        if settled.all() and (scale > 0.99 * before).all():
            break
    return states, now


def _normal_equations(
    measured: Measurements, states: States, at: Linearisation, prior: Prior, scale: Array,
    slack: Array,
) -> tuple[Array, Array]:  # fmt: skip
    """Hessian and gradient of data, prior on the joints and prior on the focal length."""
    H, g = data_terms(at, scale)
    num_joints = states.q.shape[-1]
    joints = np.arange(num_joints)
    precision = prior.precision(states.q) / slack[:, None]
    H[:, joints, joints] += precision
    g[:, :num_joints] += precision * (states.q - prior.mean)
    if measured.log_focal_std:
        H[:, -1, -1] += measured.focal_precision
        g[:, -1] += measured.focal_precision * states.log_focal
    return H, g


def _damped_step(H: Array, g: Array, damping: Array, stuck: NDArray[np.bool_]) -> Array:
    """(B, J + 6 or 7) Marquardt's step downhill; the joints in `stuck` (B, J) do not move."""
    if stuck.any():
        free = np.ones(g.shape, dtype=bool)
        free[:, : stuck.shape[1]] = ~stuck
        H, g = H * (free[:, :, None] & free[:, None, :]), g * free
    every = np.arange(g.shape[1])
    diagonal = H[:, every, every]
    H[:, every, every] += damping[:, None] * diagonal + np.where(diagonal > 0, 1e-9, 1.0)
    return -np.linalg.solve(H, g[..., None])[..., 0]


def _accept(
    better: NDArray[np.bool_], trial: States, after: Linearisation, states: States,
    now: Linearisation,
) -> tuple[States, Linearisation]:  # fmt: skip
    """The trial where it is better, else what was."""
    if better.all():
        return trial, after
    one, two, three = better[:, None], better[:, None, None], better[:, None, None, None]
    return (
        trial.where(better, states),
        Linearisation(
            np.where(two, after.residuals, now.residuals),
            np.where(three, after.jacobian, now.jacobian),
            np.where(one, after.in_front, now.in_front),
        ),
    )


def residual_scale(at: Linearisation, share: float = 0.5) -> Array:
    """(B,) scale of the whitened residuals by their median, or by another quantile; at least 1."""
    rank = int(share * (at.squared.shape[-1] - 1))
    quantile = np.sqrt(np.partition(at.squared, rank, axis=-1)[:, rank])
    # The length of two unit Gaussians is a Rayleigh variable.
    scale: Array = np.clip(quantile / np.sqrt(-2 * np.log(1 - share)), 1.0, 1e6)
    return scale


def robust_weights(at: Linearisation, scale: Array) -> Array:
    """(B, N) derivative of rho: 1 for a perfect fit, near 0 for an outlier, 0 behind the camera."""
    weights: Array = (LOSS_CUTOFF**2 / (LOSS_CUTOFF**2 + at.squared / scale[:, None] ** 2)) ** 2
    return weights


def data_cost(at: Linearisation, scale: Array) -> Array:
    """(B,) half of the sum of rho; a keypoint behind the camera costs as much as an outlier."""
    rho = LOSS_CUTOFF**2 * (
        1 - LOSS_CUTOFF**2 / (LOSS_CUTOFF**2 + at.squared / scale[:, None] ** 2)
    )
    cost: Array = 0.5 * rho.sum(-1)
    return cost


def data_terms(at: Linearisation, scale: Array) -> tuple[Array, Array]:
    """The measurements' part of Gauss-Newton's matrix (B, J + 7, J + 7) and gradient (B, J + 7)."""
    weights = robust_weights(at, scale) / scale[:, None] ** 2
    B, M, rows, N = at.jacobian.shape
    jacobian = at.jacobian.reshape(B, M, rows * N)
    weighted = (at.jacobian * weights[:, None, None]).reshape(B, M, rows * N)
    H = weighted @ jacobian.swapaxes(-1, -2)
    g = (weighted @ at.residuals.reshape(B, rows * N, 1))[..., 0]
    return H, g
