"""Pictures of a data set, decoded once and kept on disk at the network's size.

Decoding takes longer than training on what was decoded, and a data set does not fit into memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from armsight.actions.keyframes import fit_square
from armsight.data.lerobot import LeRobotReader
from armsight.errors import OutputError
from armsight.files import atomic_write

Pixels = NDArray[np.uint8]
Progress = Callable[[Iterable[Any], int], Iterable[Any]]

MOST_BYTES = 8e9
"""Of one cache; where all frames need more, each second, third ... is kept"""
BLOCK = 64
"""Frames that are decoded at a time"""


@dataclass(frozen=True)
class PictureCache:
    """Pictures of E episodes."""

    pixels: Pixels
    """(F, cameras, S, S, 3) RGB, of all episodes one after another; on disk"""
    starts: NDArray[np.int64]
    """(E + 1,) where each episode begins in it"""
    every: int
    """Rows from one kept picture to the next"""

    def of(self, episode: int, pictures: NDArray[np.int64]) -> Pixels:
        """(N, cameras, S, S, 3) of an episode, by the number among its kept pictures."""
        found: Pixels = self.pixels[self.starts[episode] + pictures]
        return found

    def count(self, episode: int) -> int:
        """Kept pictures of an episode."""
        return int(self.starts[episode + 1] - self.starts[episode])


def open_pictures(
    reader: LeRobotReader,
    cameras: Sequence[str],
    size: int,
    folder: Path,
    progress: Progress | None = None,
) -> PictureCache:
    """The pictures of all episodes; decoded into `folder` unless they are there already.

    Raises:
        DatasetError: a video cannot be read.
        OutputError: the disk is full, or `folder` cannot be written.
    """
    lengths = np.array([int(one["length"]) for one in reader.episodes])
    frame_bytes = len(cameras) * size * size * 3
    every = max(1, int(np.ceil(lengths.sum() * frame_bytes / MOST_BYTES)))
    starts = np.concatenate([[0], np.cumsum(-(-lengths // every))]).astype(np.int64)
    what = {"folder": str(reader.folder.resolve()), "cameras": list(cameras), "size": size,
            "every": every, "lengths": lengths.tolist()}  # fmt: skip
    name = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]
    path, card = folder / f"pictures-{name}.npy", folder / f"pictures-{name}.json"
    if not card.is_file():
        temporary = folder / f".{uuid4().hex}.npy"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shape = (int(starts[-1]), len(cameras), size, size, 3)
            pixels = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
            _fill(pixels, reader, cameras, every, starts, progress)
            pixels.flush()
            del pixels
            temporary.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        with atomic_write(card) as written:
            written.write_text(json.dumps(what))
    return PictureCache(np.load(path, mmap_mode="r"), starts, every)


def _fill(
    pixels: Pixels,
    reader: LeRobotReader,
    cameras: Sequence[str],
    every: int,
    starts: NDArray[np.int64],
    progress: Progress | None,
) -> None:
    size = pixels.shape[2]
    episodes: Iterable[int] = range(len(reader.episodes))
    for episode in episodes if progress is None else progress(episodes, len(reader.episodes)):
        rows = range(0, int(reader.episodes[episode]["length"]), every)
        for first in range(0, len(rows), BLOCK):
            block = rows[first : first + BLOCK]
            for c, camera in enumerate(cameras):
                frames = reader.frames(episode, camera, list(block))
                at = starts[episode] + first
                pixels[at : at + len(block), c] = np.stack([fit_square(f, size) for f in frames])
