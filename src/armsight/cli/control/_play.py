"""Executing actions in a simulated task: where from, filmed beside the input, with progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from armsight.actions.first_pictures import read_first_pictures
from armsight.actions.sequence import ActionSequence
from armsight.card import ACTIONS
from armsight.cli._progress import counting, progress
from armsight.errors import ArmsightError, ConfigError
from armsight.estimate.pretrained import weights_folder

if TYPE_CHECKING:
    from armsight.control.rollout import Rollout

Pixels = NDArray[np.uint8]
Watch = Callable[[int], None]


def parse_state(text: str, option: str) -> int:
    """The number of an initial state.

    Raises:
        ConfigError: it is no number.
        UnknownTaskError: there is no such state.
    """
    from armsight.control.suite import split_of

    if not text.isdigit():
        raise ConfigError(f"{option} is {text!r}; give the number of an initial state")
    split_of(int(text))
    return int(text)


def task_doubt(weights: str | Path, picture: Pixels, task: str) -> list[str]:
    """A note where the first frame (H, W, 3) fits another task of the suite clearly better.

    Args:
        weights: name or folder of those that know how the suite's tasks look.
    """
    from armsight.control.task_recognition import doubt, task_fits

    known = None
    with suppress(ArmsightError):  # actions can be played without any weights
        known = read_first_pictures(weights_folder(weights, ACTIONS))
    note = None if known is None else doubt(task_fits(known, picture), task)
    return [note] if note else []


def find_state(simulation: Any, picture: Pixels) -> tuple[int, float]:
    """The initial state whose picture is most like the first frame (H, W, 3); the correlation."""
    from armsight.control.resemblance import most_alike
    from armsight.control.suite import NUM_INITIAL_STATES

    tried = progress(range(NUM_INITIAL_STATES), NUM_INITIAL_STATES, "comparing initial states")
    states, correlations = most_alike(simulation, picture, tried)
    return states[0], float(correlations[0])


def play(
    simulation: Any,
    sequence: ActionSequence,
    initial_state: int,
    film: Path | None = None,
    keyframes: Pixels | None = None,
    watch: Watch | None = None,
) -> Rollout:
    """Execute actions open loop.

    Args:
        film: MP4 to write, of the simulation and the keyframes (K, H, W, 3) of the same moment.
        watch: also called with each step.

    Raises:
        OutputError: the film cannot be written.
    """
    from armsight.control.caption import Caption
    from armsight.control.rollout import HOLD_STEPS, filming, rollout

    watches = [] if watch is None else [watch]
    with ExitStack() as stack:
        if film is not None:
            shown, steps = None, np.empty(0, np.int64)
            if keyframes is not None:
                # One picture for each step: keyframes may be unevenly spaced.
                steps = sequence.keyframe_steps
                nearest = np.searchsorted(steps, np.arange(len(sequence)), side="right") - 1
                shown = keyframes[nearest]
            title = f"{simulation.task.instruction}, initial state {initial_state}"
            caption = Caption(title, sequence.actions, steps, lambda: bool(simulation.success))
            watches.append(stack.enter_context(filming(film, simulation, shown, caption=caption)))
        label = "playing the actions" if film is None else "playing and filming the actions"
        watches.append(stack.enter_context(counting(len(sequence) + HOLD_STEPS, label)))

        def every(step: int) -> None:
            for one in watches:
                one(step)

        return rollout(simulation, sequence.actions, initial_state, watch=every)
