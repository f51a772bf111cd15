"""Demonstrations of the scripted expert as a LeRobotDataset v3.

One episode is a function of (seed, number, split): its task, initial state, style of the expert,
appearance and keyframes. Episodes are made by parallel workers and stored one by one, so that a
run that is killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.control.appearance import draw_appearance
from armsight.control.expert import Expert, Style, draw_style
from armsight.control.simulation import Simulation
from armsight.control.suite import CONTROL_HZ, SPLITS, check_suite, split_of, states_of, tasks
from armsight.data.lerobot import LeRobotWriter
from armsight.errors import ConfigError
from armsight.files import exclusive
from armsight.parallel import Workers
from armsight.robots.description.simulator import mujoco_version

CAMERA = "observation.images.agentview"
FORMAT = "armsight-demos/1"
STRIDE_WEIGHTS = (0.03, 0.12, 0.3, 0.22, 0.13, 0.08, 0.06, 0.06)
"""How often keyframes are 1, 2, ... 8 control steps apart"""
ROWS = (
    "action", "observation.state", "observation.joint_positions", "observation.T_base_ee",
)  # fmt: skip
BLOCK = 10
"""Episodes of one task in a row: building another scene costs seconds"""
TRIES = 4
"""Attempts at an episode, each with another style; a failed one is counted and left out"""


@dataclass(frozen=True)
class DemonstrationJob:
    """Which episode to make."""

    number: int
    suite: str
    task: int
    initial_state: int
    split: str
    seed: int
    frames_every: int | None
    """Control steps between pictures; None: drawn per episode"""
    image_size: int


@dataclass(frozen=True)
class Episode:
    """What a worker hands back."""

    job: DemonstrationJob
    rows: dict[str, NDArray[Any]]
    frames: NDArray[np.uint8]
    """(N, S, S, 3); between rendered rows the last picture is repeated"""
    failures: int
    """Attempts that failed before this one"""
    success: bool
    stride: int
    varied: bool
    """Lights, colours and camera differ from the suite's own"""


def plan(
    count: int,
    split: str,
    seed: int,
    *,
    suite: str = "libero_object",
    task_indices: tuple[int, ...] = (),
    frames_every: int | None = None,
    image_size: int = 128,
) -> list[DemonstrationJob]:
    """The episodes of a data set: all tasks and all initial states of the split equally often.

    Raises:
        UnknownTaskError: no such suite or split.
    """  # fmt: skip
    check_suite(suite)
    states = states_of(split)
    chosen = task_indices or tuple(range(len(tasks(suite))))
    orders = {
        task: np.random.default_rng([seed, task]).permutation(np.array(states)) for task in chosen
    }
    jobs = []
    for number in range(count):
        row, task = divmod(number, len(chosen))
        state = int(orders[chosen[task]][row % len(states)])
        jobs.append(
            DemonstrationJob(
                number, suite, chosen[task], state, split, seed, frames_every, image_size
            )
        )
    return jobs


def schedule(jobs: list[DemonstrationJob]) -> list[list[DemonstrationJob]]:
    """The same episodes in blocks of one task each."""
    by_task: dict[int, list[DemonstrationJob]] = {}
    for job in jobs:
        by_task.setdefault(job.task, []).append(job)
    blocks = []
    for first in range(0, max(map(len, by_task.values()), default=0), BLOCK):
        blocks += [own[first : first + BLOCK] for own in by_task.values() if own[first:]]
    return blocks


def record(sim: Simulation, job: DemonstrationJob) -> Episode:
    """Make one episode; the same job gives the same one, to the last bit.

    Raises:
        ConfigError: the initial state is not of the job's split.
    """
    split = split_of(job.initial_state)
    if split != job.split:
        raise ConfigError(f"initial state {job.initial_state} belongs to {split}, not {job.split}")
    for attempt in range(TRIES):
        rng = np.random.default_rng([job.seed, job.number, attempt, list(SPLITS).index(split)])
        style, appearance = draw_style(rng), draw_appearance(rng)
        stride = int(rng.choice(len(STRIDE_WEIGHTS), p=STRIDE_WEIGHTS)) + 1
        stride = job.frames_every or stride
        phase = int(rng.integers(stride))
        rows, positions = _play(sim, job.initial_state, style, rng)
        if sim.success:
            break
    length = len(positions)
    shown = np.zeros(length, bool)
    shown[phase::stride] = shown[0] = shown[-1] = True
    sim.set_appearance(appearance)
    # Pictures come last, when it is known which of them are wanted.
    pictures = [sim.render(positions[row]) for row in np.flatnonzero(shown)]
    rows |= {
        "observation.camera.agentview.K": np.repeat(sim.K[None], length, 0),
        "observation.camera.agentview.T_cam_base": np.repeat(sim.T_cam_base[None], length, 0),
        f"{CAMERA}.is_rendered": shown,
    }
    sim.set_appearance(None)
    frames = np.array(pictures)[np.cumsum(shown) - 1]
    varied = appearance is not None
    return Episode(job, rows, frames, attempt, sim.success, stride, varied)


def _play(
    sim: Simulation, initial_state: int, style: Style, rng: np.random.Generator
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Rows of one go of the expert, and MuJoCo's positions (N, nq) before each action."""
    sim.reset(initial_state)
    columns: dict[str, list[Any]] = {name: [] for name in ROWS}
    positions = []
    for action in Expert(sim, style, rng).actions():
        T = sim.T_base_ee
        turn = cv2.Rodrigues(T[:3, :3])[0].ravel()
        columns["action"].append(action)
        columns["observation.state"].append([*T[:3, 3], *turn, *sim.gripper_positions])
        columns["observation.joint_positions"].append(sim.joint_positions)
        columns["observation.T_base_ee"].append(T)
        positions.append(sim.data.qpos.copy())
        sim.step(action)
    return {name: np.array(values) for name, values in columns.items()}, np.array(positions)


def features(image_size: int) -> dict[str, dict[str, Any]]:
    """The columns of the data set."""
    names = {
        "action": ["x", "y", "z", "rx", "ry", "rz", "gripper"],
        "observation.state": ["x", "y", "z", "rx", "ry", "rz", "finger_1", "finger_2"],
        "observation.joint_positions": [f"panda_joint{i}" for i in range(1, 8)],
    }
    numbers = {
        "action": [7],
        "observation.state": [8],
        "observation.joint_positions": [7],
        "observation.T_base_ee": [4, 4],
        "observation.camera.agentview.K": [3, 3],
        "observation.camera.agentview.T_cam_base": [4, 4],
    }
    described: dict[str, dict[str, Any]] = {
        name: {"dtype": "float32", "shape": shape, "names": names.get(name)}
        for name, shape in numbers.items()
    }
    described[f"{CAMERA}.is_rendered"] = {"dtype": "bool", "shape": [1], "names": None}
    described[CAMERA] = {"dtype": "video", "shape": [image_size, image_size, 3], "names": None}
    return described


def make_demos(
    folder: Path,
    jobs: list[DemonstrationJob],
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, failures: None,
) -> tuple[int, int]:
    """Make the planned episodes that `folder` does not hold yet.

    Args:
        folder: the data set; every episode is there to be read as soon as it is made.
        jobs: see `plan`.
        workers: processes; with 1, this one.
        progress: called with the numbers of episodes that are there, and of failed attempts.

    Returns:
        How many episodes the data set holds, and how many attempts failed on the way.

    Raises:
        ConfigError: `folder` holds other demonstrations.
        OutputError: the disk is full, the folder cannot be written, or another process is at it.
    """  # fmt: skip
    with exclusive(folder), _open(folder, jobs[0]) as writer:
        there = {int(episode["demo"]) for episode in writer.episodes}
        lost = {int(number): int(tries) for number, tries in writer.extra.get("lost", {}).items()}
        left = [job for job in jobs if job.number not in there and job.number not in lost]

        def failures() -> int:
            return sum(int(e["failures"]) for e in writer.episodes) + sum(lost.values())

        progress(len(writer), failures())
        for episode in _made(left, workers):
            if episode.success:
                _store(writer, episode)
            else:
                lost[episode.job.number] = episode.failures + 1
            writer.extra |= {
                "lost": {str(number): tries for number, tries in lost.items()},
                "failed_attempts": failures(),
            }
            progress(len(writer), failures())
        return len(writer), failures()


def _open(folder: Path, first: DemonstrationJob) -> LeRobotWriter:
    """The data set in `folder`, new or continued; its episodes must be made as `first` is."""
    made_with = {
        "format": FORMAT, "suite": first.suite, "split": first.split, "seed": first.seed,
        "frames_every": first.frames_every, "controller": "OSC_POSE", "mujoco": mujoco_version(),
    }  # fmt: skip
    writer = LeRobotWriter(
        folder, fps=CONTROL_HZ, robot_type="panda", features=features(first.image_size)
    )
    known = writer.extra.setdefault("demos", made_with)
    if {"mujoco": "unknown", **known} != made_with:
        raise ConfigError(f"{folder} was made with {known}, not {made_with}; choose another --out")
    return writer


def _store(writer: LeRobotWriter, episode: Episode) -> None:
    job = episode.job
    writer.add_episode(
        episode.rows,
        {CAMERA: episode.frames},
        tasks(job.suite)[job.task].instruction,
        {
            "demo": job.number,
            "initial_state": job.initial_state,
            "suite_task": job.task,
            "split": job.split,
            "seed": job.seed,
            "success": episode.success,
            "stride": episode.stride,
            "varied": episode.varied,
            "failures": episode.failures,
        },
    )


class _Recorder:
    """Records episodes, in a simulation that is kept while their task stays the same."""

    def __init__(self) -> None:
        self._sims: dict[tuple[str, int, int], Simulation] = {}

    def __call__(self, jobs: list[DemonstrationJob]) -> list[Episode]:
        return [record(self._simulation(job), job) for job in jobs]

    def _simulation(self, job: DemonstrationJob) -> Simulation:
        key = (job.suite, job.task, job.image_size)
        if key not in self._sims:
            self.close()
            self._sims[key] = Simulation(tasks(job.suite)[job.task], image_size=job.image_size)
        return self._sims[key]

    def close(self) -> None:
        for sim in self._sims.values():
            sim.close()
        self._sims.clear()


def _made(jobs: list[DemonstrationJob], workers: int) -> Iterator[Episode]:
    """Episodes in the order of `schedule`, however many workers there are."""
    blocks = schedule(jobs)
    if workers == 1 or len(blocks) < 2:  # one by one, so that each is kept when it is made
        workers, blocks = 1, [[job] for block in blocks for job in block]
    with Workers(_Recorder, workers, "finished episodes") as pool:
        for episodes in pool.run(blocks, ordered=True):
            yield from episodes
