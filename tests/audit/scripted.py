"""Auditors that look at nothing and answer as they are told."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from armsight.audit.episode import EpisodeAuditor, Row
from armsight.audit.pictures import overlay_strip
from armsight.audit.plan import AuditPlan
from armsight.data.lerobot import LeRobotWriter
from armsight.episodes.units import Unit
from armsight.errors import DatasetError
from armsight.geometry import invert_transform
from tests.audit.drawn_arm import CAMERA_KEY, FPS, HEIGHT, ROBOT, T_CAM_BASE, WIDTH, K, features

JOINTS = len(ROBOT.joint_names)


def calibration(verdict: str = "fine", T: Any = T_CAM_BASE, **changes: Any) -> dict[str, Any]:
    """What `CameraCalibration.to_json()` gives."""
    known = None if T is None else np.asarray(T)
    std = np.concatenate([np.full(3, 1e-3), np.full(3, 3e-3), [0], np.zeros(JOINTS), [0.01]])
    return {
        "robot": "panda",
        "verdict": verdict,
        "messages": [],
        "T_cam_base": None if known is None else known.tolist(),
        "T_base_cam": None if known is None else invert_transform(known).tolist(),
        "K": K.tolist(),
        "joint_names": list(ROBOT.joint_names),
        "joint_zero_offsets": [0.0] * JOINTS,
        "joint_zero_offsets_std": [None] * JOINTS,
        "joint_zero_offsets_observable": [False] * JOINTS,
        "time_offset": 0.0,
        "time_offset_std": 0.01,
        "covariance": None if known is None else np.diag(std**2).tolist(),
        "frames": [
            {"index": i, "edge_alignment": 0.6, "used": True, "reason": ""} for i in range(4)
        ],
        **changes,
    }


def row(episode: int, found: dict[str, Any] | None = None, error: str | None = None) -> Row:
    """A finished episode."""
    return {
        "key": Unit(episode, CAMERA_KEY).key, "episode": episode, "camera_key": CAMERA_KEY,
        "digest": "", "num_frames": 20, "image_size": [WIDTH, HEIGHT], "frames": [0, 6, 13, 19],
        "notes": [],
        "calibration": found, "overlay": None, "error": error, "seconds": 1.0,
    }  # fmt: skip


class ScriptedAuditor(EpisodeAuditor):
    """Finds every episode fine but number 2, which cannot be read; says in a file what it did."""

    def __init__(self, plan: AuditPlan, diary: Path, seconds: float = 0.0) -> None:
        super().__init__(plan)
        self.diary, self.seconds = diary, seconds

    def _audited(self, unit: Unit) -> Row:
        with self.diary.open("a") as file:
            file.write(f"{unit.episode}\n")
        time.sleep(self.seconds)
        if unit.episode == 2:
            raise DatasetError("this video is broken")
        grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        strip = overlay_strip([grey], ["frame 0"], ROBOT, ROBOT.ready_positions[None], None, K)
        found = calibration()
        return {
            "frames": [0, 1, 2, 3],
            "image_size": [WIDTH, HEIGHT],
            "calibration": found,
            "overlay_jpeg": base64.b64encode(strip).decode(),
        }


class KilledAuditor(ScriptedAuditor):
    """Its process is killed at the third episode."""

    def _audited(self, unit: Unit) -> Row:
        if unit.episode == 3:
            os.kill(os.getpid(), 9)
        return super()._audited(unit)


def write_grey(folder: Path, lengths: list[int]) -> Path:
    """A data set of grey videos, for what does not look at them."""
    with LeRobotWriter(folder, fps=FPS, robot_type="panda", features=features()) as writer:
        for length in lengths:
            log = np.tile(ROBOT.ready_positions, (length, 1))
            frames = np.full((length, HEIGHT, WIDTH, 3), 90, np.uint8)
            writer.add_episode(
                {"observation.state": log, "action": log}, {CAMERA_KEY: frames}, "stand still"
            )
    return folder
