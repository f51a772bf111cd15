"""What solving one image gives, and how well its parts agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.gauss_newton import Prior, States
from armsight.fit.measurements import Measurements
from armsight.fit.residuals import Linearisation

Array = NDArray[np.floating]

HALVING_ERROR = 0.2
"""A keypoint's part of the consistency is halved at this error, a share of the arm's size in the
image."""

SAME_ANSWER = 0.05
"""[rad] Joints no further apart are one answer."""


@dataclass(frozen=True)
class Solution:
    """One image's answer. S hypotheses, J joints, Kp keypoints of the robot."""

    joint_positions: Array
    """(J,) [rad], within the limits"""
    joint_std: Array
    """(J,) [rad] one standard deviation"""
    T_cam_base: Array | None
    """(4, 4) base frame to camera frame [m]; None where too few keypoints were measured"""
    covariance: Array | None
    """(J + 7, J + 7) of joints [rad], turn of the base in camera axes [rad], its origin [m], and
    the log of the focal length; calibrated; None without a camera"""
    residuals_px: Array
    """(Kp, 2) projected minus measured keypoints [px]; NaN where not measured"""
    inliers: NDArray[np.bool_]
    """(Kp,) measured keypoints that agree with the answer"""
    residual_scale: float
    """Size of the inliers' residuals in units of the stated stds; 1 where those are right"""
    consistency: float
    """In [0, 1]: how well the hypotheses' own angles, before any refinement, land by forward
    kinematics and PnP on the measured keypoints; 0 without a camera"""
    num_agreeing: int
    """Hypotheses that lead to this answer"""
    hypotheses: Array
    """(S, J) [rad] what each hypothesis came to"""
    costs: Array
    """(S,) minus the log posterior of each, up to a constant; infinite: no camera found"""
    modes: States | None
    """(M) distinct answers to the keypoints, the best first, then those that were soon given up;
    None without a camera"""
    mode_costs: Array
    """(M,) minus the log posterior of each, up to a constant"""
    mode_priors: Prior | None = None
    """(M) what the hypotheses around each mode believe of its joints"""
    log_focal: float = 0.0
    """log of the focal length over that of the K that was assumed"""
    outline: float = 0.0
    """In [0, 1]: how near the arm's outline lies to edges of the picture; 0: not looked at"""
    focal_seen: tuple[float, float] | None = None
    """Of a picture with a given focal length: see `refine_contour.focal_length_seen`"""


def consistency(
    measured: Measurements, errors: Array, owner: NDArray[np.intp], support: Array
) -> float:
    """Share of keypoints that the hypotheses hit with their own angles, softly counted."""
    centred = measured.keypoints_2d - measured.keypoints_2d.mean(0)
    size = np.sqrt((centred**2).sum(-1).mean())
    hits = (1 / (1 + (errors / max(HALVING_ERROR * size, 1.0)) ** 2)).mean(-1)
    best = np.zeros(len(support))
    np.maximum.at(best, owner, hits)
    return float(best @ support / support.sum())


def residuals_px(measured: Measurements, at: Linearisation) -> Array:
    """(Kp, 2) [px] of one state."""
    residuals = np.where(at.in_front[0], at.residuals[0, :2] * measured.std, np.nan)
    return measured.for_all(residuals.T, np.nan)


def distinct(q: Array, costs: Array) -> NDArray[np.intp]:
    """Indices of states that are different answers, the best first."""
    chosen: list[int] = []
    for i in np.argsort(costs, kind="stable"):
        if all(np.abs(q[i] - q[j]).max() > SAME_ANSWER for j in chosen):
            chosen.append(int(i))
    return np.array(chosen)
