"""Where could the camera be? Perspective-n-Point for each hypothesis of the joint angles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.estimate.measurements import Measurements
from armsight.estimate.residuals import NEAREST_DEPTH

Array = NDArray[np.floating]

MIN_KEYPOINTS = 4
"""Fewer measured keypoints than this do not fix a camera."""

SUBSET_SIZE, NUM_SUBSETS = 6, 24
"""Besides all keypoints, PnP is tried on so many subsets, which may miss the outliers."""

FLIP_RATIO = 3.0
"""The depth-reversed camera is kept as well if its median error is at most this much larger."""


def camera_candidates(
    measured: Measurements, q: Array, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.intp], Array]:
    """Camera poses that bring the keypoints of each hypothesis near the measured ones.

    SQPnP (Terzakis and Lourakis, ECCV 2020) on all keypoints and on random subsets; the answer
    with the least median of errors stands (Rousseeuw, 1984), so up to about 40 % of gross
    outliers do no harm. An arm that lies nearly in one plane looks much the same from the
    camera mirrored in that plane's depth, so this second answer is kept where it fits as well.

    Args:
        measured: at least MIN_KEYPOINTS keypoints.
        q: (S, J) joint positions [rad].
        rng: chooses the subsets.

    Returns:
        R (B, 3, 3), t (B, 3) [m] of `T_cam_base`, the hypothesis (B,) each belongs to, and the
        median error (B,) [px]; B <= 2 S. A hypothesis without a camera in front of it is left out.
    """
    points = measured.points(q)
    subsets = [
        np.arange(measured.num_keypoints),
        *_subsets(measured, rng, max(3, NUM_SUBSETS // len(q))),
    ]
    found: list[tuple[int, Array, Array]] = []
    for s, model in enumerate(points):
        for subset in subsets:
            found += [(s, *pose) for pose in _solve_pnp(measured, model[subset], subset)]
    if not found:
        J = np.zeros(0, dtype=np.intp)
        return np.zeros((0, 3, 3)), np.zeros((0, 3)), J, np.zeros(0)
    owner = np.array([s for s, _, _ in found])
    R, t = np.array([R for _, R, _ in found]), np.array([t for _, _, t in found])
    error = median_error(measured, points[owner], R, t)

    best = [
        candidates[np.argmin(error[candidates])]
        for candidates in (np.flatnonzero(owner == s) for s in range(len(q)))
        if candidates.size
    ]
    R, t, owner, error = R[best], t[best], owner[best], error[best]
    R_flip, t_flip = depth_reversed(points[owner], R, t)
    flip_error = median_error(measured, points[owner], R_flip, t_flip)
    flip = flip_error < FLIP_RATIO * error
    R, t = np.concatenate([R, R_flip[flip]]), np.concatenate([t, t_flip[flip]])
    owner, error = np.concatenate([owner, owner[flip]]), np.concatenate([error, flip_error[flip]])
    seen = np.isfinite(error)
    return R[seen], t[seen], owner[seen], error[seen]


def median_error(measured: Measurements, points: Array, R: Array, t: Array) -> Array:
    """(B,) median distance [px] of points (B, N, 3) [m, base frame] from the measured keypoints.

    Infinite where most points lie behind the camera.
    """
    in_cam = R @ points.swapaxes(-1, -2) + t[..., None]
    depth = in_cam[:, 2:]
    in_front = depth > NEAREST_DEPTH
    pixels = (measured.K @ in_cam)[:, :2] / np.where(in_front, depth, 1.0)
    miss = np.sqrt(((pixels - measured.keypoints_2d.T) ** 2).sum(1))
    middle = (measured.num_keypoints - 1) // 2
    error: Array = np.partition(np.where(in_front[:, 0], miss, np.inf), middle, -1)[:, middle]
    return error


def depth_reversed(points: Array, R: Array, t: Array) -> tuple[Array, Array]:
    """The other camera from which nearly planar points (B, N, 3) look the same.

    Far away, a point's depth about the centroid can change sign unseen (Necker's cube). For
    points in a plane with normal n this reversal along the line of sight d is a rigid motion:
    the mirror (1 - 2 d d^T) after the plane's own mirror (1 - 2 n n^T).
    """
    centre = points.mean(1)
    normal = np.linalg.svd(points - centre[:, None])[2][:, -1]
    centre_cam = (R @ centre[..., None])[..., 0] + t
    sight = centre_cam / np.linalg.norm(centre_cam, axis=-1, keepdims=True)
    n = (R @ normal[..., None])[..., 0]
    mirrors = [np.eye(3) - 2 * v[:, :, None] * v[:, None, :] for v in (sight, n)]
    R_other = mirrors[0] @ mirrors[1] @ R
    return R_other, centre_cam - (R_other @ centre[..., None])[..., 0]


def _subsets(
    measured: Measurements, rng: np.random.Generator, count: int
) -> list[NDArray[np.intp]]:
    """Random choices among the keypoints, the well-measured ones more often."""
    N = measured.num_keypoints
    if N < SUBSET_SIZE + 2:
        return []
    chance = 1 / (measured.std + np.median(measured.std))
    return [
        rng.choice(N, SUBSET_SIZE, replace=False, p=chance / chance.sum()) for _ in range(count)
    ]


def _solve_pnp(
    measured: Measurements, model: Array, subset: NDArray[np.intp]
) -> list[tuple[Array, Array]]:
    """All of SQPnP's answers (R, t) that are finite."""
    try:
        _, rotations, translations, _ = cv2.solvePnPGeneric(
            np.ascontiguousarray(model),
            np.ascontiguousarray(measured.keypoints_2d[subset]),
            measured.K,
            None,
            flags=cv2.SOLVEPNP_SQPNP,
        )
    except cv2.error:  # coincident or collinear points
        return []
    poses = [
        (np.asarray(cv2.Rodrigues(rotation)[0]), np.asarray(translation).ravel())
        for rotation, translation in zip(rotations, translations, strict=True)
    ]
    return [(R, t) for R, t in poses if np.isfinite(R).all() and np.isfinite(t).all()]
