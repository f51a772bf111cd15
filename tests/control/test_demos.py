"""Demonstrations: only their split's initial states, the same ones again, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from armsight.control import demos
from armsight.control.demos import (
    CAMERA,
    DemonstrationJob,
    Episode,
    make_demos,
    plan,
    record,
    schedule,
)
from armsight.control.simulation import Simulation
from armsight.control.suite import SPLITS, split_of
from armsight.data.lerobot import LeRobotReader
from armsight.errors import ConfigError, OutputError, UnknownTaskError
from tests.control.conftest import needs_libero

pytestmark = needs_libero


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_never_uses_anothers_initial_states(split: str) -> None:
    jobs = plan(700, split, seed=3)
    used = {job.initial_state for job in jobs}
    assert used == set(SPLITS[split])
    assert all(split_of(job.initial_state) == split for job in jobs)
    others = {state for name, states in SPLITS.items() if name != split for state in states}
    assert not used & others


def test_tasks_and_states_come_equally_often() -> None:
    counts = Counter((job.task, job.initial_state) for job in plan(600, "train", seed=0))
    assert len(counts) == 300
    assert set(counts.values()) == {2}
    assert plan(40, "train", 0) == plan(600, "train", 0)[:40]  # more can be added later
    assert plan(40, "train", 0) != plan(40, "train", 1)


def test_schedule_keeps_all_and_groups_tasks() -> None:
    jobs = plan(135, "test", 0, task_indices=(2, 5, 7))
    blocks = schedule(jobs)
    assert sorted(job.number for block in blocks for job in block) == list(range(135))
    assert all(len({job.task for job in block}) == 1 for block in blocks)
    assert [block[0].task for block in blocks[:3]] == [2, 5, 7]


def test_unknown_split_and_suite() -> None:
    with pytest.raises(UnknownTaskError, match="validation"):
        plan(1, "val", 0)
    with pytest.raises(UnknownTaskError, match="libero_object"):
        plan(1, "train", 0, suite="libero_goal")


def test_an_episode_can_be_made_again(drawing: Simulation) -> None:
    job = replace(plan(1, "train", 0, task_indices=(1,), frames_every=7)[0], image_size=96)
    first, again = record(drawing, job), record(drawing, job)
    assert first.success
    assert split_of(first.job.initial_state) == "train"
    for name, values in first.rows.items():
        np.testing.assert_array_equal(values, again.rows[name])
    np.testing.assert_array_equal(first.frames, again.frames)
    shown = np.flatnonzero(first.rows[f"{CAMERA}.is_rendered"])
    assert {7} >= set(np.diff(shown)[1:-1])
    assert shown[0] == 0
    assert shown[-1] == len(first.frames) - 1
    for row in range(1, len(first.frames)):
        if row not in shown:
            np.testing.assert_array_equal(first.frames[row], first.frames[row - 1])
    # Row t is what is seen before action t: playing the actions gives the rows.
    drawing.reset(job.initial_state)
    np.testing.assert_array_equal(first.rows["observation.T_base_ee"][0], drawing.T_base_ee)
    for action in first.rows["action"][:20]:
        drawing.step(action)
    np.testing.assert_array_equal(first.rows["observation.T_base_ee"][20], drawing.T_base_ee)
    state = first.rows["observation.state"]
    np.testing.assert_array_equal(state[:, :3], first.rows["observation.T_base_ee"][:, :3, 3])


def test_a_job_of_another_split_is_refused(sim: Simulation) -> None:
    job = replace(plan(1, "train", 0, task_indices=(1,))[0], initial_state=45)
    with pytest.raises(ConfigError, match="45 belongs to test, not train"):
        record(sim, job)


def made_up(job: DemonstrationJob) -> Episode:
    """An episode without a simulation; every fifth fails."""
    rng, length = np.random.default_rng(job.number), 6
    shapes = {name: feature["shape"] for name, feature in demos.features(32).items()}
    rows = {
        name: rng.random((length, *shape)).astype(np.float32)
        for name, shape in shapes.items() if name not in (CAMERA, f"{CAMERA}.is_rendered")
    }  # fmt: skip
    rows[f"{CAMERA}.is_rendered"] = np.ones(length, bool)
    frames = np.repeat(rng.integers(0, 255, (length, 1, 1, 3), dtype=np.uint8), 32, 1).repeat(32, 2)
    lost = job.number % 5 == 4
    return Episode(job, rows, frames, 3 if lost else 0, not lost, 1, False)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[DemonstrationJob]:
    monkeypatch.setattr(demos._Recorder, "_simulation", lambda self, job: None)
    monkeypatch.setattr(demos, "record", lambda sim, job: made_up(job))
    return plan(10, "train", 0, image_size=32)


def test_killed_half_way_nothing_is_lost(jobs: list[DemonstrationJob], tmp_path: Path) -> None:
    def stop(done: int, failures: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demos(tmp_path / "a", jobs, progress=stop)
    assert len(LeRobotReader(tmp_path / "a").episodes) == 4
    made = []
    for folder in ("a", "b"):
        assert make_demos(tmp_path / folder, jobs) == (8, 8)
        reader = LeRobotReader(tmp_path / folder)
        made.append({e["demo"]: reader.rows(i) for i, e in enumerate(reader.episodes)})
        assert all(e["split"] == "train" and e["success"] for e in reader.episodes)
    assert set(made[0]) == set(made[1]) == {0, 1, 2, 3, 5, 6, 7, 8}
    for number, rows in made[0].items():
        np.testing.assert_array_equal(rows["action"], made[1][number]["action"])
    # Nothing is left to do, and more can be added.
    assert make_demos(tmp_path / "a", jobs) == (8, 8)
    assert make_demos(tmp_path / "a", plan(12, "train", 0, image_size=32))[0] == 10


def test_other_settings_need_another_folder(jobs: list[DemonstrationJob], tmp_path: Path) -> None:
    make_demos(tmp_path, jobs[:2])
    with pytest.raises(ConfigError, match="another --out"):
        make_demos(tmp_path, plan(2, "test", 0, image_size=32))


def test_two_at_once_are_refused(jobs: list[DemonstrationJob], tmp_path: Path) -> None:
    def meanwhile(done: int, failures: int) -> None:
        if done == 1:
            with pytest.raises(OutputError, match="another process is writing to"):
                make_demos(tmp_path, jobs)

    assert make_demos(tmp_path, jobs, progress=meanwhile) == (8, 8)
    assert make_demos(tmp_path, jobs) == (8, 8)


def test_full_disk_keeps_what_is_there(
    jobs: list[DemonstrationJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_demos(tmp_path, jobs[:3])

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("armsight.files.tempfile.mkstemp", full)
        with pytest.raises(OutputError, match="No space left"):
            make_demos(tmp_path, jobs)
    assert len(LeRobotReader(tmp_path).episodes) == 3
    assert make_demos(tmp_path, jobs)[0] == 8
