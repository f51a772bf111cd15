"""Demonstrations of evaluated initial states, recorded once and kept: the oracle's keyframes.

The expert drives a simulation of its own. What is handed on are pictures, and, to the row that
replays them and to nobody else, its actions.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.control.rollout import Stepped
from armsight.control.world_models import Oracle, keyframe_steps
from armsight.errors import ControlError
from armsight.files import atomic_write

Array = NDArray[np.floating]
Frames = NDArray[np.uint8]

FORMAT = "armsight-demonstration/1"
ATTEMPTS = 3
"""An expert that fails tries again in another way; the last try is kept, whatever became of it"""


class Demonstrator(Protocol):
    """Solves a task that it can see into."""

    def __call__(self, simulation: Stepped, seed: Sequence[int]) -> Iterator[Array]:
        """Actions (7,) for a simulation that was just reset; the caller steps it with each."""


@dataclass(frozen=True)
class Demonstration:
    """What an expert did, and how it looked."""

    actions: Array
    """(N, 7)"""
    success: bool
    attempts: int
    frames: dict[int, Frames]
    """Pictures (H, W, 3) by the number of actions done before"""

    def oracle(self, stride: int) -> Oracle:
        """Its pictures alone, as a world model."""
        return Oracle(self.frames, len(self.actions), stride)


def record(
    simulation: Stepped,
    demonstrator: Demonstrator,
    initial_state: int,
    strides: Iterable[int],
    seed: Sequence[int],
) -> Demonstration:
    """Let the expert do it, rendering the keyframes of all strides on the way."""
    attempt, done = 0, False
    while not done and attempt < ATTEMPTS:
        simulation.reset(initial_state)
        frames: dict[int, Frames] = {}
        actions: list[Array] = []
        done = False
        for action in demonstrator(simulation, [*seed, attempt]):
            _look(simulation, len(actions), strides, frames)
            actions.append(np.array(action, dtype=float))
            done = simulation.step(action) or done
        attempt += 1
    if not actions:
        raise ControlError(f"the expert did nothing in initial state {initial_state}")
    _run_out(simulation, np.array(actions), strides, frames)
    return Demonstration(np.array(actions), done, attempt, frames)


def add_strides(
    demonstration: Demonstration, simulation: Stepped, initial_state: int, strides: Iterable[int]
) -> Demonstration:
    """The same demonstration, played again and rendered at further strides; replays are exact."""
    simulation.reset(initial_state)
    frames = dict(demonstration.frames)
    for step, action in enumerate(demonstration.actions):
        _look(simulation, step, strides, frames)
        simulation.step(action)
    _run_out(simulation, demonstration.actions, strides, frames)
    return replace(demonstration, frames=frames)


def _look(
    simulation: Stepped, step: int, strides: Iterable[int], frames: dict[int, Frames]
) -> None:
    if step not in frames and any(step % stride == 0 for stride in strides):
        frames[step] = simulation.render()


def _run_out(
    simulation: Stepped, actions: Array, strides: Iterable[int], frames: dict[int, Frames]
) -> None:
    """Stand still up to each stride's last keyframe, so that none is cut off."""
    hold = np.append(np.zeros(6), actions[-1, 6])
    last = sorted({keyframe_steps(len(actions), stride)[-1] for stride in strides})
    step = len(actions)
    for row in last:
        while step < row:
            simulation.step(hold)
            step += 1
        if row not in frames:
            frames[row] = simulation.render()


class DemonstrationFolder:
    """Demonstrations on disk, one file each; a broken file is as good as none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, task: str, initial_state: int, seed: int) -> Path:
        """The file of one demonstration."""
        return self.folder / f"{task}.{initial_state}.{seed}.npz"

    def read(self, task: str, initial_state: int, seed: int) -> Demonstration | None:
        """A demonstration, or None where there is none that can be read."""
        path = self.path(task, initial_state, seed)
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["format"]) != FORMAT:
                    return None
                ends = np.cumsum(file["sizes"])
                pictures = np.split(file["png"], ends[:-1])
                frames = {
                    int(row): _decoded(png) for row, png in zip(file["rows"], pictures, strict=True)
                }
                found = Demonstration(
                    file["actions"], bool(file["success"]), int(file["attempts"]), frames
                )
        except (OSError, ValueError, KeyError, TypeError, EOFError, cv2.error, zipfile.BadZipFile):
            return None
        return found if found.actions.ndim == 2 and found.actions.shape[1] == 7 else None

    def write(self, task: str, initial_state: int, seed: int, made: Demonstration) -> None:
        """Keep a demonstration.

        Raises:
            OutputError: it cannot be written.
        """
        rows = sorted(made.frames)
        pictures = [cv2.imencode(".png", made.frames[row][..., ::-1])[1].ravel() for row in rows]
        path = self.path(task, initial_state, seed)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                format=FORMAT,
                actions=made.actions,
                success=made.success,
                attempts=made.attempts,
                rows=np.array(rows),
                sizes=np.array([len(picture) for picture in pictures]),
                png=np.concatenate(pictures),
            )


def _decoded(png: NDArray[np.uint8]) -> Frames:
    bgr = cv2.imdecode(png, cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("not a picture")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
