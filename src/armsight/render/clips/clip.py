"""One clip, made from (split, seed) alone: pictures of a fixed camera, joints, and the truth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.render.clips.faults import Faults, moved_camera, wrong_log
from armsight.render.clips.joint_path import free_pose, joint_path
from armsight.render.frame import SPLITS, reach_scale
from armsight.render.imaging import camera
from armsight.render.imaging.picture import Finisher, shrunk, through_camera
from armsight.render.imaging.view import SUPERSAMPLING, CameraView, buffers_of
from armsight.render.scene import randomization
from armsight.render.scene.appearance import NUM_OBJECTS, Appearance, Solid
from armsight.render.scene.backgrounds import Pictures
from armsight.render.scene.people import person, placed
from armsight.render.scene.scene import Scene
from armsight.robots import Robot

Array = NDArray[np.float64]

CLIPS = 7
"""Keeps the random numbers of clips apart from those of single pictures"""
CAMERAS = camera.CameraRanges(
    distance=(0.7, 2.0), fov_deg=(40.0, 85.0), elevation_deg=(0.0, 60.0), roll_sd_deg=4.0,
    wild_roll=0.0,
)  # fmt: skip
SHARE_OF_FRAMES = 0.8
"""In so many frames most of the arm is in the picture"""


@dataclass(frozen=True)
class ClipSettings:
    """What kind of clips to make; the same settings and seed give the same pixels."""

    split: str = "eval"
    """train or eval, as for single pictures"""
    frames: int = 8
    fps: float | None = None
    """[1/s] of a moving arm; None: photos of the arm in unrelated poses"""
    size: tuple[int, int] = (640, 480)
    """width, height [px]"""
    cameras: camera.CameraRanges = CAMERAS
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class Clip:
    """N pictures of a fixed camera."""

    images: list[NDArray[np.uint8]]
    """N of (H, W, 3) RGB"""
    masks: list[NDArray[np.uint8]]
    """N of (H, W), the robot's share of each pixel, 0 to 255"""
    joint_positions: Array
    """(N, J) [rad] as the pictures show them"""
    log: Array
    """(N, J) [rad] as they were logged, with the log's faults"""
    times: Array | None
    """(N,) [s] of the pictures"""
    K: Array
    """(3, 3) [px]"""
    T_cam_base: Array
    """(N, 4, 4): all the same unless the camera was moved"""
    faults: Faults


@dataclass(frozen=True)
class Walker:
    """Someone who walks straight through a clip."""

    parts: list[Solid]
    start: Array
    end: Array
    """(3,) [m, base frame] on the floor"""

    def at(self, share: float) -> list[Solid]:
        """The person when that share of the clip is over."""
        way = self.end - self.start
        yaw = float(np.arctan2(way[1], way[0]))
        return placed(self.parts, self.start + share * way, yaw)


class ClipMaker:
    """Makes clips of one robot; holds its model."""

    def __init__(self, robot: Robot, settings: ClipSettings, pictures: Path | None = None) -> None:
        self.robot, self.settings = robot, settings
        self._pictures = Pictures(pictures)
        self._finisher = Finisher(settings.split, self._pictures)
        self._scale = reach_scale(robot)
        width, height = settings.size
        self._scene = Scene(robot, width * SUPERSAMPLING, height * SUPERSAMPLING)

    def make(self, seed: int, faults: Faults | None = None) -> Clip:
        """Clip number `seed`; `faults` replaces those of the settings."""
        s = self.settings
        faults = s.faults if faults is None else faults
        rng = np.random.default_rng(np.random.SeedSequence((SPLITS[s.split], CLIPS, seed)))
        times, q, log = self._joints(rng, faults)
        view = self._view(rng, q)
        look, walker = self._look(rng, q, view, faults)
        K, T = view.K, np.repeat(view.T_cam_base[None], len(q), 0)
        if faults.camera_moved_at is not None:
            T[faults.camera_moved_at :] = moved_camera(rng, view.T_cam_base, faults)
        opening, metered = float(rng.random()), dict[str, Any]()
        drawn, stored = (int(rng.integers(2**31)) for _ in range(2))
        wave = rng.uniform(0, 2 * np.pi, 3)
        images, masks = [], []
        for i, positions in enumerate(q):
            share = i / max(len(q) - 1, 1)
            shown = self._at(share, look, walker, wave, faults)
            self._scene.pose(positions, opening)
            self._scene.apply(shown)
            here = replace(view, T_cam_base=T[i])
            buffers = buffers_of(self._scene, here)
            known: dict[str, Any] = {} if faults.auto_exposure else metered
            picture = self._finisher(
                np.random.default_rng(drawn), self._scene, here, shown, buffers, metered
            )
            images.append(
                through_camera(np.random.default_rng(stored), picture, 1.0, known, stored + i)
            )
            masks.append(shrunk(self._scene.robot_mask(buffers), view.size))
        return Clip(images, masks, q, log, times, K, T, faults)

    def close(self) -> None:
        """Free the graphics library's memory."""
        self._scene.close()

    def _joints(
        self, rng: np.random.Generator, faults: Faults
    ) -> tuple[Array | None, Array, Array]:
        """Times of the pictures, joints in them, and the log."""
        s = self.settings
        if s.fps is None:
            if faults.lag_frames:
                raise ConfigError("photos of unrelated poses have no lag; give frames per second")
            q = np.array([free_pose(rng, self.robot) for _ in range(s.frames)])
            return None, q, wrong_log(q, faults)
        times = np.arange(s.frames) / s.fps
        both = np.concatenate([times, times + faults.lag_frames / s.fps])
        order = np.argsort(both, kind="stable")
        path = np.empty((len(both), len(self.robot.joint_names)))
        path[order] = joint_path(rng, self.robot, both[order])
        return times, path[: s.frames], wrong_log(path[s.frames :], faults)

    def _view(self, rng: np.random.Generator, q: Array) -> CameraView:
        """A camera before which most of the arm stays in the picture."""
        s = self.settings
        width, height = s.size
        count = self.robot.num_origin_keypoints
        origins = np.asarray(self.robot.keypoints(q), dtype=float)[:, :count]
        enough = min(5, count - 1)
        ranges = s.cameras.scaled(self._scale)
        for _ in range(2000):
            middle = origins[int(rng.integers(len(q)))]
            K, T = camera.sample_camera(rng, ranges, middle, width, height)
            uv, cam = camera.project(origins.reshape(-1, 3), K, T)
            seen = camera.inside(uv, width, height) & (cam[:, 2] > 0.05 * self._scale)
            inside = seen.reshape(len(q), count).sum(1) >= enough
            near = np.linalg.norm(cam, axis=1).min() > ranges.nearest
            if near and inside.mean() >= SHARE_OF_FRAMES:
                whole = np.array([-0.5, -0.5, width - 0.5, height - 0.5])
                return CameraView(K, T, s.size, whole, 1.0)
        raise ConfigError(f"none of 2000 cameras keeps the arm in the picture with {ranges}")

    def _look(
        self, rng: np.random.Generator, q: Array, view: CameraView, faults: Faults
    ) -> tuple[Appearance, Walker | None]:
        """The room, and who walks through it."""
        T = view.T_cam_base
        points = np.asarray(self.robot.keypoints(q), dtype=float)
        points = points[:, : self.robot.num_origin_keypoints].reshape(-1, 3)
        position = -T[:3, :3].T @ T[:3, 3]
        look = randomization.sample_appearance(
            rng, self.settings.split, self._scene.robot_materials, True, points, position,
            self._pictures, self._scale, self.robot.simulation.get("colours") == "any",
        )  # fmt: skip
        look.shadows = look.shadows or faults.moving_shadows
        walker = None
        if faults.person:
            parts = person(rng)
            look.objects = look.objects[: NUM_OBJECTS - len(parts)]
            ground = look.furniture["floor"].position[2]
            # Across the line from the camera to the arm, before it or behind it.
            line = (points.mean(0) - position)[:2]
            across = np.array([-line[1], line[0]]) / np.linalg.norm(line)
            at = position[:2] + rng.uniform(0.45, 1.5) * line
            reach = 1.2 * float(np.linalg.norm(line))
            ends = [np.array([*(at + side * reach * across), ground]) for side in (-1, 1)]
            start, end = ends if rng.random() < 0.5 else ends[::-1]
            walker = Walker(parts, start, end)
        return look, walker

    def _at(
        self, share: float, look: Appearance, walker: Walker | None, wave: Array, faults: Faults
    ) -> Appearance:
        """The look when that share of the clip is over."""
        if not (walker or faults.moving_shadows or faults.auto_exposure):
            return look
        now = replace(look, objects=list(look.objects), lights=list(look.lights))
        if walker:
            now.objects += walker.at(share)
        if faults.moving_shadows:
            turn = 0.35 * np.sin(2 * np.pi * share + wave[:2])
            for i, light in enumerate(now.lights[:2]):
                x, y, z = light.direction
                now.lights[i] = replace(light, direction=(x + turn[0], y + turn[1], z))
        if faults.auto_exposure:
            gain = 1 + 0.3 * float(np.sin(4 * np.pi * share + wave[2]))
            now.lights = [
                replace(light, diffuse=(gain * r, gain * g, gain * b))
                for light in now.lights
                for r, g, b in [light.diffuse]
            ]
        return now
