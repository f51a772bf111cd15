"""Where could the camera be? Perspective-n-Point for each hypothesis of the joint angles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.fit.measurements import Measurements
from armsight.fit.residuals import NEAREST_DEPTH

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

MIN_KEYPOINTS = 4
"""Fewer measured keypoints than this do not fix a camera."""

SUBSET_SIZE, NUM_SUBSETS, MIN_FOR_SUBSETS = 4, 24, 12
"""PnP is first tried on so many random subsets, some of which have no outlier in them; not with
few keypoints, where a camera that fits four of them exactly would have the least median."""

TRUSTED_ERRORS = 3.0
"""Keypoints within so many median errors of the best such camera are trusted."""

FLIP_RATIO = 3.0
"""The depth-reversed camera is kept as well if its median error is at most this much larger."""


def camera_candidates(
    measured: Measurements, q: Array, rng: np.random.Generator, T_start: Array | None = None
) -> tuple[Array, Array, Indices, Array]:
    """Camera poses that bring the keypoints of each hypothesis near the measured ones.

    SQPnP (Terzakis and Lourakis, ECCV 2020) on random subsets, by turns with each hypothesis's
    angles; the one with the least median of errors (Rousseeuw, 1984) tells which keypoints to
    trust. Then SQPnP on the trusted ones for every hypothesis. An arm that lies nearly in one
    plane looks much the same from the camera mirrored in that plane's depth, so that one is kept
    where it fits.

    Args:
        measured: at least MIN_KEYPOINTS keypoints.
        q: (S, J) joint positions [rad].
        rng: chooses the subsets.
        T_start: (4, 4) a camera pose that is nearly right: it takes the place of the subsets, and
            no mirrored camera is looked for.

    Returns:
        R (B, 3, 3) and t (B, 3) [m] of `T_cam_base`, the hypothesis (B,) that each belongs to, and
        the keypoints' errors (B, N) [px]; B <= 2 S. A hypothesis without a camera that it lies in
        front of is left out.
    """
    points = measured.points(q)
    everyone = np.arange(len(q))
    if T_start is None:
        R, t, owner = _solve_pnp(measured, points, _subsets(measured, len(q), rng))
    else:
        R, t = (np.repeat(part[None], len(q), 0) for part in (T_start[:3, :3], T_start[:3, 3]))
        owner = everyone
    errors = reprojection_errors(measured, points[owner], R, t)
    trusted = _trusted(errors)
    more = _solve_pnp(measured, points, [(s, trusted) for s in range(len(q))])
    errors = np.concatenate([errors, reprojection_errors(measured, points[more[2]], *more[:2])])
    R, t, owner = (np.concatenate(pair) for pair in zip((R, t, owner), more, strict=True))

    error = median_error(errors)
    of_each = [np.flatnonzero((owner == s) & np.isfinite(error)) for s in everyone]
    best = np.array([mine[np.argmin(error[mine])] for mine in of_each if mine.size], dtype=np.intp)
    R, t, owner, errors = R[best], t[best], owner[best], errors[best]
    if T_start is not None:
        return R, t, owner, errors
    R_flip, t_flip = depth_reversed(points[owner], R, t)
    flipped = reprojection_errors(measured, points[owner], R_flip, t_flip)
    also = median_error(flipped) < FLIP_RATIO * median_error(errors)
    return (
        np.concatenate([R, R_flip[also]]),
        np.concatenate([t, t_flip[also]]),
        np.concatenate([owner, owner[also]]),
        np.concatenate([errors, flipped[also]]),
    )


def _trusted(errors: Array) -> Indices:
    """The keypoints that the best camera agrees with, of errors (M, N) [px]; all where M = 0."""
    middle = median_error(errors)
    if len(middle) == 0 or not np.isfinite(middle.min()):
        return np.arange(errors.shape[1])
    return np.flatnonzero(errors[np.argmin(middle)] <= TRUSTED_ERRORS * middle.min())


def reprojection_errors(measured: Measurements, points: Array, R: Array, t: Array) -> Array:
    """(B, N) distances [px] of the projections of points (B, N, 3) [m, base frame] from measured.

    Infinite behind the camera.
    """
    in_cam = R @ points.swapaxes(-1, -2) + t[..., None]
    depth = in_cam[:, 2:]
    in_front = depth > NEAREST_DEPTH
    pixels = (measured.K @ in_cam)[:, :2] / np.where(in_front, depth, 1.0)
    miss = np.sqrt(((pixels - measured.keypoints_2d.T) ** 2).sum(1))
    errors: Array = np.where(in_front[:, 0], miss, np.inf)
    return errors


def median_error(errors: Array) -> Array:
    """(B,) the lower median of errors (B, N), so that infinities do not mix in."""
    middle = (errors.shape[-1] - 1) // 2
    median: Array = np.partition(errors, middle, -1)[:, middle]
    return median


def depth_reversed(points: Array, R: Array, t: Array) -> tuple[Array, Array]:
    """The other camera from which nearly planar points (B, N, 3) look the same.

    Far away, a point's depth about the centroid can change sign unseen (Necker's cube). For
    points in a plane with normal n this reversal along the line of sight d is a rigid motion:
    the mirror (1 - 2 d d^T) after the plane's own mirror (1 - 2 n n^T).
    """
    centre = points.mean(1)
    off = points - centre[:, None]
    normal = np.linalg.eigh(off.swapaxes(-1, -2) @ off)[1][:, :, 0]
    centre_cam = (R @ centre[..., None])[..., 0] + t
    sight = centre_cam / np.linalg.norm(centre_cam, axis=-1, keepdims=True)
    n = (R @ normal[..., None])[..., 0]
    mirrors = [np.eye(3) - 2 * v[:, :, None] * v[:, None, :] for v in (sight, n)]
    R_other = mirrors[0] @ mirrors[1] @ R
    return R_other, centre_cam - (R_other @ centre[..., None])[..., 0]


def _subsets(
    measured: Measurements, num_hypotheses: int, rng: np.random.Generator
) -> list[tuple[int, Indices]]:
    """A hypothesis and a few keypoints, many times; well-measured keypoints more often."""
    N = measured.num_keypoints
    if N < MIN_FOR_SUBSETS:
        return []
    # The largest of u^(1/w) are a sample without replacement with weights w (Efraimidis, 2006).
    weight = 1 / (measured.std + np.median(measured.std))
    keys = np.log(rng.random((NUM_SUBSETS, N))) / weight
    chosen = np.argsort(-keys, axis=-1)[:, :SUBSET_SIZE]
    return [(i % num_hypotheses, subset) for i, subset in enumerate(chosen)]


def _solve_pnp(
    measured: Measurements, points: Array, tasks: list[tuple[int, Indices]]
) -> tuple[Array, Array, Indices]:
    """SQPnP for (hypothesis, keypoints) of each task: R (M, 3, 3), t (M, 3), hypothesis (M,).

    A task may have no answer or two.
    """
    owner, poses = [], []
    for s, subset in tasks:
        try:
            _, rotations, translations, _ = cv2.solvePnPGeneric(
                points[s, subset],
                measured.keypoints_2d[subset],
                measured.K,
                None,
                flags=cv2.SOLVEPNP_SQPNP,
            )
        except cv2.error:  # coincident or collinear points
            continue
        for rotation, translation in zip(rotations, translations, strict=True):
            poses.append(np.column_stack([cv2.Rodrigues(rotation)[0], translation]))
            owner.append(s)
    found = np.array(poses, dtype=float).reshape(-1, 3, 4)
    finite = np.isfinite(found).all((-1, -2))
    return found[finite, :, :3], found[finite, :, 3], np.array(owner, dtype=np.intp)[finite]
