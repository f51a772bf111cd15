"""Drawings of a robot in a plain room: the package's reference picture, and `--refine`'s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import ArmsightError, MissingExtraError
from armsight.robots import Robot

if TYPE_CHECKING:
    from armsight.render.scene.scene import Scene

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

SIZE = (768, 576)
FOV_DEG = 45.0
AZIMUTH_DEG, ELEVATION_DEG = 40.0, 20.0
"""Where the default camera stands: ahead of the robot, to its left, a little above"""
GREY = 178
MARGIN = 1.08


@dataclass(frozen=True)
class Camera:
    """Where a drawing is seen from."""

    K: Array
    """(3, 3) [px]"""
    T_cam_base: Array
    """(4, 4) [m]"""
    width: int
    height: int


def default_camera(
    robot: Robot,
    joint_positions: ArrayLike,
    azimuth_deg: float = AZIMUTH_DEG,
    elevation_deg: float = ELEVATION_DEG,
) -> Camera:
    """A camera that sees the whole arm in a pose (J,) [rad], from ahead and to its left."""
    from armsight.render.imaging.camera import intrinsics, look_at

    width, height = SIZE
    points = robot.keypoints(joint_positions)
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    reach = float(np.linalg.norm(points - middle, axis=1).max()) * MARGIN
    vertical = 2 * np.arctan(np.tan(np.radians(FOV_DEG) / 2) * height / width)
    distance = reach / np.sin(vertical / 2)
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    offset = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    K = intrinsics(np.radians(FOV_DEG), width, height)
    return Camera(K, look_at(middle + distance * offset, middle, 0.0), width, height)


class Drawer:
    """Draws one robot; with MuJoCo as it looks, without it as shaded link meshes."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self._scene: Scene | None = None
        self._tried = False
        self._size = (0, 0)

    def draw(self, joint_positions: ArrayLike, camera: Camera) -> Pixels:
        """A picture (H, W, 3) RGB of a pose (J,) [rad] before plain grey."""
        q = np.asarray(joint_positions, dtype=float)
        scene = self._get_scene(camera)
        if scene is None:
            return shaded(self.robot, q, camera)
        scene.pose(q, 0.5)
        w, h = camera.width, camera.height
        K = np.diag([2.0, 2.0, 1.0]) @ camera.K
        K[:2, 2] += 0.5
        buffers = scene.draw(K, camera.T_cam_base, (2 * w, 2 * h))
        alpha = scene.drawn_mask(buffers).astype(np.float32)[..., None]
        both = np.dstack([buffers.rgb.astype(np.float32) * alpha, alpha])
        small = np.asarray(cv2.resize(both, (w, h), interpolation=cv2.INTER_AREA))
        picture = small[..., :3] + (1 - small[..., 3:]) * GREY
        return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)

    def require_scene(self, camera: Camera) -> None:
        """Make sure that MuJoCo draws.

        Raises:
            MissingExtraError: it is not installed, or nothing can draw off screen.
        """
        if self._get_scene(camera) is None:
            raise MissingExtraError(
                f"a rendered picture of {self.robot.name}",
                "MuJoCo",
                'pip install "armsight[render]"',
            )

    def close(self) -> None:
        """Free the graphics library's memory."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None

    def _get_scene(self, camera: Camera) -> Scene | None:
        wider = camera.width > self._size[0] or camera.height > self._size[1]
        if not self._tried or (self._scene is not None and wider):
            self.close()
            self._tried, self._size = True, (camera.width, camera.height)
            try:
                from armsight.render.scene.appearance import Appearance, Light
                from armsight.render.scene.scene import Scene

                scene = Scene(self.robot, 2 * camera.width, 2 * camera.height)
                lights = [
                    Light(direction=(-0.5, -0.3, -0.8), diffuse=(0.5, 0.5, 0.5)),
                    Light(direction=(-0.2, 0.7, -0.4), diffuse=(0.25, 0.25, 0.25)),
                ]
                scene.apply(Appearance(lights=lights, ambient=(0.35, 0.35, 0.35), shadows=False))
                self._scene = scene
            except (ArmsightError, ImportError):
                self._scene = None
        return self._scene


def shaded(robot: Robot, joint_positions: Array, camera: Camera) -> Pixels:
    """The light link meshes with flat shading, far faces first: needs no graphics library."""
    canvas = np.full((camera.height, camera.width, 3), GREY, np.uint8)
    frames = robot.forward_kinematics(joint_positions)
    triangles, depths, shades = [], [], []
    for i, (link, (vertices, faces)) in enumerate(robot.link_shapes().items()):
        T = camera.T_cam_base @ frames[robot.link_names.index(link)]
        corners = (vertices @ T[:3, :3].T + T[:3, 3])[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        middle = corners.mean(axis=1)
        facing = (normals * middle).sum(axis=1) < 0
        kept = facing & (corners[..., 2] > 0.05).all(axis=1)
        pixels = corners[kept] @ camera.K.T
        triangles.append(pixels[..., :2] / pixels[..., 2:])
        depths.append(middle[kept, 2])
        light = np.clip(-normals[kept] @ np.array([0.3, -0.5, 0.8]), 0, 1)
        shades.append((215 if i % 2 else 240) * (0.45 + 0.55 * light))
    if not triangles:
        return canvas
    points = np.round(np.concatenate(triangles) * 16).astype(np.int64)
    shade = np.concatenate(shades)
    for k in np.argsort(-np.concatenate(depths)):
        if np.abs(points[k]).max() < 2**30:
            grey = float(shade[k])
            cv2.fillConvexPoly(canvas, points[k].astype(np.int32), (grey,) * 3, cv2.LINE_8, 4)
    return np.asarray(cv2.medianBlur(canvas, 5), np.uint8)  # the light meshes have cracks
