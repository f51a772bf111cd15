"""Where an evaluation's keyframes come from: the oracle, videos of others, a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.control.world_models import (
    DiffusersWorldModel,
    VideoFile,
    WorldModel,
    find_keyframes,
    is_pipeline,
)
from armsight.errors import BadVideoError, DatasetError
from armsight.evaluate.control.demos import Demonstration, DemonstrationFolder, add_strides, record
from armsight.evaluate.control.plan import ORACLE, ControlPlan, PlayedEpisode
from armsight.evaluate.control.rows import Material
from armsight.files import atomic_write
from armsight.reports.journal import Line

Frames = NDArray[np.uint8]


def check_keyframes(plan: ControlPlan) -> None:
    """Look whether there are any keyframes at all, before anything is played.

    Raises:
        DatasetError: the folder has none of any planned episode.
    """
    folder = Path(plan.keyframes)
    if plan.keyframes == ORACLE or is_pipeline(folder):
        return
    for task in plan.tasks:
        for state in plan.initial_states:
            try:
                find_keyframes(folder, (task,), state)
                return
            except BadVideoError:
                continue
    raise DatasetError(
        f"{folder} has no keyframes of the tasks and initial states to be played; expected such as "
        f"{folder / plan.tasks[0] / str(plan.initial_states[0])}.mp4, or a folder of pictures "
        f"{folder / plan.tasks[0] / str(plan.initial_states[0])}"
    )


class Sources:
    """Keyframes of units, and demonstrations, kept in the plan's folder."""

    def __init__(self, plan: ControlPlan, simulation: Callable[[str], Any]) -> None:
        """`simulation` gives a task's simulation; it is used for looking, never for acting on."""
        self.plan, self._simulation = plan, simulation
        self._demonstrations = DemonstrationFolder(plan.folder / "demonstrations")

    def material(self, unit: PlayedEpisode) -> tuple[Material, Line]:
        """What a row may use, and what the unit's line says of it.

        Raises:
            BadVideoError, BadImageError: there are no keyframes for this unit, or broken ones.
        """
        plan, stride = self.plan, unit.stride or self.plan.stride
        K = np.array(self._simulation(unit.task).K)
        if plan.keyframes == ORACLE:
            made = self.demonstration(unit)
            facts = {"demonstration": made.success, "attempts": made.attempts}
            actions = made.actions if unit.row == "replay" else None
            return Material(made.oracle(stride).keyframes(), K, actions), facts
        folder = Path(plan.keyframes)
        if is_pipeline(folder):
            folder = self._dreamed(unit)
        source: WorldModel = VideoFile(
            find_keyframes(folder, (unit.task,), unit.initial_state), stride
        )
        return Material(source.keyframes(np.empty((0, 0, 3), np.uint8), ""), K, None), {}

    def demonstration(self, unit: PlayedEpisode) -> Demonstration:
        """From disk, or by the expert, with the keyframes of all strides."""
        plan, name = self.plan, (unit.task, unit.initial_state, self.plan.seed)
        made = self._demonstrations.read(*name)
        if made is not None:
            try:
                for stride in plan.all_strides():
                    made.oracle(stride).keyframes()
                return made
            except BadVideoError:
                simulation = self._simulation(unit.task)
                made = add_strides(made, simulation, unit.initial_state, plan.all_strides())
        else:
            made = record(
                self._simulation(unit.task),
                plan.world.demonstrate,
                unit.initial_state,
                plan.all_strides(),
                [plan.seed],
            )
        self._demonstrations.write(*name, made)
        return made

    def _dreamed(self, unit: PlayedEpisode) -> Path:
        """The folder of the pipeline's keyframes, made where they are not there yet."""
        folder = self.plan.folder / "keyframes"
        target = folder / unit.task / f"{unit.initial_state}"
        if not (target / "complete").is_file():
            simulation = self._simulation(unit.task)
            simulation.reset(unit.initial_state)
            instruction = self.plan.world.instruction(unit.task)
            frames = self._pipeline.keyframes(simulation.render(), instruction)
            for i, frame in enumerate(frames):
                with atomic_write(target / f"{i:04d}.png") as path:
                    cv2.imwrite(str(path), frame[..., ::-1])
            with atomic_write(target / "complete") as path:
                path.write_text(f"{len(frames)} keyframes\n")
        return folder

    @cached_property
    def _pipeline(self) -> DiffusersWorldModel:
        plan = self.plan
        return DiffusersWorldModel.from_pretrained(
            plan.keyframes, stride=plan.stride, seed=plan.seed
        )
