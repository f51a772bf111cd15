"""How sure is a solution? Covariance from the fit itself, and corrections from a validation set."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.fit.gauss_newton import LOSS_CUTOFF, States, data_terms
from armsight.fit.residuals import Linearisation

Array = NDArray[np.floating]

FIT_VERSION = 3
"""Raised with each change of the fit that makes earlier calibrations wrong"""

PRIOR_DOF = 5.0
"""The stated stds count for so many degrees of freedom when the residuals' size is estimated."""


MODE_TEMPERATURE = 2.0
"""Keypoints err together, so a cost difference says less than if they were independent."""

GROWING_ROUNDS = 8
"""Rounds until stds that depend on each other have converged"""

TINY = 1e-9
"""Keeps the information matrix invertible where nothing was measured."""


@dataclass(frozen=True)
class Calibration:
    """Corrections that bring reported standard deviations to what a validation set showed."""

    joint_scale: Array = field(default_factory=lambda: np.ones(1))
    """(J,) or (1,): reported std = sqrt((scale * std)^2 + floor^2)"""
    joint_floor: Array = field(default_factory=lambda: np.zeros(1))
    """(J,) or (1,) [rad]"""
    camera_scale: Array = field(default_factory=lambda: np.ones(3))
    """(3,) the same scale for the base's turn, its place, and the log of the focal length"""
    keypoint_scale: float = 1.0
    """The model's keypoint stds are multiplied by this before anything else"""

    def apply(self, covariance: Array, joint_limits: Array) -> Array:
        """Corrected covariance (J + 7, J + 7), see `Solution.covariance`.

        No joint's std becomes more than that of an angle uniform within its limits. What the
        picture tells of several of them together it still tells: stds grow along their
        correlations, as where joint and camera turn against each other.
        """
        std = np.sqrt(np.diag(covariance))
        count = len(joint_limits)
        joints = self.joint_std(std[:count], joint_limits)
        wanted = np.hypot(self.joint_scale * std[:count], self.joint_floor)
        wanted = np.concatenate([wanted, np.repeat(self.camera_scale, (3, 3, 1)) * std[count:]])
        uniform = np.ptp(joint_limits, axis=-1) / np.sqrt(12)
        widest = np.concatenate([uniform, np.full(len(std) - count, np.inf)])
        return with_joint_stds(narrowed(grown(covariance, wanted), widest), joints)

    def joint_std(self, std: Array, joint_limits: Array) -> Array:
        """Corrected (..., J) [rad]; never more than an angle uniform within its limits has."""
        corrected = np.hypot(self.joint_scale * std, self.joint_floor)
        clipped: Array = np.minimum(corrected, np.ptp(joint_limits, axis=-1) / np.sqrt(12))
        return clipped


def grown(covariance: Array, wanted: Array) -> Array:
    """A covariance (M, M) with stds of at least `wanted` (M,), which are no smaller than its own.

    All are multiplied by the least factor that is wanted. What one of them lacks then is added
    along its regression: where it moves, the others move as they are correlated with it.
    """
    std = np.sqrt(np.diag(covariance))
    free = std > 0
    if not free.any():
        return covariance
    factors = np.where(free, (wanted / np.where(free, std, 1.0)) ** 2, 0.0)
    least = float(factors[free].min())
    scale = np.where(free, 1 / np.where(free, std, 1.0), 0.0)
    correlation = covariance * scale[:, None] * scale
    overlap, lacking = correlation**2, np.where(free, factors - least, 0.0)
    added = np.zeros(len(std))
    for _ in range(GROWING_ROUNDS):
        for i in np.flatnonzero(free):
            others = overlap[i] @ added - added[i]
            added[i] = max(0.0, lacking[i] - others)
    extra = (correlation * added) @ correlation
    result: Array = least * covariance + extra * std[:, None] * std
    return result


def with_joint_stds(covariance: Array, joints: Array) -> Array:
    """A covariance (M, M) with exactly these stds (J,) of its first J variables."""
    factor = np.ones(len(covariance))
    std = np.sqrt(np.diag(covariance)[: len(joints)])
    factor[: len(joints)] = joints / np.maximum(std, 1e-12)
    result: Array = covariance * factor[:, None] * factor
    return result


def narrowed(covariance: Array, widest: Array) -> Array:
    """A covariance (M, M) with stds of at most `widest` (M,): for each that is wider, what is known
    of it without the picture is believed, and the others follow as they are correlated with it."""
    for i in np.flatnonzero(np.diag(covariance) > widest**2):
        excess = 1 - widest[i] ** 2 / covariance[i, i]
        if excess > 0:
            column = covariance[:, i]
            covariance = covariance - np.outer(column, column) * (excess / covariance[i, i])
    return covariance


def posterior_covariance(
    at: Linearisation, precision: Array
) -> tuple[Array, float, NDArray[np.bool_]]:
    """Covariance (J + 7, J + 7) of one state (B = 1), its residuals' scale, its inliers (N,).

    Args:
        at: the measurements, linearised at that state.
        precision: (J + 7,) of the prior at that state; infinite: known, and not free.

    The scale is the root of chi^2 per degree of freedom over the inliers, where degrees of freedom
    count both coordinates of each less the parameters that the data (not the prior) determine,
    drawn towards 1 by PRIOR_DOF.
    """
    squared = at.squared[0]
    scale = 1.0
    for _ in range(3):  # scale and inliers depend on each other; three rounds settle them
        wide = max(scale, 1.0)
        inliers = squared < (LOSS_CUTOFF * wide) ** 2
        data = data_terms(at, np.array([wide]))[0][0] * (wide / scale) ** 2
        covariance = inverse_information(data + TINY * np.eye(len(data)), precision)
        dof = max(2 * inliers.sum() - np.sum(data * covariance), 0.0)
        scale = float(np.sqrt((PRIOR_DOF + squared[inliers].sum()) / (PRIOR_DOF + dof)))
    return covariance, scale, inliers


def inverse_information(information: Array, precision: Array) -> Array:
    """Covariance (M, M) from what data tell, and a prior's precision (M,), infinite: known."""
    free = np.isfinite(precision)
    both = np.ix_(free, free)
    A = information[both] + np.diag(precision[free])
    # Radians, metres and a logarithm: without scaling an absurd camera makes it singular.
    unit = 1 / np.sqrt(np.maximum(np.diag(A), TINY))
    scaled = A * unit[:, None] * unit
    try:
        inverse = np.linalg.inv(scaled)
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(scaled, hermitian=True)
    covariance = np.zeros_like(information)
    covariance[both] = inverse * unit[:, None] * unit
    # Rounding may leave a variance of about nothing below it.
    np.fill_diagonal(covariance, np.maximum(np.diag(covariance), 0.0))
    return covariance


def mode_spread(modes: States, costs: Array) -> Array:
    """What other answers add to the covariance (J + 7, J + 7) of the first.

    Args:
        modes: distinct answers, the chosen one first.
        costs: minus the log posterior of each.

    Each other answer adds its squared distance, weighed by its posterior probability.
    """
    chance = np.exp(-(costs - costs[0]) / MODE_TEMPERATURE)
    turns = modes.R @ modes.R[0].T
    omega = np.array([cv2.Rodrigues(R)[0].ravel() for R in turns])
    focal = (modes.log_focal - modes.log_focal[0])[:, None]
    off = np.concatenate([modes.q - modes.q[0], omega, modes.t - modes.t[0], focal], -1)
    spread: Array = (off * (chance / chance.sum())[:, None]).T @ off
    return spread
