"""Reprojection residuals of a robot's keypoints and their analytic Jacobian, for many states.

A state is the joint angles q (J,) [rad], the camera pose `T_cam_base`, and the log of the focal
length over that of K. Its small changes are delta = (dq [rad], omega [rad], v [m], dlogf), J + 7
numbers:

    q <- q + dq,    R <- turn(omega) R,    t <- t + v       with T_cam_base = [R, t]

so omega turns the base about its own origin, in the camera's axes, and v moves that origin.

Every row of the Jacobian is a force: a pixel coordinate that grows by `a . dp` when its point
moves by dp [m] (camera axes) reacts to a turn about an axis `s` through `o` by
`a . (s x (p - o)) = (p x a) . s + a . (o x s)`. With the wrench W = (p x a, a) of each row and
the screw S = (s, o x s) of each joint, all of it is one matrix product, and the wrench itself is
the Jacobian of the camera's six numbers (Featherstone, Rigid Body Dynamics Algorithms, ch. 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from armsight.fit.measurements import Measurements
from armsight.robots import Robot
from armsight.robots.kinematics import link_frames, points_on_links

Array = NDArray[np.floating]

NEAREST_DEPTH = 0.02
"""Depth [m] under which a point counts as behind the camera: no lens focuses nearer."""

SKEWS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]],
    dtype=float,
)
"""The cross-product matrices of the three axes, each flattened."""


@dataclass(frozen=True)
class Linearisation:
    """B states with N keypoints each: where they project, and how that changes."""

    residuals: Array
    """(B, M, N) (projected - measured) / std of all u, all v and, where it was measured, log z:
    M is 2 or 3; no unit; 0 behind the camera"""
    jacobian: Array
    """(B, J + 7, M, N) their derivatives by (dq, omega, v, dlogf); 0 behind the camera"""
    in_front: NDArray[np.bool_]
    """(B, N) the point lies in front of the camera"""

    @cached_property
    def squared(self) -> Array:
        """(B, N) squared length of each keypoint's residual; infinite behind the camera"""
        return np.where(self.in_front, (self.residuals**2).sum(-2), np.inf)

    def __getitem__(self, index: NDArray[np.intp] | slice) -> Linearisation:
        return Linearisation(self.residuals[index], self.jacobian[index], self.in_front[index])


def linearise(
    measured: Measurements, q: Array, R: Array, t: Array, log_focal: Array | None = None,
    frames: tuple[Array, Array] | None = None,
) -> Linearisation:  # fmt: skip
    """Whitened residuals and their Jacobian at B states.

    Args:
        measured: the image's keypoints.
        q: (B, J) joint positions [rad].
        R, t: (B, 3, 3) and (B, 3) [m] of `T_cam_base`.
        log_focal: (B,) log of the focal lengths over that of `measured.K`; 0 by default.
        frames: `link_frames` at `q`, where they are known already.

    Keypoints are the last axis of every array: NumPy is several times slower on short last axes.
    """
    frames = frames or link_frames(measured.robot.chain, q, np)
    # Camera axes, but still about the base's origin: (B, 3, N), then (B, 1, N) each.
    points = R @ points_on_links(frames, measured.links, measured.positions).swapaxes(-1, -2)
    x, y, z = (points[:, [i]] for i in range(3))

    depth = z + t[:, 2:, None]
    in_front = depth > NEAREST_DEPTH
    inverse = in_front / np.where(in_front, depth, 1.0)
    right, down = (x + t[:, :1, None]) * inverse, (y + t[:, 1:2, None]) * inverse
    K = measured.K[:2, :, None]
    by_x, by_y = (K[:, i] for i in (0, 1))
    if log_focal is not None:
        zoom = np.exp(log_focal)[:, None, None]
        by_x, by_y = zoom * by_x, zoom * by_y
    target = measured.keypoints_2d.T - K[:, 2]
    weight = in_front / measured.std
    from_centre = (by_x * right + by_y * down) * weight
    residuals = from_centre - target * weight

    B, num_keypoints = len(q), measured.num_keypoints
    num_joints = q.shape[-1]
    num_rows = 2 if measured.log_depth is None else 3
    jacobian = np.empty((B, num_joints + 7, num_rows, num_keypoints))
    wrench, by_focal = jacobian[:, num_joints:-1], jacobian[:, -1]
    by_focal[:, :2] = from_centre
    per_std = inverse / measured.std
    wrench[:, 3, :2] = by_x * per_std  # d(pixel)/d(point), in units of one std
    wrench[:, 4, :2] = by_y * per_std
    wrench[:, 5, :2] = -wrench[:, 3, :2] * right - wrench[:, 4, :2] * down
    if measured.log_depth is not None:
        off, by_focal[:, 2:] = _depth_residuals(measured, depth, in_front, log_focal)
        residuals = np.concatenate([residuals, off], axis=1)
        wrench[:, 3:5, 2] = 0.0
        wrench[:, 5, 2:] = inverse / measured.log_depth_std
    wrench[:, 0] = y * wrench[:, 5] - z * wrench[:, 4]
    wrench[:, 1] = z * wrench[:, 3] - x * wrench[:, 5]
    wrench[:, 2] = x * wrench[:, 4] - y * wrench[:, 3]

    by_joint = screws(measured.robot, frames, R).swapaxes(-1, -2) @ wrench.reshape(
        B, 6, num_rows * num_keypoints
    )
    np.multiply(
        by_joint.reshape(B, num_joints, num_rows, num_keypoints),
        measured.moves[:, None],
        out=jacobian[:, :num_joints],
    )
    return Linearisation(residuals, jacobian, in_front[:, 0])


def _depth_residuals(
    measured: Measurements, depth: Array, in_front: Array, log_focal: Array | None
) -> tuple[Array, Array]:
    """Whitened residuals (B, 1, N) of the keypoints' log depths, and their slope by log focal."""
    assert measured.log_depth is not None
    assert measured.log_depth_std is not None
    weight = in_front / measured.log_depth_std
    # An arm seen as large as this is farther away if the focal length is longer.
    longer = 0.0 if log_focal is None else log_focal[:, None, None]
    log_z = np.log(np.where(in_front, depth, 1.0))
    return (log_z - (measured.log_depth + longer)) * weight, -weight


def screws(robot: Robot, frames: tuple[Array, Array], R: Array) -> Array:
    """(B, 6, J) the joints' screws in camera axes, about the base's origin.

    Args:
        robot: the arm.
        frames: `link_frames` at B states.
        R: (B, 3, 3) rotation of `T_cam_base`.
    """
    rotations, origins = frames
    links = robot.joint_links
    axes = R @ (rotations[:, links] @ robot.joint_axes[..., None])[..., 0].swapaxes(-1, -2)
    arms = R @ origins[:, links].swapaxes(-1, -2)
    result = np.empty((len(R), 6, len(links)))
    result[:, :3] = axes
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        result[:, 3 + i] = arms[:, j] * axes[:, k] - arms[:, k] * axes[:, j]
    return result


def step(q: Array, R: Array, t: Array, delta: Array) -> tuple[Array, Array, Array]:
    """Joints and camera poses after small changes `delta` (B, J + 7); see `States.moved`."""
    num_joints = q.shape[-1]
    omega, v = np.split(delta[:, num_joints : num_joints + 6], 2, axis=1)
    return q + delta[:, :num_joints], turn(omega) @ R, t + v


def turn(omega: Array) -> Array:
    """Rotations (B, 3, 3) by Cayley's map, exp(omega) up to its third order, without sin or cos."""
    half = 0.5 * omega
    W = (half @ SKEWS).reshape(-1, 3, 3)
    R: Array = np.eye(3) + (2 / (1 + (half**2).sum(-1)))[:, None, None] * (W + W @ W)
    return R
