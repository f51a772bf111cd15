"""A picture that is its own map, and a stand-in for the network that reads its place from it.

Red grows with u and green with v, so that from any crop of the picture, however it was scaled,
turned upright or letterboxed, the stand-in can tell which part of the picture it sees, and answer
with the true keypoints in crop pixels. What the pipeline returns must then be the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.card import Card
from armsight.estimate.session import PoseOutput
from armsight.geometry import make_transform, project, rotation_from_rotvec, transform_points
from armsight.robots import load_robot

ROBOT = load_robot("panda")
PRESENT, ABSENT = 255, 90
"""Blue of a picture with and without an arm; black is outside of the picture."""


@dataclass(frozen=True)
class Arm:
    """A true arm in front of a true camera, in a picture of `width` x `height`."""

    q: NDArray[Any]
    T_cam_base: NDArray[Any]
    K: NDArray[Any]
    width: int
    height: int

    @property
    def keypoints_3d_cam(self) -> NDArray[Any]:
        return transform_points(self.T_cam_base, ROBOT.keypoints(self.q))

    @property
    def keypoints_2d(self) -> NDArray[Any]:
        return project(self.keypoints_3d_cam, self.K)


def make_arm(
    width: int = 640,
    height: int = 480,
    x: float = 0.0,
    distance: float = 1.6,
    seed: int = 0,
    focal: float = 0.9,
) -> Arm:
    """An arm near its ready pose, its base `x` metres right of the image's centre."""
    rng = np.random.default_rng(seed)
    q = ROBOT.clip(ROBOT.ready_positions + 0.2 * rng.standard_normal(7))
    f = focal * max(width, height)
    K = np.array([[f, 0, (width - 1) / 2 + 3.0], [0, f, (height - 1) / 2 - 5.0], [0, 0, 1]])
    upright = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # base x looks at the camera
    R = rotation_from_rotvec([0.15, 0.4, 0.05]) @ upright
    return Arm(q, make_transform(R, [x, 0.35, distance]), K, width, height)


def chart(width: int = 640, height: int = 480, blue: int = PRESENT) -> NDArray[np.uint8]:
    """The picture (height, width, 3) whose colours tell the place."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.round((np.arange(width) + 0.5) / width * 255)
    picture[..., 1] = np.round((np.arange(height) + 0.5) / height * 255)[:, None]
    picture[..., 2] = blue
    return picture


@dataclass
class StubSession:
    """Answers with the true arms; stands in for `armsight.estimate.session.Session`."""

    arms: list[Arm]
    input_size: int = 192
    num_hypotheses: int = 16
    num_video_hypotheses: int = 4
    hypothesis_std: float = 0.05
    keypoint_std: float = 0.0
    first_guess: float = 1.0
    """How much too large the arm seems in looks without hypotheses"""
    widest: float = np.inf
    """[px] Side of the widest first look in which arms are seen"""
    narrowest: float = 0.0
    """[px] Side of the narrowest first look in which arms are seen"""
    ignores_black: bool = False
    """Sees arms even where they were blanked"""
    entries: dict[str, Any] = field(default_factory=dict)
    """Of the card"""
    card: Card = field(init=False)
    boxes: list[NDArray[Any]] = field(default_factory=list)
    """The boxes that were looked at, as the pictures told: (x0, y0, x1, y1) [px]"""
    cameras: list[NDArray[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = {
            "format": "armsight-weights/1",
            "robot": "panda",
            "input_size": 1,
            "joint_names": ROBOT.joint_names,
            "keypoint_names": ROBOT.keypoint_names,
        }
        self.card = Card.from_json(known | self.entries)

    def read(
        self, crops: NDArray[np.uint8], cameras: NDArray[Any], hypotheses: int, seed: int = 0
    ) -> PoseOutput:
        self.cameras.extend(cameras)
        readings = [self._read(crop, hypotheses, seed) for crop in crops]
        return PoseOutput(*(np.stack(values) for values in zip(*readings, strict=True)))

    def _read(self, crop: NDArray[np.uint8], hypotheses: int, seed: int) -> tuple[Any, ...]:
        scale, offset = self._place(crop)
        size = len(crop)
        self.boxes.append(np.concatenate([offset - 0.5 * scale, offset + (size - 0.5) * scale]))
        best: tuple[float, Arm | None, Any, Any] = (0.0, None, None, None)
        for arm in self.arms:
            points = (arm.keypoints_2d - offset) / scale
            place = np.round(points).astype(int)
            inside = ((place >= 0) & (place < size)).all(axis=1)
            place = place.clip(0, size - 1)
            blue = crop[place[:, 1], place[:, 0], 2]
            seen = inside & ((blue > (PRESENT + ABSENT) / 2) | self.ignores_black)
            if seen.mean() > best[0]:
                best = (float(seen.mean()), arm, points, seen)
        share, arm, points, seen = best
        count, rng = len(ROBOT.keypoint_names), np.random.default_rng(seed)
        if arm is None:
            points, seen, q = np.zeros((count, 2)), np.zeros(count), ROBOT.ready_positions
        else:
            points = points + self.keypoint_std * rng.standard_normal(points.shape)
            if hypotheses == 0:
                points = points[0] + self.first_guess * (points - points[0])
            q = arm.q
        joints = q + self.hypothesis_std * rng.standard_normal((hypotheses, len(q)))
        side = float(np.mean(scale)) * size
        aimed = hypotheses > 0 or self.narrowest < side < self.widest
        presence = 0.98 if share > 0.5 and aimed else 0.02
        std = np.full(count, max(self.keypoint_std, 0.3))
        state = np.zeros((hypotheses, count, 3))
        no_depth = np.zeros(count), np.full(count, np.inf)
        return presence, points, std, np.where(seen, 0.95, 0.02), *no_depth, joints, state

    def _place(self, crop: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Image pixels = offset + scale * crop pixels, by least squares over the colours."""
        arm = self.arms[0]
        clear = (crop[..., 2] == PRESENT) | (crop[..., 2] == ABSENT)
        # The interpolation towards black at the picture's border spoils the colours.
        v, u = np.nonzero(clear)
        red, green = crop[v, u, 0].astype(float), crop[v, u, 1].astype(float)
        keep = (red > 3) & (red < 252) & (green > 3) & (green < 252)
        fits = []
        for where, colour, side in ((u, red, arm.width), (v, green, arm.height)):
            slope, start = np.polyfit(where[keep], colour[keep] / 255 * side - 0.5, 1)
            fits.append((slope, start))
        return np.array([f[0] for f in fits]), np.array([f[1] for f in fits])
