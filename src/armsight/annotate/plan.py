"""What is estimated in a data set, and how: fixed before it begins, the same in every process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.camera_file import read_camera_file
from armsight.data.lerobot.film import EpisodeFilm
from armsight.data.lerobot.layout import read_info
from armsight.data.lerobot.reader import LeRobotReader
from armsight.episodes.units import Unit, choose_units, units_of
from armsight.errors import DatasetError
from armsight.estimate.pretrained import available_weights, weights_folder
from armsight.estimate.session import pose_card
from armsight.estimate.several_robots import SeveralRobots

FRAMES_TO_TELL_ROBOTS = 4


@dataclass(frozen=True)
class EstimatePlan:
    """Which episodes and cameras of which data set, read by which weights, and how."""

    dataset: Path
    robot: str
    """Name of the weights, or their folder"""
    joint_names: tuple[str, ...]
    episodes: tuple[int, ...]
    camera_keys: tuple[str, ...]
    K: tuple[float, ...] | None = None
    """Nine numbers [px], row by row"""
    camera: str | None = None
    """Camera file"""
    fov_deg: float | None = None
    still: bool | None = None
    outline: bool | None = None
    hypotheses: int | None = None
    device: str = "auto"
    threads: int = 0

    def units(self) -> list[Unit]:
        """What is read, in order."""
        return units_of(self.episodes, self.camera_keys)

    def settings(self) -> dict[str, Any]:
        """What the estimates depend on beside the episodes themselves."""
        names = ("robot", "K", "camera", "fov_deg", "still", "outline", "hypotheses")
        return {name: getattr(self, name) for name in names}


def make_plan(
    dataset: Path,
    robot: str | None = None,
    *,
    episodes: str | None = None,
    camera_keys: Sequence[str] = (),
    K: Sequence[float] | None = None,
    camera: Path | None = None,
    **how: Any,
) -> EstimatePlan:
    """A plan for the data set as it is.

    Args:
        robot: name of weights or their folder; by default the data set's own `robot_type`, or
            what its first episode shows.
        episodes: such as "0-9,12"; all by default.
        camera_keys: names of videos; all by default.
        camera: camera file.
        how: further fields of `EstimatePlan`.

    Raises:
        DatasetError: no LeRobotDataset v3, no episodes, or no video of that name.
        ConfigError: `episodes` cannot be read, or names episodes that are not there.
        BadIntrinsicsError: the camera file cannot be read.
    """
    chosen, videos = choose_units(dataset, episodes, camera_keys)
    if camera is not None:
        read_camera_file(camera)  # a broken one is told before anything is read
    robot = robot or robot_shown(dataset, Unit(chosen[0], videos[0]))
    return EstimatePlan(
        dataset=dataset,
        robot=robot,
        joint_names=pose_card(weights_folder(robot)).joint_names,
        episodes=chosen,
        camera_keys=videos,
        K=None if K is None else tuple(float(value) for value in K),
        camera=None if camera is None else str(camera),
        **how,
    )


def robot_shown(dataset: Path, unit: Unit) -> str:
    """The robot that the data set names, where its weights come along; else what a look tells."""
    named = str(read_info(dataset).get("robot_type"))
    known = available_weights()
    if named in known or len(known) == 1:
        return named if named in known else known[0]
    try:
        film = EpisodeFilm(LeRobotReader(dataset), unit.episode, unit.camera_key)
        rows = np.linspace(0, film.num_frames - 1, FRAMES_TO_TELL_ROBOTS).astype(int)
        frames = [f.pixels for f in islice(film, int(rows[-1]) + 1) if f.index in rows]
    except DatasetError:
        return known[0]  # which will meet the same error, where it is reported
    return SeveralRobots.from_pretrained().most_seen(frames).robot.name
