"""Play a sequence of actions open loop, and say whether it solved the task.

Strictly offline: all actions are there before the first step, and nothing that happens is looked
at, except for whether the task is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.control.caption import Caption, add_caption
from armsight.data.video import VideoWriter
from armsight.errors import BadShapeError, OutputError

Array = NDArray[np.floating]
Frames = NDArray[np.uint8]

CONTROL_HZ = 20
HOLD_STEPS = 20
"""Null actions behind the last one, for what was let go to fall: 1 s"""


class Stepped(Protocol):
    """What can be played: `armsight.control.simulation.Simulation`."""

    success: bool
    """Whether the task is solved, after the last step"""

    def reset(self, initial_state: int) -> None:
        """Start over from one of the task's initial states."""

    def step(self, action: Array) -> bool:
        """One control step; whether the task is solved."""

    def render(self) -> Frames:
        """(S, S, 3) RGB"""


@dataclass(frozen=True)
class Rollout:
    """What became of a sequence of actions."""

    initial_state: int
    success: bool
    num_steps: int
    """Actions played; playing ends with success"""


def rollout(
    simulation: Stepped,
    actions: ArrayLike,
    initial_state: int,
    *,
    hold_steps: int = HOLD_STEPS,
    watch: Callable[[int], None] | None = None,
) -> Rollout:
    """Play actions (N, 7) from an initial state until the task is solved or they end.

    Args:
        simulation: of the task; it is reset first.
        actions: in [-1, 1], see `armsight.control.simulation`.
        initial_state: the suite's number of it.
        hold_steps: steps behind the last action in which the arm is asked to stay, its gripper
            as it was.
        watch: called with the number of steps played, before each step and after the last; it
            may look at the simulation, not touch it.

    Raises:
        BadShapeError: the actions are not (N, 7), or hold NaN or infinity.
    """
    actions = checked(actions)
    hold = np.zeros((hold_steps, 7))
    hold[:, 6] = actions[-1, 6]
    simulation.reset(initial_state)
    success, steps = False, 0
    for action in np.concatenate([actions, hold]):
        if watch is not None:
            watch(steps)
        success = simulation.step(action)
        steps += 1
        if success:
            break
    if watch is not None:
        watch(steps)
    return Rollout(initial_state, bool(success), steps)


def checked(actions: ArrayLike) -> Array:
    """Actions as (N, 7) floats.

    Raises:
        BadShapeError: they are not, or hold NaN or infinity.
    """
    array = np.asarray(actions, dtype=float)
    if array.ndim != 2 or array.shape[1] != 7 or not len(array):
        raise BadShapeError(f"the actions are {array.shape}; expected (N, 7) with N of 1 or more")
    if not np.isfinite(array).all():
        step = int(np.argmin(np.isfinite(array).all(axis=1)))
        raise BadShapeError(f"action {step} holds NaN or infinity: {array[step].tolist()}")
    return array


@contextmanager
def filming(
    path: Path,
    simulation: Stepped,
    keyframes: Sequence[Frames] | Frames | None = None,
    stride: int = 1,
    every: int = 2,
    caption: Caption | None = None,
) -> Iterator[Callable[[int], None]]:
    """A `watch` that films the simulation, the keyframes of the same moment to its left.

    The film gets its name when it is finished: at the end of the block, or where that is cut short
    by an error, Ctrl-C or SIGTERM (which `armsight` turns into SystemExit), with what there is.

    Args:
        path: MP4 to write.
        keyframes: (N, H, W, 3) pictures `stride` steps apart.
        every: control steps from one filmed frame to the next; the last step is filmed too.
        caption: what to write above.

    Raises:
        OutputError: the video cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(f".{path.stem}.partial{path.suffix}")
    filmed, latest = -1, -1

    def take(step: int) -> None:
        nonlocal filmed
        frame = own = simulation.render()
        if keyframes is not None:
            frame = beside(keyframes[min(step // stride, len(keyframes) - 1)], own)
        if caption is not None:
            frame = add_caption(frame, caption, step, frame.shape[1] - own.shape[1])
        video.write(frame, step / CONTROL_HZ)
        filmed = step

    def watch(step: int) -> None:
        nonlocal latest
        latest = step
        if step % every == 0:
            take(step)

    try:
        with VideoWriter(growing, CONTROL_HZ / every) as video:
            yield watch
            if latest > filmed:
                take(latest)
    except OutputError:
        filmed = -1  # what is there may be broken
        raise
    finally:
        if filmed >= 0:
            growing.replace(path)
        else:
            growing.unlink(missing_ok=True)


def beside(left: Frames, right: Frames) -> Frames:
    """Two pictures next to each other in the height of the right one, a white line between."""
    height = len(right)
    width = max(1, round(left.shape[1] * height / len(left)))
    left = np.asarray(cv2.resize(left, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    line = np.full((height, 4, 3), 255, np.uint8)
    return np.concatenate([left, line, right], axis=1)
