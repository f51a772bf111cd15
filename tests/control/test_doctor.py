"""The doctor is content with a healthy simulation, and finds what is wrong with a sick one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli import group
from armsight.control import doctor
from armsight.control.doctor import Check
from armsight.control.simulation import Simulation
from tests.control.conftest import needs_libero


class Sick:
    """A simulation with something wrong."""

    def __init__(self, sim: Simulation, **wrong: Any) -> None:
        self._sim, self._wrong = sim, wrong

    def __getattr__(self, name: str) -> Any:
        return self._wrong.get(name) or getattr(self._sim, name)


def run(test: Any, sim: Any) -> Check:
    return doctor._run("it", lambda: test(sim))[0]


def test_a_healthy_simulation(drawing: Simulation) -> None:
    for test in (doctor.rendering, doctor.orientation, doctor.frames, doctor.gripper_sign,
                 doctor.action_axes, doctor.replay):  # fmt: skip
        check = run(test, drawing)
        assert check.ok, check
        assert check.detail
    assert doctor.versions().startswith("python")


@pytest.mark.parametrize("turn,name", [
    (np.s_[::-1], "upside down"), (np.s_[:, ::-1], "mirrored"), (np.s_[::-1, ::-1], "turned"),
])  # fmt: skip
def test_pictures_the_wrong_way_round(drawing: Simulation, turn: Any, name: str) -> None:
    sick = Sick(drawing, render=lambda: drawing.render()[turn])
    check = run(doctor.orientation, sick)
    assert not check.ok
    assert name in check.detail
    assert "pip install" in check.fix


def test_gripper_the_wrong_way_round(sim: Simulation) -> None:
    sick = Sick(sim, step=lambda action: sim.step(action * [1, 1, 1, 1, 1, 1, -1]))
    check = run(doctor.gripper_sign, sick)
    assert not check.ok
    assert "sign" in check.fix


def test_axes_swapped(sim: Simulation) -> None:
    sick = Sick(sim, step=lambda action: sim.step(action[[1, 0, 2, 3, 4, 5, 6]]))
    assert not run(doctor.action_axes, sick).ok


def test_empty_pictures(sim: Simulation) -> None:
    check = run(doctor.rendering, Sick(sim, render=lambda: np.zeros((96, 96, 3), np.uint8)))
    assert not check.ok
    assert "osmesa" in check.fix


@needs_libero
def test_untried_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor.installed()
    for wrong in (
        {"mujoco": "2.3.7"},
        {"mujoco": "3.3.2"},
        {"mujoco": "4.0.0"},
        {"robosuite": "1.5.1"},
        {"opencv-python": "4.12.0"},
    ):
        monkeypatch.setattr(doctor, "installed", lambda wrong=wrong: {**found, **wrong})
        check, _ = doctor._run("versions", doctor.versions)
        assert not check.ok
        assert next(iter(wrong)) in check.detail
        if "mujoco" in wrong:  # the advice changes something
            assert check.fix == "run: pip install --no-deps 'mujoco>=3.3.3,<3.18'"


@pytest.mark.parametrize("ok", [True, False])
def test_command(monkeypatch: pytest.MonkeyPatch, ok: bool) -> None:
    checks = [Check("one", True, "fine"), Check("two", ok, "so so", "" if ok else "do this")]
    monkeypatch.setattr(doctor, "examine", lambda task, suite: iter(checks))
    result = CliRunner().invoke(group, ["doctor", "control"])
    assert result.exit_code == (0 if ok else 1)
    assert result.output.splitlines()[0] == "OK    one: fine"
    assert ("FAIL  two: so so" in result.output) != ok
    assert ("-> do this" in result.output) != ok
    document = json.loads(CliRunner().invoke(group, ["doctor", "control", "--json"]).stdout)
    assert document["ok"] is ok
    assert [check["name"] for check in document["checks"]] == ["one", "two"]
    assert "python" in document["versions"]
