"""Frames of a fixed camera that are drawn from a known arm: what a recording would hold."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import intrinsics_from_fov
from armsight.render.imaging.camera import look_at
from armsight.robots import Robot, load_robot
from armsight.robots.projected import Projected
from armsight.robots.surface_mesh import SurfaceMesh
from armsight.vlm.drawing import Camera, shaded

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

ROBOT = load_robot("panda")
SIZE = (320, 240)


@dataclass(frozen=True)
class Recorded:
    """N frames, the joints in them, and the camera that saw them."""

    images: list[Pixels]
    q: Array
    camera: Camera

    @property
    def K(self) -> Array:
        return self.camera.K

    def errors(self, T_cam_base: Array) -> tuple[float, float]:
        """[m] of the camera's centre and [deg] of its turn."""
        centres = [-T[:3, :3].T @ T[:3, 3] for T in (T_cam_base, self.camera.T_cam_base)]
        turn = T_cam_base[:3, :3] @ self.camera.T_cam_base[:3, :3].T
        angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        return float(np.linalg.norm(centres[0] - centres[1])), float(angle)


def camera_at(
    azimuth_deg: float, elevation_deg: float, distance: float = 1.8, roll: float = 0.0
) -> Camera:
    """Looks at the middle of the arm's workspace from that far away [m]."""
    a, e = np.radians([azimuth_deg, elevation_deg])
    target = np.array([0.25, 0.0, 0.4])
    offset = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    T = look_at(target + distance * offset, target, roll)
    return Camera(intrinsics_from_fov(*SIZE, 60.0), T, *SIZE)


def working_poses(count: int, seed: int, robot: Robot = ROBOT) -> Array:
    """(N, J) [rad] poses all over the workspace."""
    noise = np.random.default_rng(seed).normal(0, 0.45, (count, len(robot.joint_names)))
    return np.clip(robot.ready_positions + noise, *robot.joint_limits.T)


def smooth_path(count: int, seed: int, robot: Robot = ROBOT) -> Array:
    """(N, J) [rad] of a smooth motion."""
    rng = np.random.default_rng(seed)
    t = np.arange(count)[:, None]
    J = len(robot.joint_names)
    period, phase = rng.uniform(15, 40, (3, J)), rng.uniform(0, 2 * np.pi, (3, J))
    waves = sum(0.25 * np.sin(2 * np.pi * t / p + f) for p, f in zip(period, phase, strict=True))
    return np.clip(robot.ready_positions + waves, *robot.joint_limits.T)


def room(seed: int) -> Pixels:
    """A background with things in it that have edges."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIZE[1], SIZE[0], 3), rng.integers(80, 170, 3), np.uint8)
    for _ in range(14):
        x, y = rng.uniform([0, 0], SIZE).astype(int)
        w, h = rng.integers(10, 90, 2)
        colour = [int(c) for c in rng.integers(40, 220, 3)]
        cv2.rectangle(picture, (x, y), (x + int(w), y + int(h)), colour, -1)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def record(
    q: Array, camera: Camera, seed: int = 0, *, robot: Robot = ROBOT, gains: bool = True
) -> Recorded:
    """Draw frames before a room, each with noise and an exposure of its own."""
    rng = np.random.default_rng(seed)
    background = room(seed)
    mesh = SurfaceMesh.of(robot)
    images = []
    for pose in q:
        T = camera.T_cam_base @ robot.forward_kinematics(pose)
        mask = Projected.of(mesh, T, camera.K, max(SIZE)).mask(*SIZE) > 0
        picture = np.where(mask[..., None], shaded(robot, pose, camera), background).astype(float)
        picture = picture * (rng.uniform(0.85, 1.1) if gains else 1.0)
        picture += rng.normal(0, 2.0, picture.shape)
        images.append(np.clip(picture, 0, 255).astype(np.uint8))
    return Recorded(images, q, camera)
