"""One picture with all that is known about it, made from (split, seed, index) alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.render import poses
from armsight.render.imaging import camera
from armsight.render.imaging.conditions import BentLens, Conditions, add_conditions
from armsight.render.imaging.picture import Finisher, shrunk, through_camera
from armsight.render.imaging.view import (
    SUPERSAMPLING,
    CameraView,
    buffers_of,
    hidden_share,
    visibility,
)
from armsight.render.scene import randomization
from armsight.render.scene.backgrounds import Pictures
from armsight.render.scene.other_arms import OtherArm, arms_unlike, other_arm
from armsight.render.scene.scene import Scene
from armsight.robots import Robot

Array = NDArray[np.float64]
ASPECTS = (1.78, 1.6, 1.25, 1.0)
"""Other shapes of camera frames than the usual one, in three tenths of the crops."""
SPLITS = {"train": 1, "eval": 2}
CLOSE_UP = camera.CameraRanges(
    distance=(0.25, 1.3), fov_deg=(35.0, 110.0), elevation_deg=(-25.0, 85.0), roll_sd_deg=10.0,
    aim_sd=0.3, nearest=0.12,
)  # fmt: skip
CLOSE_UP_ASPECTS = (0.5625, 0.75, 1.0, 1.33, 1.33, 1.5, 1.78, 1.78)
CLOSE_UP_WIDTHS = (160, 1280)
"""[px] of cameras that see a part of the arm: upright phones to wide streams"""
FEWEST_KEYPOINTS, FEWEST_CLOSE_UP = 5, 0.15
"""Keypoints that such a camera must see, and of all keypoints the share"""
PANDA_REACH = 1.248
"""[m] `Robot.reach` of the arm whose size the lengths here go by"""


@dataclass(frozen=True)
class FrameSettings:
    """What kind of pictures to make; the same settings, seed and index give the same pixels."""

    split: str = "train"
    """train or eval: they share no random numbers, whatever the seeds, and no surfaces"""
    seed: int = 0
    crop: bool = True
    """a square crop around the arm instead of the whole frame"""
    size: int = 256
    """side of a crop [px]"""
    frame_size: tuple[int, int] = (640, 480)
    pose_mix: dict[str, float] = field(default_factory=lambda: dict(poses.TRAIN_MIX))
    cameras: camera.CameraRanges = field(default_factory=camera.CameraRanges)
    min_origins_in_frame: int = 3
    """of the robot's link origins"""
    max_hidden: float = 0.5
    """largest share of the keypoints in the frame that things before the arm may hide"""
    arm_distance: tuple[float, float] | None = None
    """range of the distance from the camera to the middle of the link origins [m]"""
    composited: float = 0.5
    """share of pictures with a flat picture behind the robot instead of a room"""
    no_robot: float = 0.08
    """share of pictures without any arm"""
    other_arm: float = 0.0
    """share of pictures of another maker's arm"""
    arms: tuple[str, ...] = ()
    """the other makers' arms"""
    close_up: float = 0.0
    """share of pictures whose camera sees only a part of the arm, as on a robot that learns"""
    close_up_cameras: camera.CameraRanges = CLOSE_UP
    other_hand: float = 0.0
    """share of pictures with another end effector than the arm's own, or none"""
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True)
class RenderedFrame:
    """One picture of H x W pixels, J joints, K keypoints."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB"""
    mask: NDArray[np.uint8]
    """(H, W) robot alpha"""
    joint_positions: Array
    """(J,) [rad]"""
    K: Array
    """(3, 3) [px] of this picture"""
    T_cam_base: Array
    keypoints_2d: Array
    keypoints_3d_cam: Array
    keypoints_visible: NDArray[np.uint8]
    """0 hidden or out of the picture, 1 visible, 2 behind the arm itself"""
    frame_rect: Array
    """x0, y0, x1, y1 of the camera's whole frame in this picture's pixels"""
    robot_found: bool
    composited: bool
    finger_positions: Array
    """joint positions of the gripper [m or rad]"""
    other_arm: str | None = None
    """name of the other maker's arm that is in the picture, with its link origins as keypoints"""


def rng_of(settings: FrameSettings, index: int, stream: int = 0) -> np.random.Generator:
    """The random numbers of one frame: no two frames of any split and seed share theirs."""
    entropy = (SPLITS[settings.split], settings.seed, index, *([stream] if stream else []))
    return np.random.default_rng(np.random.SeedSequence(entropy))


def reach_scale(robot: Robot) -> float:
    """The robot's reach in reaches of a Panda; 1 for robots of about its size."""
    scale = robot.reach / PANDA_REACH
    return 1.0 if abs(scale - 1) < 0.02 else float(scale)


class FrameMaker:
    """Makes frames; one per worker process."""

    def __init__(self, robot: Robot, settings: FrameSettings, pictures: Path | None) -> None:
        arms = arms_unlike(robot, settings.arms)
        self.robot = robot
        self.settings = replace(settings, arms=arms, other_arm=settings.other_arm if arms else 0.0)
        self.scale = reach_scale(robot)
        self._printed = robot.simulation.get("colours") == "any"
        # A hand that the model attaches comes off; a gripper that is part of the arm does not.
        self._hand_comes_off = bool(robot.simulation.get("attach"))
        self._own_hand = not self._hand_comes_off and bool(robot.simulation.get("gripper_joints"))
        self._pictures = Pictures(pictures)
        self._finisher = Finisher(settings.split, self._pictures)
        self._scenes: dict[str, Scene] = {}

    def make(self, index: int) -> RenderedFrame:
        """Frame number `index`."""
        s, rng = self.settings, rng_of(self.settings, index)
        kind = rng.random()
        other = other_arm(s.arms[int(rng.integers(len(s.arms)))]) if kind < s.other_arm else None
        found = kind >= s.other_arm + s.no_robot
        scene = self._scene(other)
        q = other.sample_pose(rng) if other else poses.sample_pose(rng, self.robot, s.pose_mix)
        scene.pose(q, float(rng.random()))
        arm = scene.link_origins()
        keypoints = arm if other else np.asarray(self.robot.keypoints(q), dtype=float)
        num_origins = len(arm) if other else self.robot.num_origin_keypoints
        scale = 1.0 if other else self.scale
        view = self._sample_view(rng, keypoints, num_origins, scale)
        room, T = bool(rng.random() >= s.composited), view.T_cam_base
        look = randomization.sample_appearance(
            rng, s.split, scene.robot_materials, room, arm, -T[:3, :3].T @ T[:3, 3],
            self._pictures, scale, self._printed and not other,
            other_hand=0.0 if other or self._own_hand else s.other_hand,
            hand_comes_off=self._hand_comes_off,
        )  # fmt: skip
        # Random numbers of their own: sets without conditions keep their pictures.
        rare = rng_of(s, index, 1)
        add_conditions(rare, s.conditions, look, arm, -T[:3, :3].T @ T[:3, 3])
        look.robot_visible = found or other is not None
        scene.apply(look)
        buffers = buffers_of(scene, view)
        uv, cam = camera.project(keypoints, view.K, T)
        visible = visibility(scene, uv, cam, buffers, view, num_origins, scale)
        for remove in ("objects", "furniture"):
            if not look.robot_visible or hidden_share(visible, uv, cam, view) <= s.max_hidden:
                break
            getattr(look, remove).clear()
            scene.apply(look)
            buffers = buffers_of(scene, view)
            visible = visibility(scene, uv, cam, buffers, view, num_origins, scale)
        if not look.hand_visible:
            # Where the hand would be is known, but nothing of it can be seen.
            on_hand = self.robot.keypoint_links == len(self.robot.link_names) - 1
            on_hand[:num_origins] = False
            visible[on_hand] = 0
        image = self._finisher(rng, scene, view, look, buffers)
        mask = shrunk(scene.robot_mask(buffers), view.size)
        if rare.random() < s.conditions.bent_lens:
            lens = BentLens(rare, view.K, view.frame_rect)
            image, mask, uv = lens.image(image), lens.image(mask), lens.points(uv)
            visible[_outside(uv, view)] = 0
        image = _outside_black(through_camera(rng, image, view.scale), view.frame_rect)
        mask = _outside_black(mask, view.frame_rect)
        frame = RenderedFrame(
            image, mask, q, view.K, T, uv, cam, visible, view.frame_rect, True,
            not room, scene.finger_positions(),
        )  # fmt: skip
        return frame if found else self._without_robot(frame, other)

    def _without_robot(self, frame: RenderedFrame, other: OtherArm | None) -> RenderedFrame:
        """What a frame tells that shows another arm, or none."""
        frame = replace(
            frame, robot_found=False, mask=np.zeros_like(frame.mask), finger_positions=np.zeros(0),
            joint_positions=np.zeros(len(self.robot.joint_names)), T_cam_base=np.zeros((4, 4)),
        )  # fmt: skip
        if other:
            # Only the robot of the data set has a mask: nothing may be put behind another arm.
            return replace(frame, other_arm=other.name, composited=False)
        return replace(
            frame, keypoints_2d=np.zeros_like(frame.keypoints_2d),
            keypoints_3d_cam=np.zeros_like(frame.keypoints_3d_cam),
            keypoints_visible=np.zeros_like(frame.keypoints_visible),
        )  # fmt: skip

    def close(self) -> None:
        """Free the graphics library's memory."""
        for scene in self._scenes.values():
            scene.close()
        self._scenes.clear()

    def _scene(self, other: OtherArm | None) -> Scene:
        arm = other or self.robot
        if arm.name not in self._scenes:
            s = self.settings
            w, h = (s.size, s.size) if s.crop else s.frame_size
            self._scenes[arm.name] = Scene(arm, w * SUPERSAMPLING, h * SUPERSAMPLING)
        return self._scenes[arm.name]

    def _sample_view(
        self, rng: np.random.Generator, keypoints: Array, num_origins: int, scale: float
    ) -> CameraView:
        """A camera that sees enough of the arm, and a crop of its frame if wanted."""
        s = self.settings
        close_up = bool(s.close_up and rng.random() < s.close_up)
        ranges = (s.close_up_cameras if close_up else s.cameras).scaled(scale)
        width, height = self._frame_size(rng, close_up)
        origins = keypoints[:num_origins]
        enough = 1 if close_up else min(s.min_origins_in_frame, num_origins)
        fewest = max(FEWEST_KEYPOINTS, FEWEST_CLOSE_UP * len(keypoints)) if close_up else 0
        near, far = s.arm_distance or (0.0, np.inf)
        for _ in range(2000):
            K, T = camera.sample_camera(rng, ranges, origins, width, height)
            uv, cam = camera.project(keypoints, K, T)
            seen = camera.inside(uv, width, height) & (cam[:, 2] > 0.05 * scale)
            distance = float(np.linalg.norm(cam[:num_origins].mean(0)))
            placed = close_up or near * scale <= distance <= far * scale
            if seen.sum() >= fewest and seen[:num_origins].sum() >= enough and placed:
                break
        else:
            raise ConfigError(
                f"none of 2000 cameras sees {enough} link origins from {s.arm_distance} m with "
                f"{ranges}; ask for fewer origins in the frame or for wider cameras"
            )
        whole = np.array([-0.5, -0.5, width - 0.5, height - 0.5])
        if not s.crop:
            return CameraView(K, T, (width, height), whole, 1.0)
        x0, y0, side = camera.sample_crop(rng, uv[seen], width, height)
        scaling = s.size / side
        rect = (np.array([0, 0, width, height]) - [x0, y0, x0, y0]) * scaling - 0.5
        K = camera.crop_intrinsics(K, x0, y0, side, s.size)
        return CameraView(K, T, (s.size, s.size), rect, scaling)

    def _frame_size(self, rng: np.random.Generator, close_up: bool) -> tuple[int, int]:
        """Width and height [px] of the camera's frame."""
        s = self.settings
        width, height = s.frame_size
        if close_up and s.crop:
            low, high = np.log(CLOSE_UP_WIDTHS)
            width = int(np.exp(rng.uniform(low, high)))
            return width, int(width / rng.choice(CLOSE_UP_ASPECTS))
        if s.crop and rng.random() < 0.3:
            height = int(width / rng.choice(ASPECTS))
        return width, height


def _outside_black(image: NDArray[np.uint8], rect: Array) -> NDArray[np.uint8]:
    """Zero outside of the camera's frame, as in an estimator's padded crop."""
    h, w = image.shape[:2]
    x0, y0, x1, y1 = np.ceil(rect).astype(int)
    out = np.zeros_like(image)
    inner = np.s_[max(y0, 0) : max(min(y1, h), 0), max(x0, 0) : max(min(x1, w), 0)]
    out[inner] = image[inner]
    return out


def _outside(uv: Array, view: CameraView) -> NDArray[np.bool_]:
    """Which points (N, 2) [px] are outside of the picture, or of the camera's own frame in it."""
    left_top, right_bottom = view.frame_rect[:2], view.frame_rect[2:]
    inside = camera.inside(uv, *view.size)
    return ~inside | (uv < left_top).any(1) | (uv > right_bottom).any(1)
