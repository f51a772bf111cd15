"""How sure the shared unknowns are, although the points of a contour err together.

Gauss-Newton's matrix takes each point of a contour as a measurement of its own. Points of one link
in one frame err together, though: where the mesh is a little wrong, or a shadow's edge runs beside
the link. The scatter of the links' gradients at the optimum, where they sum to zero, tells how
many points count as one (the cluster-robust or 'sandwich' estimate: Liang and Zeger, Biometrika
1986).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.shared_fit import TEST_SCALE, Frames, Shared, SharedPrior

Array = NDArray[np.floating]

CLUSTER_FACTOR = 8.0
"""Factor on the clusters' scatter, which is too small: a slightly wrong mesh or joint errs alike in
all frames (chosen on real photos whose camera is known by depth)"""
POINTS_PER_MEASUREMENT = (16.0, 400.0)
"""Fewest and most points of a contour that count as one"""
PRINCIPAL_POINT_STD = 0.012
"""[of the picture's width] of a principal point that is taken to be the picture's middle"""


def evidence_weight(frames: Frames, shared: Shared, used: NDArray[np.bool_]) -> float:
    """The weight of a point of a contour at the optimum: one over the number that count as one."""
    chosen = np.flatnonzero(used)
    frames = frames.among(chosen)
    contours = frames.contours(shared)
    H = frames.terms(contours, shared, TEST_SCALE)[2].sum(0)[:6, :6]
    pulls = frames.link_gradients(contours, shared, TEST_SCALE)[:, :6]
    scatter = pulls.T @ pulls
    count = float(np.trace(np.linalg.lstsq(H, scatter, rcond=None)[0])) / 6
    return float(1 / np.clip(CLUSTER_FACTOR * count, *POINTS_PER_MEASUREMENT))


def covariance(frames: Frames, shared: Shared, prior: SharedPrior, weights: Array) -> Array:
    """(8 + J, 8 + J) of the shared unknowns; rows of those held fixed are 0.

    Args:
        frames: N frames.
        shared: the optimum.
        prior: what was believed before.
        weights: (N,) of the points of each frame's contour.
    """
    chosen = np.flatnonzero(weights > 0)
    frames = frames.among(chosen)
    H = np.tensordot(
        weights[chosen], frames.terms(frames.contours(shared), shared, TEST_SCALE)[2], 1
    )
    std = prior.std
    free = np.flatnonzero(std > 0)
    A = H[np.ix_(free, free)] + np.diag(std[free] ** -2.0)
    # Scaled to a unit diagonal: metres and radians differ in size.
    scale = np.sqrt(np.maximum(np.diag(A), 1e-12))
    inverse = np.linalg.pinv(A / scale / scale[:, None], hermitian=True) / scale / scale[:, None]
    result = np.zeros_like(H)
    result[np.ix_(free, free)] = inverse
    return result


def of_principal_point(T_cam_base: Array, focal_length: float, width: float) -> Array:
    """(6, 6) what an assumed principal point adds to the covariance of omega and v.

    A principal point that lies elsewhere by d pixels looks like a camera that is turned by d over
    the focal length [px] about its own centre: its place in the base frame is as sure as before.
    """
    x, y, z = T_cam_base[:3, 3]
    # v = omega x t, for turns about the camera's x and y axes.
    J = np.array([[1, 0], [0, 1], [0, 0], [0, z], [-z, 0], [y, -x]])
    variance = (PRINCIPAL_POINT_STD * width / focal_length) ** 2
    added: Array = variance * (J @ J.T)
    return added
