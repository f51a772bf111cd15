"""One picture with all that is known about it, made from (split, seed, index) alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render import backgrounds, camera, effects, looks, poses
from armsight.render.gl import Buffers
from armsight.render.scene import Scene
from armsight.robots import Robot

Array = NDArray[np.float64]
SUPERSAMPLING = 2
SPLITS = {"train": 1, "eval": 2}


@dataclass(frozen=True)
class FrameSettings:
    """What kind of pictures to make; the same settings, seed and index give the same pixels."""

    split: str = "train"
    """train or eval: their random numbers never coincide, whatever the seeds"""
    seed: int = 0
    crop: bool = True
    """a square crop around the arm instead of the whole frame"""
    size: int = 256
    """side of a crop [px]"""
    frame_size: tuple[int, int] = (640, 480)
    pose_mix: dict[str, float] = field(default_factory=lambda: dict(poses.TRAIN_MIX))
    cameras: camera.CameraRanges = camera.CameraRanges()
    composited: float = 0.5
    """share of pictures with a flat picture behind the robot instead of a room"""
    no_robot: float = 0.08


@dataclass(frozen=True)
class Frame:
    """One picture; S = size of a crop, or the frame's height and width."""

    image: NDArray[np.uint8]
    """(S, S, 3) RGB"""
    mask: NDArray[np.uint8]
    """(S, S) robot alpha"""
    joint_positions: Array
    K: Array
    T_cam_base: Array
    keypoints_2d: Array
    keypoints_3d_cam: Array
    keypoints_visible: NDArray[np.uint8]
    """0 hidden or out of the picture, 1 visible, 2 behind the arm itself"""
    frame_rect: Array
    robot_found: bool
    composited: bool


def rng_of(settings: FrameSettings, index: int) -> np.random.Generator:
    """The random numbers of one frame."""
    entropy = (SPLITS[settings.split], settings.seed, index)
    return np.random.default_rng(np.random.SeedSequence(entropy))


class FrameMaker:
    """Makes frames with one scene; one per worker process."""

    def __init__(self, robot: Robot, settings: FrameSettings, pictures: Path | None) -> None:
        self.robot, self.settings = robot, settings
        self._pictures = backgrounds.find_pictures(pictures)
        w, h = (settings.size,) * 2 if settings.crop else settings.frame_size
        self.scene = Scene(robot, w * SUPERSAMPLING, h * SUPERSAMPLING)

    def make(self, index: int) -> Frame:
        """Frame number `index`."""
        s, rng = self.settings, rng_of(self.settings, index)
        width, height = s.frame_size
        q = poses.sample_pose(rng, self.robot, s.pose_mix)
        keypoints = self.robot.keypoints(q)
        arm = keypoints[: self.robot.num_origin_keypoints]
        for _ in range(20):
            K_frame, T = camera.sample_camera(rng, s.cameras, arm, width, height)
            uv, cam = camera.project(keypoints, K_frame, T)
            if (camera.inside(uv, width, height) & (cam[:, 2] > 0.05)).sum() >= 5:
                break
        K, rect, (w, h), scale = (
            K_frame,
            np.array([-0.5, -0.5, width - 0.5, height - 0.5]),
            s.frame_size,
            1.0,
        )
        if s.crop:
            x0, y0, side = camera.sample_crop(rng, uv, width, height)
            K = camera.crop_intrinsics(K_frame, x0, y0, side, s.size)
            scale = s.size / side
            rect = np.array([-x0, -y0, width - x0, height - y0]) * scale - 0.5
            w = h = s.size
        uv, cam = camera.project(keypoints, K, T)

        room = bool(rng.random() >= s.composited)
        found = bool(rng.random() >= s.no_robot)
        look = looks.sample_look(rng, self.scene.robot_materials, room, arm)
        look.robot_visible = found
        self.scene.apply(look)
        k = SUPERSAMPLING
        K_big = np.diag([k, k, 1.0]) @ K
        K_big[:2, 2] += (k - 1) / 2
        buffers = self.scene.draw(q, rng.uniform(0, 0.04), K_big, T, (w * k, h * k))
        image = cv2.resize(buffers.rgb, (w, h), interpolation=cv2.INTER_AREA)
        image = self._with_background(rng, image, buffers, (w, h))
        mask = _shrunk(self.scene.robot_mask(buffers), (w, h))
        image = self._through_camera(rng, np.asarray(image, np.uint8), scale)
        image = _outside_black(image, rect)
        visible = self._visibility(uv, cam, buffers, rect, (w, h))
        if not found:
            q, visible = np.zeros_like(q), np.zeros_like(visible)
            uv, cam, T = np.zeros_like(uv), np.zeros_like(cam), np.zeros((4, 4))
        return Frame(image, mask, q, K, T, uv, cam, visible, rect, found, not room)

    def _with_background(
        self,
        rng: np.random.Generator,
        image: NDArray[np.uint8],
        buffers: Buffers,
        size: tuple[int, int],
    ) -> NDArray[np.uint8]:
        w, h = size
        if self._pictures and rng.random() < 0.6:
            path = self._pictures[int(rng.integers(len(self._pictures)))]
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            back = (
                backgrounds.procedural(rng, h, w)
                if picture is None
                else backgrounds.picture_crop(rng, picture[..., ::-1].astype(np.uint8), h, w)
            )
        else:
            back = backgrounds.procedural(rng, h, w)
        alpha = _shrunk(self.scene.drawn_mask(buffers), size)[..., None].astype(np.uint16)
        # MuJoCo clears to black, so `image` is premultiplied.
        return np.asarray(np.minimum(image + (back * (255 - alpha)) // 255, 255), np.uint8)

    def _through_camera(
        self, rng: np.random.Generator, image: NDArray[np.uint8], scale: float
    ) -> NDArray[np.uint8]:
        """Camera effects at the resolution that the frame had before it was cropped."""
        h, w = image.shape[:2]
        if scale > 1.05:
            small = (max(round(w / scale), 16), max(round(h / scale), 16))
            image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
            image = effects.apply_effects(rng, image)
            return np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)
        return effects.apply_effects(rng, image, scale)

    def _visibility(
        self, uv: Array, cam: Array, buffers: Buffers, rect: Array, size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """(K,) 0 hidden or outside, 1 visible, 2 behind another part of the arm."""
        w, h = size
        seen = camera.inside(uv, w, h) & (cam[:, 2] > 0.05)
        seen &= (uv > rect[:2]).all(1) & (uv < rect[2:]).all(1)
        k = SUPERSAMPLING
        px = np.clip((uv * k + (k - 1) / 2).round().astype(int), 0, [w * k - 1, h * k - 1])
        geom, depth = buffers.geom[px[:, 1], px[:, 0]], buffers.depth[px[:, 1], px[:, 0]]
        link = self.scene.link_of_geom[geom]
        before = cam[:, 2] - depth
        # Origins lie inside of their link or its neighbours: up to a link's thickness deep.
        tolerance = np.full(len(uv), 0.02)
        tolerance[: self.robot.num_origin_keypoints] = 0.13
        hidden_by_other = (link < 0) & (geom >= 0) & (before > 0.005)
        hidden_by_self = (link >= 0) & (before > tolerance)
        return np.where(seen & ~hidden_by_other, np.where(hidden_by_self, 2, 1), 0).astype(np.uint8)


def _shrunk(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    big = mask.astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(big, size, interpolation=cv2.INTER_AREA), np.uint8)


def _outside_black(image: NDArray[np.uint8], rect: Array) -> NDArray[np.uint8]:
    """Black outside of the camera's frame, as in an estimator's padded crop."""
    h, w = image.shape[:2]
    x0, y0, x1, y1 = np.ceil(rect).astype(int)
    out = np.zeros_like(image)
    inner = np.s_[max(y0, 0) : max(min(y1, h), 0), max(x0, 0) : max(min(x1, w), 0)]
    out[inner] = image[inner]
    return out
