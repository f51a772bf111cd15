"""What one image says about a robot: measured keypoints and a camera matrix, checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import check_K
from armsight.errors import BadShapeError
from armsight.robots import Robot

Array = NDArray[np.floating]

LARGEST_STD = 0.1
"""Keypoints with a larger standard deviation, in focal lengths (6 degrees), are not measured."""

SMALLEST_STD = 0.01
"""[px] Smaller standard deviations count as this: no detector is that good."""


@dataclass(frozen=True)
class Measurements:
    """N measured keypoints of a robot, and its camera matrix."""

    robot: Robot
    K: Array
    """(3, 3) [px]"""
    keypoints: NDArray[np.intp]
    """(N,) indices of the robot's keypoints that were measured"""
    keypoints_2d: Array
    """(N, 2) [px]"""
    std: Array
    """(N,) [px] one standard deviation in each coordinate"""
    log_depth: Array | None = None
    """(N,) log of each keypoint's depth [m] along the optical axis; None: not measured"""
    log_depth_std: Array | None = None
    """(N,) one standard deviation; infinite where not measured"""
    log_focal_std: float = 0.0
    """of the log of the focal length, about that of K; 0: it is known, and not fitted"""

    @property
    def num_keypoints(self) -> int:
        return len(self.keypoints)

    @cached_property
    def links(self) -> NDArray[np.intp]:
        """(N,) the link that carries each keypoint"""
        return self.robot.keypoint_links[self.keypoints]

    @cached_property
    def positions(self) -> Array:
        """(N, 3) [m] of the keypoints in their links' frames"""
        return self.robot.keypoint_positions[self.keypoints]

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        """(J, N) whether each joint moves each keypoint"""
        moves: NDArray[np.bool_] = self.robot.joint_moves[:, self.links]
        return moves

    @property
    def focal_precision(self) -> float:
        """of the log of the focal length; infinite where it is known"""
        return self.log_focal_std**-2 if self.log_focal_std else np.inf

    def precision(self, joints: Array) -> Array:
        """(J + 7,) of what is known without keypoints; `joints` (J,) [1/rad^2] is the joints'."""
        return np.concatenate([joints, np.zeros(6), [self.focal_precision]])

    def focal_cost(self, log_focal: Array) -> Array:
        """(B,) minus the log probability of focal lengths exp(log_focal) times that of K."""
        if not self.log_focal_std:
            return np.zeros(len(log_focal))
        cost: Array = 0.5 * (log_focal / self.log_focal_std) ** 2
        return cost

    def points(self, q: Array) -> Array:
        """The measured keypoints (B, N, 3) [m, base frame] at joint positions (B, J) [rad]."""
        return self.robot.keypoints(q)[..., self.keypoints, :]

    def for_all(self, values: NDArray[np.generic], missing: float) -> Array:
        """Values (N, ...) of the measured keypoints as an array over all keypoints (Kp, ...)."""
        full = np.full((len(self.robot.keypoint_names), *values.shape[1:]), missing)
        full[self.keypoints] = values
        return full


def check_measurements(
    robot: Robot,
    K: ArrayLike,
    keypoints_2d: ArrayLike,
    keypoints_std: ArrayLike,
    std_scale: float = 1.0,
    log_depth: tuple[ArrayLike, ArrayLike] | None = None,
    log_focal_std: float = 0.0,
) -> Measurements:
    """Measurements from keypoints (Kp, 2) [px] and stds (Kp,) [px], all the robot's in its order.

    The stds are multiplied by `std_scale`. `log_depth` is the log of the keypoints' depths (Kp,)
    [m] and its stds (Kp,), infinite where it was not measured; `log_focal_std` says how far the
    focal length may be from that of K.

    Raises:
        BadShapeError: a wrong shape, NaN, an infinite position, or a std that is not above 0.
        BadIntrinsicsError: K is not a camera matrix.
    """
    num_keypoints = len(robot.keypoint_names)
    matrix = check_K(K)
    positions = check_array("keypoints_2d", keypoints_2d, (num_keypoints, 2))
    std = _check_std("keypoints_std", keypoints_std, robot) * std_scale
    kept = np.flatnonzero(std < LARGEST_STD * matrix[0, 0])
    depths: tuple[Array, Array] | tuple[None, None] = None, None
    if log_depth is not None:
        values = check_array("log depth", log_depth[0], (num_keypoints,))
        stds = _check_std("log depth's std", log_depth[1], robot)
        if np.isfinite(stds[kept]).any():
            depths = values[kept], stds[kept]
    return Measurements(
        robot, matrix, kept, positions[kept], np.maximum(std[kept], SMALLEST_STD),
        depths[0], depths[1], log_focal_std,
    )  # fmt: skip


def _check_std(name: str, values: ArrayLike, robot: Robot) -> Array:
    std = check_array(name, values, (len(robot.keypoint_names),), infinite=True)
    if (std <= 0).any():
        k = int(np.argmin(std))
        raise BadShapeError(
            f"{name} must be above 0 (infinity: not measured), but that of "
            f"{robot.keypoint_names[k]} is {std[k]:g}"
        )
    return std


def check_array(
    name: str, values: ArrayLike, shape: tuple[int, ...], *, infinite: bool = False
) -> Array:
    """`values` as floats of that shape (-1: any length), free of NaN, and mostly of infinity.

    Raises:
        BadShapeError: it is not so; the message names `name`.
    """
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadShapeError(f"{name} must be an array of numbers: {error}") from None
    fits = array.ndim == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n == -1 else str(n) for n in shape)
        raise BadShapeError(f"{name} has shape {array.shape}, but must have ({wanted})")
    bad = np.isnan(array) if infinite else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise BadShapeError(
            f"{name} holds {array[where]} at {where}; give finite numbers"
            + (" or infinity" if infinite else ", and say 'not measured' by an infinite std")
        )
    return array


def check_pose(name: str, T: ArrayLike) -> Array:
    """`T` as a checked rigid transform (4, 4).

    Raises:
        BadShapeError: it is not one; the message names `name`.
    """
    matrix = check_array(name, T, (4, 4))
    R = matrix[:3, :3]
    rigid = np.allclose(R @ R.T, np.eye(3), atol=1e-4) and np.linalg.det(R) > 0
    if not rigid or not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise BadShapeError(
            f"{name} must be a rotation and a translation, [[R, t], [0, 0, 0, 1]], "
            f"but is {matrix.tolist()}"
        )
    return matrix
