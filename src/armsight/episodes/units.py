"""Which episodes of a data set, as which of its cameras saw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from armsight.data.recordings.episodes import open_episodes
from armsight.errors import ConfigError, DatasetError


@dataclass(frozen=True)
class Unit:
    """One episode as one camera saw it."""

    episode: int
    camera_key: str

    @property
    def key(self) -> str:
        """Its name in the journal"""
        return f"episode {self.episode}, {self.camera_key}"


def choose_units(
    dataset: Path, episodes: str | None = None, camera_keys: Sequence[str] = ()
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The episodes and the cameras of a data set, or of bags, that are asked for.

    Args:
        episodes: such as "0-9,12"; all by default.
        camera_keys: names of videos or image topics; all by default.

    Raises:
        DatasetError: neither a LeRobotDataset v3 nor bags, no episodes, or no such video.
        ConfigError: `episodes` cannot be read, or names episodes that are not there.
    """
    known = open_episodes(dataset)
    videos, there = known.camera_keys, known.numbers
    if not videos:
        raise DatasetError(f"{dataset} has no videos, and these are what is looked at")
    if odd := [key for key in camera_keys if key not in videos]:
        raise DatasetError(f"{dataset} has no video {', '.join(odd)}; valid: {', '.join(videos)}")
    if not there:
        raise DatasetError(f"{dataset} has no episodes")
    chosen = list(there) if episodes is None else parse_episodes(episodes)
    if odd_episodes := sorted(set(chosen) - set(there)):
        raise ConfigError(
            f"--episodes names {', '.join(map(str, odd_episodes[:5]))}, but {dataset} has "
            f"episodes {there[0]} to {there[-1]}"
        )
    return tuple(chosen), tuple(camera_keys) or videos


def units_of(episodes: Iterable[int], camera_keys: Iterable[str]) -> list[Unit]:
    """Camera by camera, so that what one video file holds is read in one go."""
    return [Unit(episode, key) for key in camera_keys for episode in episodes]


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
