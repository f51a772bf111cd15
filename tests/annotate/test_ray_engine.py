"""`armsight estimate DATASET --engine ray`: two workers on this machine, of which one is killed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from armsight.annotate.episode import EpisodeEstimator
from armsight.annotate.plan import EstimatePlan, make_plan
from armsight.annotate.run import estimate_dataset
from armsight.data.lerobot import LeRobotReader
from armsight.episodes.run import Row
from armsight.episodes.units import Unit
from tests.audit.scripted import write_grey
from tests.fake_weights import write_fake_weights

pytest.importorskip("ray", reason="ray is not installed: pip install 'armsight[scale]'")
pytestmark = pytest.mark.filterwarnings("ignore")
LENGTHS = [4, 3, 5, 2, 4]


class KilledOnce(EpisodeEstimator):
    """Its process is killed at the third episode, when that is read for the first time."""

    def __init__(self, plan: EstimatePlan, diary: Path) -> None:
        super().__init__(plan)
        self.diary = diary

    def __call__(self, unit: Unit) -> Row:
        before = self.diary.read_text() if self.diary.exists() else ""
        with self.diary.open("a") as file:
            file.write(f"{unit.episode}\n")
        if unit.episode == 2 and "2\n" not in before:
            os.kill(os.getpid(), 9)
        return super().__call__(unit)


def test_nothing_is_lost_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{Path(__file__).parents[2]}/src")
    dataset = write_grey(tmp_path / "set", LENGTHS)
    plan = make_plan(dataset, str(write_fake_weights(tmp_path / "weights")), threads=1)
    one = estimate_dataset(plan, tmp_path / "one")
    make = partial(KilledOnce, diary=tmp_path / "diary")
    two = estimate_dataset(plan, tmp_path / "two", engine="ray", workers=2, make_worker=make)
    assert (tmp_path / "diary").read_text().split().count("2") == 2  # killed, then read
    for row in one + two:
        del row["seconds"]
    assert [row["episode"] for row in two] == list(range(5))
    assert one == two
    first, second = LeRobotReader(tmp_path / "one"), LeRobotReader(tmp_path / "two")
    for episode in range(5):
        for name, column in first.rows(episode).items():
            np.testing.assert_array_equal(column, second.rows(episode)[name])
    assert np.isfinite(second.rows(2)["observation.estimate.joint_positions"]).all()
