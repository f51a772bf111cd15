"""How sure is a solution? Covariance from the fit itself, and corrections from a validation set."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.fit.gauss_newton import CUTOFF, States, data_terms
from armsight.fit.residuals import Linearisation

Array = NDArray[np.floating]

FIT_VERSION = 2
"""Goes up with each change of the fit after which calibrations made before no longer hold"""

PRIOR_DOF = 5.0
"""The stated stds count for so many degrees of freedom when the residuals' size is estimated."""


MODE_TEMPERATURE = 2.0
"""Keypoints err together, so a cost difference says less than if they were independent."""

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

        No joint's std becomes more than that of an angle uniform within its limits.
        """
        std = np.sqrt(np.diag(covariance))
        joints = self.joint_std(std[: len(joint_limits)], joint_limits)
        camera = np.repeat(self.camera_scale, (3, 3, 1))
        scale = np.concatenate([joints / np.maximum(std[: len(joints)], 1e-12), camera])
        scaled: Array = covariance * scale[:, None] * scale
        return scaled

    def joint_std(self, std: Array, joint_limits: Array) -> Array:
        """Corrected (..., J) [rad]; never more than an angle uniform within its limits has."""
        corrected = np.hypot(self.joint_scale * std, self.joint_floor)
        clipped: Array = np.minimum(corrected, np.ptp(joint_limits, axis=-1) / np.sqrt(12))
        return clipped


def widened(covariance: Array, factor: float, widest: Array) -> Array:
    """Every std of a covariance (M, M) times `factor`, to no more than `widest` (M,); those that
    are wider already stay."""
    std = np.sqrt(np.diag(covariance))
    scale = np.minimum(factor, np.maximum(widest / np.maximum(std, 1e-12), 1.0))
    scaled: Array = covariance * scale[:, None] * scale
    return scaled


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
        inliers = squared < (CUTOFF * wide) ** 2
        data = data_terms(at, np.array([wide]))[0][0] * (wide / scale) ** 2
        covariance = inverse_information(data + TINY * np.eye(len(data)), precision)
        dof = max(2 * inliers.sum() - np.sum(data * covariance), 0.0)
        scale = float(np.sqrt((PRIOR_DOF + squared[inliers].sum()) / (PRIOR_DOF + dof)))
    return covariance, scale, inliers


def inverse_information(information: Array, precision: Array) -> Array:
    """Covariance (M, M) from what data tell, and a prior's precision (M,), infinite: known."""
    free = np.isfinite(precision)
    both = np.ix_(free, free)
    covariance = np.zeros_like(information)
    covariance[both] = np.linalg.inv(information[both] + np.diag(precision[free]))
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
