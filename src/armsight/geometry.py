"""Camera model and rigid transforms, batched, in NumPy.

Conventions (docs/conventions.md): OpenCV camera (+x right, +y down, +z forward), `K` 3x3 in
pixels, pixel centres at integer coordinates, `T_a_b @ p_b = p_a`, metres and radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

MIN_DEPTH = 1e-6
"""Depth [m] below which a point counts as behind the camera and is not projected."""


def transform_points(T: ArrayLike, points: ArrayLike) -> Array:
    """Apply rigid transforms `T` (..., 4, 4) to points (..., N, 3) [m]; result (..., N, 3)."""
    T, points = np.asarray(T), np.asarray(points)
    moved: Array = points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]
    return moved


def invert_transform(T: ArrayLike) -> Array:
    """Inverse of rigid transforms (..., 4, 4), exact for rotations (no matrix inversion)."""
    T = np.asarray(T)
    inverse = np.zeros_like(T)
    R_t = np.swapaxes(T[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = R_t
    inverse[..., :3, 3] = -(R_t @ T[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def make_transform(R: ArrayLike, t: ArrayLike) -> Array:
    """Rigid transforms (..., 4, 4) from rotations (..., 3, 3) and translations (..., 3) [m]."""
    R, t = np.asarray(R), np.asarray(t)
    T = np.zeros((*np.broadcast_shapes(R.shape[:-2], t.shape[:-1]), 4, 4))
    T[..., :3, :3] = R
    T[..., :3, 3] = t
    T[..., 3, 3] = 1.0
    return T


def rotation_from_rotvec(rotvec: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) from rotation vectors (..., 3) [rad] (Rodrigues' formula)."""
    rotvec = np.asarray(rotvec, dtype=float)
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotvec, -1, 0)
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*rotvec.shape[:-1], 3, 3)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0 - angle**2 / 6, np.sin(safe) / safe)
    second = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    R: Array = np.eye(3) + first * skew + second * (skew @ skew)
    return R


def rotvec_from_rotation(R: ArrayLike) -> Array:
    """Rotation vectors (..., 3) [rad] of rotation matrices (..., 3, 3), angles from 0 to pi.

    By way of the unit quaternion whose largest component is taken first (Shepperd 1978), which is
    exact to rounding also near half a turn.
    """
    R = np.asarray(R, dtype=float)
    m = np.moveaxis(R, (-2, -1), (0, 1))
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    x, y, z = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    # Four times the products of the quaternion (w, x, y, z) with each of its components.
    products = np.stack([
        np.stack([1 + trace, x, y, z], -1),
        np.stack([x, 1 + 2 * m[0, 0] - trace, xy, xz], -1),
        np.stack([y, xy, 1 + 2 * m[1, 1] - trace, yz], -1),
        np.stack([z, xz, yz, 1 + 2 * m[2, 2] - trace], -1),
    ], -2)  # fmt: skip
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    largest = np.argmax(squares, -1)[..., None, None]
    q_wxyz = np.take_along_axis(products, largest, -2)[..., 0, :]
    q_wxyz = q_wxyz * np.where(q_wxyz[..., :1] < 0, -1.0, 1.0)
    norm = np.linalg.norm(q_wxyz[..., 1:], axis=-1, keepdims=True)
    w = q_wxyz[..., :1]
    # angle / sin(angle / 2); at no turn at all it tends to 2 / w
    turned = norm > 1e-12
    angle = 2 * np.arctan2(norm, w)
    scale = np.where(turned, angle, 2) / np.where(turned, norm, w)
    rotvec: Array = q_wxyz[..., 1:] * scale
    return rotvec


def project(points_cam: ArrayLike, K: ArrayLike) -> Array:
    """Project points (..., N, 3) [m, camera frame] with `K` (..., 3, 3) to pixels (..., N, 2).

    Points at or behind the camera plane become NaN: they have no image.
    """
    points_cam, K = np.asarray(points_cam, dtype=float), np.asarray(K, dtype=float)
    depth = points_cam[..., 2:]
    safe = np.where(depth > MIN_DEPTH, depth, np.nan)
    normalised = points_cam[..., :2] / safe
    pixels: Array = normalised @ np.swapaxes(K[..., :2, :2], -1, -2) + K[..., None, :2, 2]
    return pixels


def intrinsics_from_fov(width: int, height: int, horizontal_fov_deg: float) -> Array:
    """`K` (3, 3) [px] of a centred camera with square pixels and that horizontal field of view."""
    focal = 0.5 * width / np.tan(0.5 * np.radians(horizontal_fov_deg))
    K: Array = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return K


def crop_intrinsics(K: ArrayLike, box: ArrayLike, size: int) -> Array:
    """Intrinsics after cutting square `box` out of an image and resizing it to `size` pixels.

    Args:
        K: (..., 3, 3) [px] of the whole image.
        box: (..., 4) x0, y0, x1, y1: the outer edges of the crop in pixel coordinates; with pixel
            centres at integers, an uncropped image of width W has edges -0.5 and W - 0.5.
        size: side of the resized crop [px].
    """
    A = crop_matrix(box, size)
    cropped: Array = A @ np.asarray(K, dtype=float)
    return cropped


def scale_matrix(x: float, y: float) -> Array:
    """Matrix (3, 3) from pixels of an image to pixels of one scaled by `x` and `y`.

    Pixel centres are at integers, so that the outer edges, not the centres, stay in place.
    """
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def crop_matrix(box: ArrayLike, size: int) -> Array:
    """Homogeneous matrix (..., 3, 3) from image pixels to pixels of the resized crop `box`."""
    x0, y0, x1, y1 = np.moveaxis(np.asarray(box, dtype=float), -1, 0)
    A = np.zeros((*x0.shape, 3, 3))
    A[..., 0, 0] = size / (x1 - x0)
    A[..., 1, 1] = size / (y1 - y0)
    # An outer edge lies half a pixel before the centre of its pixel, in both images.
    A[..., 0, 2] = -x0 * A[..., 0, 0] - 0.5
    A[..., 1, 2] = -y0 * A[..., 1, 1] - 0.5
    A[..., 2, 2] = 1.0
    return A
