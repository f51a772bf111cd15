"""Recorded data in episodes: a LeRobot v3 data set, or a folder of ROS 2 bags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from armsight.data.bags.bag import COMPRESSED, IMAGE, Bag, is_bag
from armsight.data.bags.cameras import choose_topics
from armsight.data.bags.film import BagFilm
from armsight.data.bags.recording import bag_recording
from armsight.data.lerobot import layout
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.recordings.open_recordings import episode_recording
from armsight.data.recordings.recording import Recording
from armsight.errors import DatasetError
from armsight.robots import Robot


class Episodes(Protocol):
    """Episodes by number, as one or several cameras saw them. No file is held open."""

    @property
    def numbers(self) -> tuple[int, ...]: ...
    @property
    def camera_keys(self) -> tuple[str, ...]: ...
    @property
    def fps(self) -> float: ...
    def length(self, episode: int, camera_key: str) -> int:
        """How many frames there are."""
        ...

    def image_size(self, camera_key: str) -> tuple[int, int]:
        """Width and height [px]."""
        ...

    def digest(self, episode: int, camera_key: str) -> str:
        """Changes with the episode's record and the size of its files, so that what is known of
        data that were written anew is not taken for that of the old ones."""
        ...

    def recording(
        self, robot: Robot, episode: int, camera_key: str, state_key: str | None
    ) -> Recording:
        """Frames and log.

        Raises:
            DatasetError: they cannot be read, or the log is not of this robot.
        """
        ...


def open_episodes(path: Path) -> Episodes:
    """The episodes of a LeRobot v3 data set, of a bag, or of a folder of bags.

    Raises:
        DatasetError: it is neither, or its metadata cannot be read.
        MissingExtraError: a package is missing.
    """
    if (path.is_dir() and not layout.is_data_set(path)) or is_bag(path):
        bags = bags_in(path)
        if bags:
            return BagEpisodes(bags)
    return LeRobotEpisodes(path)


def bags_in(path: Path) -> tuple[Path, ...]:
    """`path` itself where it is a bag, else the bags in that folder by name."""
    if is_bag(path) or not path.is_dir():
        return (path,) if is_bag(path) else ()
    return tuple(
        one for one in sorted(path.iterdir()) if is_bag(one) and not one.name.startswith(".")
    )


class LeRobotEpisodes:
    """A LeRobot v3 data set."""

    def __init__(self, folder: Path) -> None:
        """Read the metadata.

        Raises:
            DatasetError: it is no LeRobotDataset v3.
        """
        self.reader = LeRobotReader(folder)
        self.fps = self.reader.fps
        self.numbers = tuple(int(record["episode_index"]) for record in self.reader.episodes)
        self.camera_keys = tuple(layout.video_keys(self.reader.features))

    def length(self, episode: int, camera_key: str) -> int:
        """See `Episodes`."""
        return int(self.reader.record(episode)["length"])

    def image_size(self, camera_key: str) -> tuple[int, int]:
        """See `Episodes`."""
        height, width = self.reader.features[camera_key]["shape"][:2]
        return int(width), int(height)

    def digest(self, episode: int, camera_key: str) -> str:
        """See `Episodes`."""
        reader, record = self.reader, self.reader.record(episode)
        known = {
            name: value for name, value in record.items() if isinstance(value, int | float | str)
        }
        files = (reader.data_path(record), reader.video_path(record, camera_key, check=False))
        return _digest(json.dumps(known, sort_keys=True), files)

    def recording(
        self, robot: Robot, episode: int, camera_key: str, state_key: str | None
    ) -> Recording:
        """See `Episodes`."""
        return episode_recording(self.reader, robot, episode, camera_key, state_key)


class BagEpisodes:
    """Bags, numbered in the order of their names."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Look which cameras the first bag has; the others are taken to have the same."""
        self.paths = tuple(paths)
        self.numbers = tuple(range(len(paths)))
        self.camera_keys = choose_topics(self.paths[0])

    @cached_property
    def fps(self) -> float:
        """Of the first bag's first camera"""
        with BagFilm(self.paths[0], self.camera_keys[0]) as film:
            return film.fps

    def length(self, episode: int, camera_key: str) -> int:
        """See `Episodes`; 0 where the bag cannot be read."""
        try:
            with Bag(self.paths[episode]) as bag:
                return bag.topics(IMAGE, COMPRESSED).get(camera_key, 0)
        except DatasetError:
            return 0

    def image_size(self, camera_key: str) -> tuple[int, int]:
        """See `Episodes`; of the first bag."""
        with BagFilm(self.paths[0], camera_key) as film:
            pixels = next(iter(film)).pixels
        return pixels.shape[1], pixels.shape[0]

    def digest(self, episode: int, camera_key: str) -> str:
        """See `Episodes`."""
        path = self.paths[episode]
        return _digest(path.name, sorted(path.iterdir()) if path.is_dir() else (path,))

    def recording(
        self, robot: Robot, episode: int, camera_key: str, state_key: str | None
    ) -> Recording:
        """See `Episodes`."""
        found = bag_recording(self.paths[episode], robot, camera_key, state_key)
        if found.log is None:
            raise DatasetError(f"{found.name}: the bag holds no joint states")
        return found


def _digest(text: str, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(text.encode())
    for path in files:
        digest.update(str(path.stat().st_size if path.is_file() else -1).encode())
    return digest.hexdigest()[:16]
