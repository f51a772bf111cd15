"""Batches of windows from recorded episodes: keyframes at one stride, and the pairs among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec
from armsight.data.lerobot import LeRobotReader
from armsight.errors import DatasetError
from armsight.train.pose.augment import Photometric
from armsight.train.pose.batches import Batch
from armsight.train.pose.encoded import MAPS
from armsight.train.recorded.maps import LOOKS, MapCache
from armsight.train.recorded.pictures import PictureCache

WITHOUT_CAMERA = 0.3
"""Share of windows in which one of several cameras is not there, so that one alone will do"""
PLAIN = 0.3
"""Share of windows whose pictures are left as they are"""


@dataclass(frozen=True)
class Recordings:
    """Rows of the training episodes in memory, their pictures on disk."""

    steps: dict[int, NDArray[np.float32]]
    """By the episode's number: (N, channels), see `ActionSpec.channels`"""
    pictures: PictureCache
    maps: MapCache | None = None
    """In place of pictures, where the backbone is frozen"""


def read_steps(
    reader: LeRobotReader, spec: ActionSpec, episodes: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Actions and states of episodes, side by side.

    Raises:
        DatasetError: an episode's file is missing or broken.
    """
    found = {}
    for episode in episodes:
        rows = reader.rows(episode)
        keys = [spec.action_key, *([spec.state_key] if spec.state_key else [])]
        parts = [np.asarray(rows[key], np.float32).reshape(len(rows[key]), -1) for key in keys]
        found[episode] = np.concatenate(parts, 1)
    return found


def largest_gap(count: int, every: int, window: int, max_stride: int) -> int:
    """Most kept pictures from one keyframe to the next; 0 if no window fits."""
    return min(max_stride // every, (count - 1) // (window - 1))


def usable(recordings: Recordings, window: int, max_stride: int) -> list[int]:
    """The episodes that have a window.

    Raises:
        DatasetError: none has one.
    """
    cache = recordings.pictures
    fitting = [
        e for e in recordings.steps if largest_gap(cache.count(e), cache.every, window, max_stride)
    ]
    if not fitting:
        raise DatasetError(
            f"none of {len(recordings.steps)} training episodes has {window} pictures at most "
            f"{max_stride} control steps apart; record longer episodes"
        )
    return fitting


def draw_batch(
    recordings: Recordings,
    episodes: Sequence[int],
    window: int,
    max_stride: int,
    rngs: list[np.random.Generator],
) -> Batch:
    """One window for each generator.

    Names and shapes, with N = B F keyframes, C cameras and P = B (2 F - 3) pairs: image
    (N C, 3, S, S) uint8, or the backbone's maps of them, seen (N, C), pairs (P, 2) int64,
    stride (P,), steps (P, T, channels) in the data set's units, step_weight (P, T) 0 or 1.
    """
    lengths = np.array([len(recordings.steps[e]) for e in episodes], float)
    share = lengths / lengths.sum()
    parts = [_window(recordings, episodes, share, window, max_stride, rng) for rng in rngs]
    batch = {
        name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]
    }
    offsets = (window * torch.arange(len(rngs))).repeat_interleave(2 * window - 3)
    batch["pairs"] += offsets[:, None]
    for name in batch:
        if name == "image":
            batch[name] = batch[name].flatten(0, 1).permute(0, 3, 1, 2)
        elif name.startswith(MAPS):
            batch[name] = batch[name].flatten(0, 1)
    return batch


def _window(
    recordings: Recordings,
    episodes: Sequence[int],
    share: NDArray[np.float64],
    window: int,
    max_stride: int,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    cache = recordings.pictures
    episode = int(rng.choice(episodes, p=share))
    count = cache.count(episode)
    gap = int(rng.integers(1, largest_gap(count, cache.every, window, max_stride) + 1))
    chosen = int(rng.integers(count - gap * (window - 1))) + gap * np.arange(window)
    cameras = cache.pixels.shape[1]
    seen = np.ones((window, cameras), np.float32)
    if cameras > 1 and rng.random() < WITHOUT_CAMERA:
        seen[:, rng.integers(cameras)] = 0
    shown = _shown(recordings, episode, chosen, rng)
    rows = chosen * cache.every
    i = np.arange(window)
    pairs = np.concatenate([np.stack([i[:-1], i[1:]], 1), np.stack([i[:-2], i[2:]], 1)])
    truth = [_truth(recordings.steps[episode], rows[a], rows[b], max_stride) for a, b in pairs]
    return {
        **shown,
        "seen": seen,
        "pairs": pairs,
        "stride": (rows[pairs[:, 1]] - rows[pairs[:, 0]]).astype(np.float32),
        "steps": np.stack([steps for steps, _ in truth]),
        "step_weight": np.stack([weight for _, weight in truth]),
    }


def _shown(
    recordings: Recordings, episode: int, chosen: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """The keyframes' pictures, or the backbone's maps of them; in one look for each camera."""
    cameras = recordings.pictures.pixels.shape[1]
    plain = rng.random() < PLAIN
    if recordings.maps is not None:
        look = [0 if plain else int(rng.integers(LOOKS)) for _ in range(cameras)]
        return recordings.maps.of(episode, chosen, look)
    pixels = np.array(recordings.pictures.of(episode, chosen))
    if not plain:
        for c in range(cameras):
            drawn = Photometric.draw(rng, jpeg=0.3)  # one camera, one light
            pixels[:, c] = np.stack([drawn.apply(one, rng) for one in pixels[:, c]])
    return {"image": pixels}


def _truth(
    steps: NDArray[np.float32], first: int, last: int, max_stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows (max_stride + 1, channels) from the first on, and which of them count; none where the
    pair is further apart than `max_stride`."""
    stride, T = last - first, max_stride + 1
    rows = steps[first : first + T]
    rows = np.concatenate([rows, np.repeat(rows[-1:], T - len(rows), 0)])
    return rows, (np.arange(T) <= stride).astype(np.float32) * (stride <= max_stride)
