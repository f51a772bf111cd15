"""Cameras around an arm, and square crops of their pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CameraRanges:
    """What cameras are drawn from. Lengths are those for an arm of the Panda's reach."""

    distance: tuple[float, float] = (0.5, 2.5)
    """from the camera to the point looked at [m]"""
    fov_deg: tuple[float, float] = (35.0, 90.0)
    """horizontal field of view"""
    elevation_deg: tuple[float, float] = (-12.0, 75.0)
    roll_sd_deg: float = 7.0
    wild_roll: float = 0.06
    """share of pictures with a roll of up to 45 degrees"""
    centre_sd: float = 0.012
    """how far the principal point is off the centre, as a share of the width"""
    aim_sd: float = 0.18
    """how far the camera looks past the arm [m]"""
    nearest: float = 0.3
    """from the camera to the nearest link origin [m]: a camera inside of the arm sees nothing"""

    def scaled(self, factor: float) -> CameraRanges:
        """For an arm whose reach is `factor` times the Panda's."""
        near, far = self.distance
        return replace(
            self,
            distance=(factor * near, factor * far),
            aim_sd=factor * self.aim_sd,
            nearest=factor * self.nearest,
        )


def look_at(position: Array, target: Array, roll: float) -> Array:
    """`T_cam_base` (4, 4) of an OpenCV camera at `position` that looks at `target` [m, base].

    `roll` [rad] turns the picture clockwise. Up is the base frame's z.
    """
    z = (target - position) / np.linalg.norm(target - position)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x = x / np.linalg.norm(x) if np.linalg.norm(x) > 1e-6 else np.array([1.0, 0.0, 0.0])
    y = np.cross(z, x)
    c, s = np.cos(roll), np.sin(roll)
    R = np.stack([c * x + s * y, -s * x + c * y, z])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, -R @ position
    return T


def intrinsics(fov: float, width: int, height: int) -> Array:
    """K (3, 3) [px] of a centred pinhole camera with square pixels; `fov` horizontal [rad]."""
    f = width / 2 / np.tan(fov / 2)
    return np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]])


def project(points: Array, K: Array, T_cam_base: Array) -> tuple[Array, Array]:
    """Pixels (N, 2) and camera coordinates (N, 3) [m] of points (N, 3) [m, base frame].

    Points behind the camera get pixels far outside of any image.
    """
    cam = points @ T_cam_base[:3, :3].T + T_cam_base[:3, 3]
    z = np.where(cam[:, 2] > 1e-3, cam[:, 2], 1e-3)
    uv = np.stack([cam[:, 0] / z * K[0, 0] + K[0, 2], cam[:, 1] / z * K[1, 1] + K[1, 2]], 1)
    return uv, cam


def inside(uv: Array, width: float, height: float) -> NDArray[np.bool_]:
    """(N,): the pixel lies in an image of that size."""
    return (
        (uv[:, 0] > -0.5) & (uv[:, 0] < width - 0.5) & (uv[:, 1] > -0.5) & (uv[:, 1] < height - 0.5)
    )


def crop_intrinsics(K: Array, x0: float, y0: float, side: float, size: int) -> Array:
    """K of a square crop scaled to `size` x `size`.

    The crop spans x0 .. x0 + side in edge coordinates, in which the image spans 0 .. width.
    """
    s = size / side
    crop = K.copy()
    crop[0, 0], crop[1, 1] = K[0, 0] * s, K[1, 1] * s
    crop[0, 2] = (K[0, 2] + 0.5 - x0) * s - 0.5
    crop[1, 2] = (K[1, 2] + 0.5 - y0) * s - 0.5
    return crop


def sample_camera(
    rng: np.random.Generator, ranges: CameraRanges, arm_points: Array, width: int, height: int
) -> tuple[Array, Array]:
    """K (3, 3) [px] and T_cam_base (4, 4) of a random camera around the arm.

    Args:
        arm_points: (N, 3) [m, base frame] points along the arm, base to hand.
    """
    fov = np.deg2rad(rng.uniform(*ranges.fov_deg))
    a = rng.uniform(0, len(arm_points) - 1)
    i = min(int(a), len(arm_points) - 2)
    target = arm_points[i] + (a - i) * (arm_points[i + 1] - arm_points[i])
    if rng.random() < 0.5:
        target = 0.5 * target + 0.5 * arm_points.mean(0)
    target = target + rng.normal(0, ranges.aim_sd, 3)
    azimuth = rng.uniform(-np.pi, np.pi)
    low, high = np.sin(np.deg2rad(ranges.elevation_deg))
    elevation = np.arcsin(low + (high - low) * rng.beta(1.3, 2.2))
    roll = rng.normal(0, np.deg2rad(ranges.roll_sd_deg))
    if rng.random() < ranges.wild_roll:
        roll = rng.uniform(-np.pi / 4, np.pi / 4)
    for _ in range(20):
        distance = rng.uniform(*ranges.distance)
        offset = np.array(
            [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation),
             np.sin(elevation)]
        )  # fmt: skip
        position = target + distance * offset
        if np.linalg.norm(arm_points - position, axis=1).min() > ranges.nearest:
            break
    K = intrinsics(fov, width, height)
    K[:2, 2] += rng.normal(0, ranges.centre_sd, 2) * width
    K[1, 1] *= 1 + rng.normal(0, 0.002)
    return K, look_at(position, target, roll)


def sample_crop(
    rng: np.random.Generator, seen: Array, width: int, height: int, whole_frame: float = 0.1
) -> tuple[float, float, float]:
    """x0, y0 and side of a square crop around the part of the arm that is in the frame.

    Args:
        seen: (N, 2) pixels of points on the arm that lie in the frame.
        whole_frame: share of crops that hold the whole frame instead.
    """
    if len(seen) < 2 or rng.random() < whole_frame:
        side = float(max(width, height))
        return (width - side) / 2, (height - side) / 2, side
    low, high = seen.min(0) + 0.5, seen.max(0) + 0.5
    # Keypoints lie a little inside of the silhouette, hence the extra tenth.
    box = max(float((high - low).max()) * 1.1, 40.0)
    side = min(box * rng.uniform(1.05, 1.8), 1.25 * max(width, height))
    slack = max(side - box, 0.05 * side)
    centre = (low + high) / 2 + rng.uniform(-0.4, 0.4, 2) * slack
    return float(centre[0] - side / 2), float(centre[1] - side / 2), float(side)
