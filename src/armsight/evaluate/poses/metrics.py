"""The metrics of robot pose estimation, vectorised: ADD, AUC, PCK, joint errors, coverage.

Definitions as in DREAM (Lee et al. 2020) and its successors. N images, K keypoints, J joints. An
image without an answer holds NaN in the estimate, becomes an infinite error, and so counts as a
miss; a keypoint or joint whose truth is unknown is left out by a mask.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

ADD_THRESHOLD_M = 0.1
"""ADD [m] at which an image earns nothing, as in every paper since DREAM"""
PCK_THRESHOLD_PX = 20.0
DREAM_MIN_KEYPOINTS = 4
"""DREAM scores only images with at least so many keypoints in frame"""


def keypoint_distances(estimated: ArrayLike, true: ArrayLike) -> Array:
    """Distances (N, K) between points (N, K, D); infinite where the estimate is NaN.

    Raises:
        ValueError: a true point is NaN: mask unknown truths before they come here.
    """
    true = np.asarray(true, dtype=float)
    if np.isnan(true).any():
        raise ValueError("a true keypoint is NaN: leave its image out, or mask it")
    distances = np.linalg.norm(np.asarray(estimated, dtype=float) - true, axis=-1)
    filled: Array = np.where(np.isnan(distances), np.inf, distances)
    return filled


def add(estimated_cam: ArrayLike, true_cam: ArrayLike) -> Array:
    """ADD (N,) [m]: mean 3D distance over keypoints (N, K, 3) [m], camera frame.

    An image with any keypoint missing from its answer has infinite ADD: it is a miss.
    """
    mean: Array = keypoint_distances(estimated_cam, true_cam).mean(axis=-1)
    return mean


def auc(errors: ArrayLike, threshold: float = ADD_THRESHOLD_M) -> float:
    """Area under the curve 'share of images with an error below t', t from 0 to `threshold`.

    In closed form: each image contributes the share of thresholds above its error, which is
    clip(1 - error / threshold, 0, 1). Infinite errors contribute 0. NaN when there are no images.
    """
    scores = auc_scores(errors, threshold)
    return float(scores.mean()) if scores.size else float("nan")


def auc_scores(errors: ArrayLike, threshold: float = ADD_THRESHOLD_M) -> Array:
    """Each error's own part of the AUC, in [0, 1]; their mean is the AUC.

    Raises:
        ValueError: an error is NaN, which would silently spoil the mean.
    """
    errors = np.asarray(errors, dtype=float)
    if np.isnan(errors).any():
        raise ValueError("an error is NaN; an image without an answer must be inf")
    scores: Array = np.clip(1.0 - errors / threshold, 0.0, 1.0)
    return scores


def share_below(errors: ArrayLike, thresholds: ArrayLike) -> Array:
    """Share of `errors` (any shape) closer than each of `thresholds` (T,): a curve (T,)."""
    ordered = np.sort(np.asarray(errors, dtype=float).ravel())
    below = np.searchsorted(ordered, np.asarray(thresholds, dtype=float), side="left")
    share: Array = below / max(len(ordered), 1)
    return share


def keypoints_in_frame(keypoints_2d: ArrayLike, image_size: ArrayLike) -> Mask:
    """Which keypoints (..., K, 2) [px] lie inside of images of size (..., 2) width, height.

    Pixel centres are at integers, so that an image spans -0.5 to width - 0.5. NaN (behind the
    camera) is outside.
    """
    points, size = np.asarray(keypoints_2d, dtype=float), np.asarray(image_size, dtype=float)
    inside: Mask = np.all((points >= -0.5) & (points < size[..., None, :] - 0.5), axis=-1)
    return inside


def joint_errors_deg(estimated: ArrayLike, true: ArrayLike) -> Array:
    """Absolute joint errors (N, J) [deg] from joint positions (N, J) [rad].

    NaN where the estimate or the truth is. Angles are not wrapped: a joint that has turned once
    too often is elsewhere in its range.
    """
    errors: Array = np.abs(np.degrees(np.asarray(estimated, dtype=float) - np.asarray(true)))
    return errors


def coverage(errors: ArrayLike, std: ArrayLike, num_std: float) -> Array:
    """Which errors lie within `num_std` reported standard deviations: 1, 0, or NaN if unknown.

    `errors` and `std` (N, J) share a unit. A calibrated Gaussian has 68.3 % within 1, 95.4 %
    within 2.
    """
    errors, std = np.asarray(errors, dtype=float), np.asarray(std, dtype=float)
    unknown = np.isnan(errors) | np.isnan(std)
    within: Array = np.where(unknown, np.nan, np.abs(errors) <= num_std * std)
    return within


def risk_coverage(confidence: ArrayLike, errors: ArrayLike) -> tuple[Array, Array]:
    """Mean error of the most confident images, for every share of images that is kept.

    Args:
        confidence: (N,) belief in each answer; equal beliefs are taken together, at their mean.
        errors: (N,) finite errors.

    Returns:
        Shares (M,) in (0, 1] and mean errors (M,) at them. A confidence that knows anything rises
        towards the right; one that knows nothing is flat.
    """
    confidence, errors = np.asarray(confidence, dtype=float), np.asarray(errors, dtype=float)
    if len(errors) == 0:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-confidence, kind="stable")
    risk = np.cumsum(errors[order]) / np.arange(1, len(errors) + 1)
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(errors) - 1)
    return (ends + 1) / len(errors), risk[ends]
