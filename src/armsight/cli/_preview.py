"""`armsight actions --preview`: the simulator executes the actions, the keyframes beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from armsight.actions.keyframes import Keyframes, Progress
from armsight.actions.sequence import ActionSequence
from armsight.errors import ConfigError, UnknownTaskError
from armsight.files import atomic_write

if TYPE_CHECKING:
    from armsight.control.suite import Task

SIZE = 256
"""Sides of the simulator's picture [px]"""


def write_preview(
    sequence: ActionSequence,
    keyframes: Keyframes,
    scene: tuple[Task, int | None],
    target: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Execute the actions open loop and film it.

    Args:
        scene: task and initial state, see `find_scene`; a state of None: the one whose picture is
            most like the first keyframe.
        target: MP4 to write.

    Returns:
        What was executed where, and whether it solved the task; `text` says it in one line.

    Raises:
        MissingExtraError: the simulator is not installed.
        OutputError: the video cannot be written.
    """
    from armsight.control.resemblance import most_alike
    from armsight.control.rollout import filming, rollout
    from armsight.control.simulation import Simulation
    from armsight.control.suite import NUM_INITIAL_STATES

    task, state = scene
    alike: float | None = None
    with Simulation(task, image_size=SIZE) as simulation:
        if state is None:
            tried = progress(range(NUM_INITIAL_STATES), NUM_INITIAL_STATES)
            states, correlations = most_alike(simulation, keyframes.images[0], tried)
            state, alike = states[0], float(correlations[0])
        # One picture for each step: keyframes may be unevenly spaced.
        steps = np.arange(len(sequence))
        shown = np.searchsorted(sequence.keyframe_steps, steps, side="right") - 1
        with (
            atomic_write(target) as path,
            filming(path, simulation, keyframes.images[shown]) as watch,
        ):
            result = rollout(simulation, sequence.actions, state, watch=watch)
    fit = "" if alike is None else f" (most like the first frame: correlation {alike:.2f})"
    outcome = f"solved after {result.num_steps} steps" if result.success else "not solved"
    return {
        "task": task.name,
        "initial_state": state,
        "resemblance": alike,
        "success": result.success,
        "num_steps": result.num_steps,
        "text": f"{task.instruction}, initial state {state}{fit}: {outcome}",
    }


def find_scene(scene: str | None, name: str, suite: str) -> tuple[Task, int | None]:
    """Task and initial state of `--scene`; the task from the input's name where it is None.

    Args:
        scene: `TASK`, `TASK:STATE` or None.
        name: of the input.

    Raises:
        ConfigError: neither says which.
        UnknownTaskError: no such task or initial state.
        MissingExtraError: the simulator is not installed.
    """
    from armsight.control.suite import SUITES, find_task, split_of

    suite = suite if suite in SUITES else SUITES[0]
    if scene is None:
        try:
            return find_task(name, suite), None
        except UnknownTaskError as error:
            raise ConfigError(
                f"--preview must know where to execute the actions: give --scene TASK or "
                f"--scene TASK:STATE; {error}"
            ) from None
    text, _, state = scene.partition(":")
    if state and not state.isdigit():
        raise ConfigError(f"--scene is {scene!r}; give TASK or TASK:STATE, e.g. milk:40")
    if state:
        split_of(int(state))
    return find_task(text, suite), int(state) if state else None
