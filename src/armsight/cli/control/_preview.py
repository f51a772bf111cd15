"""`armsight actions --preview`: the simulator executes the actions, the keyframes beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from armsight.actions.keyframes import Keyframes
from armsight.actions.sequence import ActionSequence
from armsight.cli._notes import say
from armsight.cli.control._play import find_state, parse_state, play, task_doubt
from armsight.errors import ConfigError, UnknownTaskError

if TYPE_CHECKING:
    from armsight.control.suite import SuiteTask

SIZE = 256
"""Sides of the simulator's picture [px]"""


def write_preview(
    sequence: ActionSequence,
    keyframes: Keyframes,
    scene: tuple[SuiteTask, int | None],
    weights: str | Path,
    target: Path,
) -> dict[str, Any]:
    """Execute the actions open loop and film it.

    Args:
        scene: task and initial state, see `find_scene`; a state of None: the one whose picture is
            most like the first keyframe.
        weights: name or folder of those that know how the suite's tasks look in the beginning; a
            task that does not fit is doubted.
        target: MP4 to write.

    Returns:
        What was executed where, and whether it solved the task; `text` says it in one line.

    Raises:
        MissingExtraError: the simulator is not installed.
        OutputError: the video cannot be written.
    """
    from armsight.control.simulation import Simulation

    task, state = scene
    alike: float | None = None
    shown = keyframes.shown
    doubts = task_doubt(weights, shown[0], task.name)
    say([*doubts, f"building the simulation of {task.name}"])
    with Simulation(task, image_size=SIZE) as simulation:
        if state is None:
            state, alike = find_state(simulation, shown[0])
        result = play(simulation, sequence, state, target, shown)
    fit = "" if alike is None else f" (most like the first frame: correlation {alike:.2f})"
    outcome = f"solved after {result.num_steps} steps" if result.success else "not solved"
    return {
        "task": task.name,
        "initial_state": state,
        "resemblance": alike,
        "success": result.success,
        "num_steps": result.num_steps,
        "messages": doubts,
        "text": f"{task.instruction}, initial state {state}{fit}: {outcome}",
    }


def find_scene(scene: str | None, name: str, suite: str) -> tuple[SuiteTask, int | None]:
    """Task and initial state of `--scene`; the task from the input's name where it is None.

    Args:
        scene: `TASK`, `TASK:STATE` or None.
        name: of the input.

    Raises:
        ConfigError: neither says which.
        UnknownTaskError: no such task or initial state.
        MissingExtraError: the simulator is not installed.
    """
    from armsight.control.suite import SUITES, find_task

    suite = suite if suite in SUITES else SUITES[0]
    if scene is None:
        try:
            return find_task(name, suite), None
        except UnknownTaskError as error:
            raise ConfigError(
                f"--preview must know where to execute the actions: give --scene TASK or "
                f"--scene TASK:STATE; {error}"
            ) from None
    text, colon, number = scene.partition(":")
    state = parse_state(number, f"--scene {text}:STATE") if colon else None
    return find_task(text, suite), state
