"""What an audit looks at, and how: fixed before it begins, the same in every process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.camera_file import read_camera_file
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.data.lerobot import layout
from armsight.data.recordings.episodes import bags_in, open_episodes
from armsight.episodes.units import Unit, choose_units, units_of
from armsight.errors import BadIntrinsicsError, ConfigError
from armsight.robots import available_robots

MOST_FRAMES = 300
"""Frames of an episode that are looked at; of longer ones, that many are spread over the whole"""


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
        """What is looked at, in order."""
        return units_of(self.episodes, self.camera_keys)

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
        DatasetError: neither a LeRobotDataset v3 nor bags, no episodes, or no such video.
        ConfigError: `episodes` cannot be read, or names episodes that are not there.
    """
    chosen, videos = choose_units(dataset, episodes, camera_keys)
    return AuditPlan(
        dataset=Path(dataset),
        robot=robot,
        episodes=chosen,
        camera_keys=videos,
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
    episodes = open_episodes(plan.dataset)
    sizes = {episodes.image_size(key) for key in plan.camera_keys}
    if len(sizes) > 1:
        raise BadIntrinsicsError(
            f"the cameras {', '.join(plan.camera_keys)} have pictures of several sizes; choose one "
            "by --camera-key, and give its camera file"
        )
    width, height = sizes.pop()
    blank = load_image(np.zeros((height, width, 3), np.uint8))
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
    if not layout.is_data_set(dataset) and bags_in(dataset):
        raise ConfigError(f"{dataset} is a bag, which names no robot; say with --robot which it is")
    named = layout.read_info(dataset).get("robot_type")
    if named not in available_robots():
        raise ConfigError(
            f"{dataset} is of robot_type {named!r}, which is none of "
            f"{', '.join(available_robots())}; say with --robot which one it is"
        )
    return str(named)
