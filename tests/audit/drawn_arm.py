"""LeRobot data sets of a drawn Panda before one fixed camera, of which every number is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import LeRobotWriter
from armsight.vlm.drawing import Camera
from tests.fit.recorded_arm import ROBOT, SIZE, Recorded, camera_at, record, smooth_path

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

CAMERA_KEY = "observation.images.front"
FPS = 10.0
WIDTH, HEIGHT = SIZE
CAMERA = camera_at(40, 25)
K, T_CAM_BASE = CAMERA.K, CAMERA.T_cam_base


@dataclass(frozen=True)
class Drawn:
    """One episode: what the pictures show, and what the log says of it."""

    length: int = 24
    seed: int = 0
    camera: Camera = CAMERA
    moved: Camera | None = None
    """Where the camera stands from frame `move_from` on"""
    move_from: int = 0
    log_ahead: int = 0
    """By so many frames the log runs ahead of the pictures"""
    zeros_deg: Sequence[float] = (0,) * 7
    """What the log's joint positions are too large by"""

    def make(self) -> tuple[Array, list[Pixels]]:
        """The log (N, J) [rad] and the frames."""
        path = smooth_path(self.length + abs(self.log_ahead), self.seed)
        start = max(0, -self.log_ahead)
        shown = path[start : start + self.length]
        log = path[start + self.log_ahead :][: self.length] + np.radians(self.zeros_deg)
        frames = self._record(shown, self.camera)
        if self.moved is not None:
            frames = frames[: self.move_from] + self._record(shown, self.moved)[self.move_from :]
        return log, frames

    def _record(self, q: Array, camera: Camera) -> list[Pixels]:
        recorded: Recorded = record(q, camera, 7)
        return recorded.images


def features(cameras: Sequence[str] = (CAMERA_KEY,)) -> dict[str, dict[str, Any]]:
    """State, action and videos."""
    joints = {"dtype": "float32", "shape": (7,), "names": [f"{n}.pos" for n in ROBOT.joint_names]}
    axes = ["height", "width", "channels"]
    video = {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": axes}
    return {"observation.state": joints, "action": joints, **dict.fromkeys(cameras, video)}


def write_dataset(folder: Path, episodes: Sequence[Drawn]) -> Path:
    """A data set with one camera."""
    with LeRobotWriter(folder, fps=FPS, robot_type="panda", features=features()) as writer:
        for episode in episodes:
            log, frames = episode.make()
            rows = {"observation.state": log, "action": log}
            writer.add_episode(rows, {CAMERA_KEY: frames}, "wave")
    return folder
