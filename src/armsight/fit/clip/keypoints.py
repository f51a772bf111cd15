"""The keypoints of all frames of a clip as evidence: cost, gradient and Gauss-Newton's matrix.

A small change of a frame is delta = (dq (J) [rad], omega (3) [rad], v (3) [m], dlogf (1)), as in
armsight.fit.residuals, and the change of the log focal length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.gauss_newton import LOSS_CUTOFF
from armsight.fit.measurements import Measurements
from armsight.fit.residuals import linearise
from armsight.robots import Robot

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

BEHIND = 1e12
"""Squared residual of a keypoint behind the camera"""
MEDIAN_OF_RAYLEIGH = 1.1774


@dataclass(frozen=True)
class ClipKeypoints:
    """What was measured in N frames of one camera, of a robot with Kp keypoints."""

    robot: Robot
    K: Array
    """(3, 3) [px] nominal camera matrix"""
    keypoints_2d: Array
    """(N, Kp, 2) [px]"""
    std: Array
    """(N, Kp) [px]; infinite where not measured"""
    log_depth: Array
    """(N, Kp) log of the depth [m] that the nominal focal length would mean"""
    log_depth_std: Array
    """(N, Kp) infinite where not measured"""

    def __len__(self) -> int:
        return len(self.std)

    def __getitem__(self, frames: Indices) -> ClipKeypoints:
        return ClipKeypoints(
            self.robot,
            self.K,
            self.keypoints_2d[frames],
            self.std[frames],
            self.log_depth[frames],
            self.log_depth_std[frames],
        )

    def residuals(self, q: Array, camera: SharedCamera) -> ClipResiduals:
        """Whitened residuals and their Jacobian, with joints q (N, J) [rad] in the frames."""
        N = len(self)
        at = linearise(
            _unit_measurements(self.robot),
            q,
            np.broadcast_to(camera.R, (N, 3, 3)),
            np.broadcast_to(camera.t, (N, 3)),
        )
        # `at` holds x / z, y / z and log z of each keypoint: only now pixels come in.
        focal = np.diag(self.K)[:2] * np.exp(camera.log_focal)
        whiten = np.stack([1 / self.std, 1 / self.std, 1 / self.log_depth_std], axis=1)
        whiten = whiten * at.in_front[:, None]
        scale = whiten * np.append(focal, 1.0)[:, None]
        target = (self.keypoints_2d - self.K[:2, 2]).swapaxes(1, 2)
        target = np.concatenate([target, (self.log_depth + camera.log_focal)[:, None]], axis=1)
        residuals = at.residuals * scale - target * whiten
        by_focal = at.residuals * scale
        by_focal[:, 2] = -whiten[:, 2]
        jacobian = np.concatenate([at.jacobian[:, :-1] * scale[:, None], by_focal[:, None]], axis=1)
        squared = (residuals**2).sum(1)
        squared[~at.in_front & np.isfinite(self.std)] = BEHIND
        return ClipResiduals(residuals, jacobian, squared, np.isfinite(self.std))

    def projected_std(self, q: Array, camera: SharedCamera, covariance: Array) -> Array:
        """(N, Kp) [px] root mean square over u and v of the keypoints' projected covariance.

        `covariance` (N, J + 7, J + 7) is that of each frame's joints and the camera.
        """
        pixels = replace(
            self, std=np.ones_like(self.std), log_depth_std=np.full_like(self.std, np.inf)
        )
        jacobian = pixels.residuals(q, camera).jacobian[:, :, :2]
        variances = np.einsum("nack,nab,nbck->nck", jacobian, covariance, jacobian, optimize=True)
        return np.asarray(np.sqrt(np.maximum(variances, 0.0).mean(1)))


@dataclass(frozen=True)
class ClipResiduals:
    """Keypoints of N frames, linearised."""

    residuals: Array
    """(N, 3, Kp) of u, v and log depth; no unit; 0 where not measured"""
    jacobian: Array
    """(N, J + 7, 3, Kp)"""
    squared: Array
    """(N, Kp)"""
    measured: NDArray[np.bool_]
    """(N, Kp)"""

    def scale(self) -> Array:
        """(N,) size of each frame's residuals by their median; at least 1."""
        values = np.where(self.measured, self.squared, np.nan)
        empty = ~self.measured.any(-1)
        values[empty] = 0.0
        middle = np.sqrt(np.nanmedian(values, axis=-1)) / MEDIAN_OF_RAYLEIGH
        scale: Array = np.clip(middle, 1.0, 1e6)
        return scale

    def cost(self, scale: Array) -> Array:
        """(N,) half of the sum of Geman and McClure's loss, see armsight.fit.gauss_newton."""
        x = self.squared / scale[:, None] ** 2
        cost: Array = 0.5 * (LOSS_CUTOFF**2 * x / (LOSS_CUTOFF**2 + x)).sum(-1)
        return cost

    def terms(self, scale: Array) -> tuple[Array, Array]:
        """Gradient (N, J + 7) and Gauss-Newton's matrix (N, J + 7, J + 7)."""
        x = self.squared / scale[:, None] ** 2
        weights = (LOSS_CUTOFF**2 / (LOSS_CUTOFF**2 + x)) ** 2 / scale[:, None] ** 2
        N, M = self.jacobian.shape[:2]
        jacobian = self.jacobian.reshape(N, M, -1)
        weighted = (self.jacobian * weights[:, None, None]).reshape(N, M, -1)
        gradient = (weighted @ self.residuals.reshape(N, -1, 1))[..., 0]
        return gradient, weighted @ jacobian.swapaxes(-1, -2)

    def replaced(self, rows: NDArray[np.bool_], other: ClipResiduals) -> ClipResiduals:
        """`other` in the chosen rows (N,), else this."""
        return ClipResiduals(
            np.where(rows[:, None, None], other.residuals, self.residuals),
            np.where(rows[:, None, None, None], other.jacobian, self.jacobian),
            np.where(rows[:, None], other.squared, self.squared),
            self.measured,
        )


def _unit_measurements(robot: Robot) -> Measurements:
    """All keypoints as seen by a camera of focal length 1: residuals are x / z, y / z, log z."""
    count = len(robot.keypoint_names)
    zeros, ones = np.zeros(count), np.ones(count)
    return Measurements(robot, np.eye(3), np.arange(count), np.zeros((count, 2)), ones, zeros, ones)
