"""Run a control evaluation: demonstrations, then every row of every episode, then films.

Strictly offline: a unit's actions are computed from keyframes, written to disk, and only then is
a simulation reset and stepped with them. Each finished unit is one appended line of
`episodes.jsonl`; a run that was killed goes on behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.control.caption import Caption
from armsight.control.rollout import filming, rollout
from armsight.errors import (
    ArmsightError,
    ConfigError,
    MissingExtraError,
    OutputError,
    WeightsError,
)
from armsight.evaluate.control.plan import ORACLE, ControlPlan, PlayedEpisode
from armsight.evaluate.control.result import mean_jerk
from armsight.evaluate.control.rows import RowMaker
from armsight.evaluate.control.sources import Sources, check_keyframes
from armsight.files import atomic_write
from armsight.parallel import Workers
from armsight.reports.journal import Journal, Line

Array = NDArray[np.floating]
Task: TypeAlias = "tuple[str, PlayedEpisode]"
"""What a worker is asked for: `record`, `play` or `film`, and of which unit"""
Progress = Callable[[int, int], None]

FORMAT = "armsight-control/1"
EPISODES = "episodes.jsonl"
FATAL = (ConfigError, MissingExtraError, OutputError, WeightsError)
"""Errors of the set-up; others are a row's own failure to answer"""


def run_control(plan: ControlPlan, progress: Progress = lambda done, total: None) -> list[Line]:
    """Play what is not in the journal yet; all lines of the plan's units, in their order.

    Args:
        progress: called with finished and planned pieces of work.

    Raises:
        ConfigError: the folder holds results of other settings.
        DatasetError: the plan's folder of keyframes has none of these tasks.
        OutputError: it cannot be written.
        ArmsightError: a model, the simulator or a worker process failed.
    """
    units = plan.units()
    check_keyframes(plan)
    journal = Journal(plan.folder / EPISODES, FORMAT, plan.settings(), key="key")
    try:
        made_with = {unit: plan.made_with(unit) for unit in units}
        todo = [
            unit
            for unit in units
            if (line := journal.lines.get(unit.key)) is None or line["made_with"] != made_with[unit]
        ]
        firsts = list({(u.task, u.initial_state): u for u in todo}.values())
        recordings = firsts if plan.keyframes == ORACLE else []
        total, done = len(recordings) + len(units), len(units) - len(todo)
        progress(done, total)
        with Workers(partial(Player, plan), plan.workers, "finished episodes") as pool:
            for _ in pool.run([("record", unit) for unit in recordings]):
                done += 1
                progress(done, total)
            for line in pool.run([("play", unit) for unit in todo]):
                assert line is not None
                journal.add(line)
                done += 1
                progress(done, total)
            lines = [journal.lines[unit.key] for unit in units]
            for _ in pool.run([("film", unit) for unit in to_film(plan, units, lines)]):
                pass
    finally:
        journal.close()
    return lines


def to_film(
    plan: ControlPlan, units: list[PlayedEpisode], lines: list[Line]
) -> list[PlayedEpisode]:
    """Failures of the default row, at most `num_videos`, from as many tasks as there are."""
    failed = [
        unit
        for unit, line in zip(units, lines, strict=True)
        if unit.row == plan.default_row
        and unit.stride in (0, plan.stride)
        and not line["success"]
        and line["steps"]
    ]
    count = {unit.task: 0 for unit in failed}
    turns = []
    for unit in failed:
        turns.append((count[unit.task], unit))
        count[unit.task] += 1
    chosen = [unit for _, unit in sorted(turns, key=lambda turn: turn[0])][: plan.num_videos]
    return [unit for unit in chosen if not video_path(plan, unit).is_file()]


def video_path(plan: ControlPlan, unit: PlayedEpisode) -> Path:
    """Where a failure's film is."""
    return plan.folder / "failures" / f"{unit.file_stem}.mp4"


class Player:
    """Does the work of one process; holds one simulation at a time."""

    def __init__(self, plan: ControlPlan) -> None:
        self.plan = plan
        self.rows = RowMaker(plan)
        self.sources = Sources(plan, self.simulation)
        self._task = ""
        self._simulation: Any = None

    def __call__(self, task: Task) -> Line | None:
        """Do one piece of work; a played unit's line."""
        kind, unit = task
        if kind == "play":
            return self.play(unit)
        if kind == "film":
            self.film(unit)
        else:
            self.sources.demonstration(unit)
        return None

    def simulation(self, task: str) -> Any:
        """The task's simulation, made anew when the task changes."""
        if task != self._task:
            if self._simulation is not None:
                self._simulation.close()
            self._simulation, self._task = self.plan.world.simulation(task), task
        return self._simulation

    def play(self, unit: PlayedEpisode) -> Line:
        """Compute a unit's actions, then play them."""
        line: Line = {
            "key": unit.key,
            "task": unit.task,
            "initial_state": unit.initial_state,
            "row": unit.row,
            "stride": unit.stride,
            "seed": self.plan.seed,
            "made_with": self.plan.made_with(unit),
            "success": False,
            "steps": 0,
            "num_actions": 0,
            "jerk": None,
            "seconds": None,
            "error": None,
        }
        try:
            material, facts = self.sources.material(unit)
            line |= facts
            actions, seconds = self.rows.actions(unit, material)
        except FATAL:
            raise
        except ArmsightError as error:
            # No actions, no success; the reason is kept.
            return {**line, "error": str(error)}
        self._keep(unit, actions)
        played = rollout(self.simulation(unit.task), actions, unit.initial_state)
        return {
            **line,
            "success": played.success,
            "steps": played.num_steps,
            "num_actions": len(actions),
            "jerk": round(mean_jerk(actions), 6),
            "seconds": round(seconds, 4),
        }

    def film(self, unit: PlayedEpisode) -> None:
        """Play a unit's actions once more, with a camera."""
        with np.load(self._actions_path(unit), allow_pickle=False) as file:
            actions = file["actions"]
        material, _ = self.sources.material(unit)
        simulation = self.simulation(unit.task)
        stride = unit.stride or self.plan.stride
        title = f"{self.plan.world.instruction(unit.task)}, initial state {unit.initial_state}"
        steps = np.arange(len(material.frames)) * stride
        caption = Caption(title, actions, steps, lambda: bool(simulation.success))
        with (
            atomic_write(video_path(self.plan, unit)) as path,
            filming(path, simulation, material.frames, stride, every=4, caption=caption) as watch,
        ):
            rollout(simulation, actions, unit.initial_state, watch=watch)

    def _keep(self, unit: PlayedEpisode, actions: Array) -> None:
        video_path(self.plan, unit).unlink(missing_ok=True)  # of other actions
        with atomic_write(self._actions_path(unit)) as path, path.open("wb") as file:
            np.savez_compressed(file, actions=actions)

    def _actions_path(self, unit: PlayedEpisode) -> Path:
        return self.plan.folder / "actions" / f"{unit.file_stem}.npz"

    def close(self) -> None:
        """Let go of the simulation."""
        if self._simulation is not None:
            self._simulation.close()
            self._simulation, self._task = None, ""
