"""Demonstrations in memory, and windows of keyframes drawn from them.

An episode has pictures at some of its rows only; two pictures that lie at most `max_stride`
control steps apart are a pair of keyframes, and the rows between them are its truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import LIBERO_CAMERA as CAMERA
from armsight.action_spec import libero_object_spec
from armsight.data.lerobot import LeRobotReader
from armsight.errors import DatasetError
from armsight.geometry import project, transform_points
from armsight.robots import Robot

STEP_CHANNELS = len(libero_object_spec().channels)
SCALE_FLOOR = np.array([0.1] * 6 + [1.0] + [0.05] * 3 + [0.2] * 6 + [0.02])
"""Channels that hardly vary in the data are not blown up beyond these units."""


@dataclass(frozen=True)
class Demonstration:
    """One demonstration of N control steps, F of them with a picture."""

    steps: NDArray[np.float32]
    """(N, STEP_CHANNELS), see `libero_object_spec`"""
    frames: NDArray[np.uint8]
    """(F, H, W, 3) RGB"""
    rows: NDArray[np.int64]
    """(F,) the control step before which each picture was taken, ascending"""
    keypoints_2d: NDArray[np.float32]
    """(F, K, 2) [px of the picture]"""

    @property
    def spacing(self) -> int:
        """Control steps between most of its pictures."""
        return int(np.median(np.diff(self.rows)))


def read_episodes(folders: tuple[str, ...], robot: Robot) -> list[Demonstration]:
    """All episodes of LeRobot data sets made by `armsight control demos`.

    Raises:
        DatasetError: a folder cannot be read, or has no episode with two pictures.
    """
    episodes = []
    for folder in folders:
        reader = LeRobotReader(Path(folder))
        for index in range(len(reader.episodes)):
            rows = reader.rows(index)
            shown = np.flatnonzero(np.asarray(rows[f"{CAMERA}.is_rendered"]).reshape(-1))
            if len(shown) >= 2:
                pictures = reader.frames(index, CAMERA, shown.tolist())
                episodes.append(_episode(rows, pictures, shown, robot))
    if not episodes:
        raise DatasetError(
            f"no episodes with pictures in {', '.join(folders) or 'an empty list of folders'}; "
            "make some with `armsight control demos`"
        )
    return episodes


def _episode(
    rows: dict[str, NDArray[Any]], pictures: NDArray[np.uint8], shown: Any, robot: Robot
) -> Demonstration:
    pose = np.asarray(rows["observation.T_base_ee"], float).reshape(-1, 4, 4)
    # The two fingers' coordinates have opposite signs.
    opening = np.abs(np.asarray(rows["observation.state"], float)[:, -2:]).sum(1)
    columns = pose[:, :3, :2].transpose(0, 2, 1).reshape(-1, 6)
    steps = np.concatenate([rows["action"], pose[:, :3, 3], columns, opening[:, None]], 1)
    if steps.shape[1] != STEP_CHANNELS:
        raise DatasetError(f"actions must have 7 numbers, not {np.shape(rows['action'])[1]}")
    q = np.asarray(rows["observation.joint_positions"], float)[shown]
    K = np.asarray(rows["observation.camera.agentview.K"], float).reshape(-1, 3, 3)[shown]
    T = np.asarray(rows["observation.camera.agentview.T_cam_base"], float).reshape(-1, 4, 4)[shown]
    points = transform_points(T, robot.keypoints(q))
    pixels = np.nan_to_num(project(points, K), nan=-1e4)
    return Demonstration(
        steps.astype(np.float32), pictures, np.asarray(shown), pixels.astype(np.float32)
    )


def step_statistics(episodes: list[Demonstration]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Offset and scale (STEP_CHANNELS,) that bring steps to about unit size."""
    steps = np.concatenate([episode.steps for episode in episodes]).astype(float)
    offset, scale = steps.mean(0), np.maximum(steps.std(0), SCALE_FLOOR)
    offset[6], scale[6] = 0.0, 1.0  # the gripper's command is a sign
    return tuple(offset.tolist()), tuple(scale.tolist())


@dataclass(frozen=True)
class Window:
    """F consecutive keyframes of one episode, and the pairs among them."""

    episode: Demonstration
    frames: NDArray[np.int64]
    """(F,) indices into the episode's pictures"""

    def pairs(self) -> NDArray[np.int64]:
        """(2 F - 3, 2) indices into `frames`: neighbours, then those with one between them."""
        i = np.arange(len(self.frames))
        return np.concatenate([np.stack([i[:-1], i[1:]], 1), np.stack([i[:-2], i[2:]], 1)])


def draw_window(
    episodes: list[Demonstration], length: int, max_stride: int, rng: np.random.Generator
) -> Window:
    """`length` keyframes at a random stride of a random one of `long_enough` episodes."""
    episode = episodes[rng.integers(len(episodes))]
    gap = int(rng.integers(1, largest_gap(episode, length, max_stride) + 1))
    first = int(rng.integers(len(episode.frames) - gap * (length - 1)))
    return Window(episode, first + gap * np.arange(length))


def largest_gap(episode: Demonstration, length: int, max_stride: int) -> int:
    """Most pictures from one keyframe of a window to the next; 0 if no window fits."""
    spacing = max(1, episode.spacing)
    return min(max_stride // spacing, (len(episode.frames) - 1) // (length - 1))


def long_enough(episodes: list[Demonstration], length: int, max_stride: int) -> list[Demonstration]:
    """The episodes that have a window.

    Raises:
        DatasetError: none has one.
    """
    fitting = [e for e in episodes if largest_gap(e, length, max_stride) >= 1]
    if not fitting:
        raise DatasetError(
            f"none of {len(episodes)} episodes has {length} pictures at most {max_stride} control "
            "steps apart; lower `window`, raise `max_stride`, or record longer demonstrations"
        )
    return fitting


def pair_truth(
    episode: Demonstration, first_row: int, last_row: int, max_stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Steps (max_stride + 1, STEP_CHANNELS) from the first row on, and which of them count.

    A pair that is further apart than `max_stride` does not count.
    """
    stride, T = last_row - first_row, max_stride + 1
    steps = episode.steps[first_row : first_row + T]
    steps = np.concatenate([steps, np.repeat(steps[-1:], T - len(steps), 0)])
    fits = 1 <= stride <= max_stride
    return steps, (np.arange(T) <= stride).astype(np.float32) * fits
