"""Simulated views of an arm: what a camera would measure, and what a model might guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.geometry import make_transform, project, transform_points
from armsight.robots import Robot, load_robot

Array = NDArray[np.floating]

ROBOT = load_robot("panda")
K = np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]])
WIDTH, HEIGHT = 640, 480

MIRROR_SIGNS = np.array([-1, 1, -1, 1, -1, 1, -1])
"""The Panda reflected in its own vertical plane: the elbow on the other side."""


@dataclass(frozen=True)
class View:
    """One image of the arm: the truth, the measurements, and which of these are gross outliers."""

    q: Array
    T_cam_base: Array
    keypoints_2d: Array
    keypoints_std: Array
    outliers: NDArray[np.bool_]

    def add(self, q: Array, T_cam_base: Array | None) -> float:
        """Mean distance [m] of the link origins, camera frame; infinite without a camera."""
        if T_cam_base is None:
            return float("inf")
        count = ROBOT.num_origin_keypoints
        ours = transform_points(T_cam_base, ROBOT.keypoints(q)[:count])
        true = transform_points(self.T_cam_base, ROBOT.keypoints(self.q)[:count])
        return float(np.linalg.norm(ours - true, axis=-1).mean())

    def guesses(self, rng: np.random.Generator, std: float, count: int = 1) -> Array:
        """Hypotheses (count, J) that share half of their error's variance, `std` [rad] in all."""
        shared = rng.standard_normal(len(self.q)) * std * np.sqrt(0.5)
        own = rng.standard_normal((count, len(self.q))) * std * np.sqrt(0.5)
        return ROBOT.clip(self.q + shared + own)


def view(
    rng: np.random.Generator,
    noise: float = 1.0,
    *,
    hidden: float = 1 / 3,
    outliers: float = 0.0,
    robot: Robot = ROBOT,
) -> View:
    """A view from 0.8 to 2 m, at least five link origins in frame.

    Args:
        rng: chooses everything.
        noise: standard deviation [px] of the keypoints; the stated std is that, or 1 without noise.
        hidden: share of keypoints that are not measured.
        outliers: share of the others that lie anywhere in the image.
    """
    low, high = robot.joint_limits.T
    while True:
        q = robot.ready_positions + 0.6 * rng.standard_normal(len(low))
        if rng.random() < 0.2:
            q = rng.uniform(low, high)
        T = _camera(rng, np.array([0.2, 0, 0.4]) + 0.1 * rng.standard_normal(3))
        pixels = project(transform_points(T, robot.keypoints(q)), K)
        with np.errstate(invalid="ignore"):
            inside = ((pixels > 0) & (pixels < [WIDTH - 1, HEIGHT - 1])).all(-1)
        if ((q > low) & (q < high)).all() and inside[: robot.num_origin_keypoints].sum() >= 5:
            break
    measured = inside & (rng.random(len(pixels)) >= hidden)
    wrong = measured & (rng.random(len(pixels)) < outliers)
    pixels = pixels + noise * rng.standard_normal(pixels.shape)
    pixels[wrong] = rng.uniform([0, 0], [WIDTH, HEIGHT], (int(wrong.sum()), 2))
    std = np.where(measured, noise or 1.0, np.inf)
    return View(q, T, np.nan_to_num(pixels), std, wrong)


def _camera(rng: np.random.Generator, target: Array) -> Array:
    """A camera that looks at the target from above or from the side, rolled a little."""
    direction = rng.standard_normal(3)
    direction[2] = 0.5 * abs(direction[2]) + 0.1
    forward = -direction / np.linalg.norm(direction)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    roll = 0.2 * rng.standard_normal()
    cos, sin = np.cos(roll), np.sin(roll)
    R = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ R
    return make_transform(R, -R @ (target - rng.uniform(0.8, 2.0) * forward))
