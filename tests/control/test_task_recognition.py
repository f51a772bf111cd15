"""Which task a first picture shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.actions.first_pictures import FirstPictures, read_first_pictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.card import ACTIONS
from armsight.control import task_recognition as module
from armsight.control.simulation import Simulation
from armsight.control.suite import SuiteTask
from armsight.control.task_recognition import CLEARLY, doubt, look_at, task_fits
from armsight.estimate.pretrained import WEIGHTS, available_weights

NAMES = ("milk", "butter", "soup")


class Table:
    """Each task has its block at a place of its own, which moves a little with the state."""

    def __init__(self, task: SuiteTask, image_size: int = 128) -> None:
        self.task = task

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def reset(self, initial_state: int) -> None:
        self.shift = initial_state % 5

    def render(self) -> Any:
        floor = 90 + 40 * (np.arange(128) // 6 % 2)
        picture = np.broadcast_to(floor[:, None, None], (128, 128, 3)).astype(np.uint8).copy()
        left = 20 + 30 * self.task.index + self.shift
        picture[60:80, left : left + 16] = (200, 60, 40)
        return picture


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> FirstPictures:
    made = tuple(SuiteTask("suite", i, name, name, Path()) for i, name in enumerate(NAMES))
    monkeypatch.setattr(module, "tasks", lambda suite: made)
    monkeypatch.setattr(module, "Simulation", Table)
    return look_at("suite", [0, 1, 2])


def test_tasks_are_told_apart(known: FirstPictures) -> None:
    assert known.tasks == NAMES
    assert known.pictures.shape == (3, 64, 64, 3)
    seen = []
    for i, name in enumerate(NAMES):
        table = Table(SuiteTask("suite", i, name, name, Path()))
        table.reset(4)
        seen.append(table.render())
        fits = task_fits(known, np.clip(seen[-1] * 0.7 + 60, 0, 255).astype(np.uint8))
        assert next(iter(fits)) == name
        assert doubt(fits, name) is None
        other = NAMES[i - 1]
        assert str(doubt(fits, other)).startswith(f"the first frame looks more like {name} (")
    for table in seen:
        assert known.tones.distance(ToneHistogram.of(table)) < 1


def test_doubt_needs_a_clear_difference() -> None:
    assert doubt({"milk": 0.5, "butter": 0.5 - 0.9 * CLEARLY}, "butter") is None
    text = doubt({"milk": 0.5, "butter": 0.5 - 1.1 * CLEARLY}, "butter")
    assert text is not None
    assert "like milk (correlation 0.50) than like butter (0.33)" in text
    assert doubt({"milk": 0.5}, "a task of another suite") is None


@pytest.mark.usefixtures("drawing")
def test_those_that_are_shipped_are_the_simulators(sim: Simulation) -> None:
    if "libero_object" not in available_weights(ACTIONS):
        pytest.skip("no weights in this checkout")
    shipped = read_first_pictures(WEIGHTS / "libero_object")
    assert shipped is not None
    assert len(shipped.tasks) == 10
    sim.reset(42)
    picture = sim.render()
    fits = task_fits(shipped, picture)
    assert next(iter(fits)) == sim.task.name
    assert doubt(fits, sim.task.name) is None
    wrong = [name for name in shipped.tasks if name != sim.task.name]
    assert all(doubt(fits, name) for name in wrong)
    assert shipped.tones.distance(ToneHistogram.of(picture)) < 2
