"""What an audit looks at, and how: fixed before it begins, the same in every process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.camera_file import read_camera_file
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.data.lerobot import layout
from armsight.data.lerobot.reader import LeRobotReader
from armsight.errors import BadIntrinsicsError, ConfigError, DatasetError
from armsight.robots import available_robots

MOST_FRAMES = 300
"""Frames of an episode that are looked at; of longer ones, that many are spread over the whole"""


@dataclass(frozen=True)
class Unit:
    """One episode as one camera saw it."""

    episode: int
    camera_key: str

    @property
    def key(self) -> str:
        """Its name in the journal"""
        return f"episode {self.episode}, {self.camera_key}"


@dataclass(frozen=True)
class AuditPlan:
    """Which episodes and cameras of which data set, of which robot, with which intrinsics."""

    dataset: Path
    robot: str
    """Name or data file"""
    episodes: tuple[int, ...]
    camera_keys: tuple[str, ...]
    state_key: str | None = None
    K: tuple[float, ...] | None = None
    """Nine numbers [px], row by row; None where unknown"""
    fov_deg: float | None = None
    num_frames: int = MOST_FRAMES
    intrinsics_source: str = "given"
    """Where K came from: one of `armsight.state.INTRINSICS_SOURCES`"""

    def units(self) -> list[Unit]:
        """Camera by camera, so that what one video file holds is read in one go."""
        return [Unit(episode, key) for key in self.camera_keys for episode in self.episodes]

    def settings(self) -> dict[str, Any]:
        """What the rows depend on beside the episodes themselves."""
        return {
            "robot": self.robot,
            "state_key": self.state_key,
            "K": self.K,
            "fov_deg": self.fov_deg,
            "num_frames": self.num_frames,
        }


def make_plan(
    dataset: Path,
    robot: str,
    *,
    episodes: str | None = None,
    camera_keys: Sequence[str] = (),
    state_key: str | None = None,
    K: Sequence[float] | None = None,
    fov_deg: float | None = None,
    num_frames: int = MOST_FRAMES,
) -> AuditPlan:
    """A plan for the data set as it is.

    Args:
        episodes: such as "0-9,12"; all by default.
        camera_keys: names of videos; all by default.

    Raises:
        DatasetError: no LeRobotDataset v3, no episodes, or no video of that name.
        ConfigError: `episodes` cannot be read, or names episodes that are not there.
    """
    reader = LeRobotReader(dataset)
    videos = layout.video_keys(reader.features)
    if not videos:
        raise DatasetError(f"{dataset} has no videos; `armsight audit` compares them with the log")
    if odd := [key for key in camera_keys if key not in videos]:
        raise DatasetError(f"{dataset} has no video {', '.join(odd)}; valid: {', '.join(videos)}")
    if not len(reader):
        raise DatasetError(f"{dataset} has no episodes; nothing to audit")
    there = [int(record["episode_index"]) for record in reader.episodes]
    chosen = there if episodes is None else parse_episodes(episodes)
    if odd_episodes := sorted(set(chosen) - set(there)):
        raise ConfigError(
            f"--episodes names {', '.join(map(str, odd_episodes[:5]))}, but {dataset} has "
            f"episodes {there[0]} to {there[-1]}"
        )
    return AuditPlan(
        dataset=Path(dataset),
        robot=robot,
        episodes=tuple(chosen),
        camera_keys=tuple(camera_keys) or tuple(videos),
        state_key=state_key,
        K=None if K is None else tuple(float(value) for value in K),
        fov_deg=fov_deg,
        num_frames=num_frames,
    )


def with_camera_file(plan: AuditPlan, path: Path) -> AuditPlan:
    """The plan with the intrinsics of a camera file, rescaled to the videos' size.

    Raises:
        BadIntrinsicsError: the file cannot be read or cannot belong to the videos, its lens
            distorts, or the videos are of several sizes.
    """
    features = LeRobotReader(plan.dataset).features
    sizes = {tuple(features[key]["shape"][:2]) for key in plan.camera_keys}
    if len(sizes) > 1:
        raise BadIntrinsicsError(
            f"the cameras {', '.join(plan.camera_keys)} have pictures of several sizes; choose one "
            "by --camera-key, and give its camera file"
        )
    blank = load_image(np.zeros((*sizes.pop(), 3), np.uint8))
    found = find_intrinsics(blank, camera=read_camera_file(path))
    if found.distortion is not None:
        raise BadIntrinsicsError(
            f"{path} has lens distortion; undistort the videos first, and give the K of those"
        )
    if found.source == "assumed":
        return plan
    K = tuple(float(value) for value in found.K.ravel())
    return replace(plan, K=K, intrinsics_source=found.source)


def robot_of(dataset: Path) -> str:
    """The robot that the data set says it is of.

    Raises:
        ConfigError: it names none that the package knows.
        DatasetError: it is no LeRobotDataset v3.
    """
    named = layout.read_info(dataset).get("robot_type")
    if named not in available_robots():
        raise ConfigError(
            f"{dataset} is of robot_type {named!r}, which is none of "
            f"{', '.join(available_robots())}; say with --robot which one it is"
        )
    return str(named)


def parse_episodes(text: str) -> list[int]:
    """Episodes of a text such as "0-9,12", rising, each once.

    Raises:
        ConfigError: it cannot be read.
    """
    found: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    except ValueError:
        found = set()
    if not found:
        raise ConfigError(f"--episodes is {text!r}; give numbers and ranges, such as 0-9,12")
    return sorted(found)


def episode_digest(reader: LeRobotReader, unit: Unit) -> str:
    """Changes with the episode's record and the size of its files, so that rows of a data set
    that was written anew are not taken for those of the old one."""
    record = reader.record(unit.episode)
    known = {name: value for name, value in record.items() if isinstance(value, int | float | str)}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for path in (reader.data_path(record), reader.video_path(record, unit.camera_key, check=False)):
        size = path.stat().st_size if path.is_file() else -1
        digest.update(str(size).encode())
    return digest.hexdigest()[:16]
