"""Statistics of a control evaluation, against brute force and by their laws."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from armsight.evaluate.control.plan import ControlPlan
from armsight.evaluate.control.result import control_result, mean_jerk, overall, success
from armsight.reports.intervals import clustered_rate_interval, wilson_interval
from tests.evaluate.control.grey_world import GreyWorld


def line(task: str, state: int, success: bool, row: str = "replay", stride: int = 0, **more):
    return {"task": task, "initial_state": state, "row": row, "stride": stride,
            "success": success, "steps": 5, "num_actions": 9, "jerk": 0.5, "seconds": 1.5,
            "error": None, **more}  # fmt: skip


def test_clustered_interval_against_all_possible_resamples() -> None:
    """Three clusters can be resampled in 27 equally likely ways: the exact quantiles."""
    clusters = [[True] * 4, [True, False, False, False], [False] * 8]
    rates = sorted(
        sum(sum(c) for c in chosen) / sum(len(c) for c in chosen)
        for chosen in itertools.product(clusters, repeat=3)
    )
    low, high = clustered_rate_interval(clusters, num_resamples=20_000)
    # The ends of the distribution each hold 1 of 27 resamples, which is more than 2.5 %.
    assert low == pytest.approx(rates[0])
    assert high == pytest.approx(rates[-1])


def test_clusters_widen_the_interval_of_tasks_that_stand_or_fall_together() -> None:
    together = {f"t{i}": [i % 2 == 0] * 10 for i in range(10)}
    figures = overall(together)
    assert figures["success_rate"] == 0.5
    wilson = wilson_interval(50, 100)
    assert figures["interval"][0] < wilson[0] - 0.1
    assert figures["interval"][1] > wilson[1] + 0.1


def test_tasks_that_do_equally_well_do_not_make_certain() -> None:
    figures = overall({f"t{i}": [True] * 10 for i in range(10)})
    assert figures["clustered"] == [1.0, 1.0]
    assert figures["interval"] == list(wilson_interval(100, 100))
    assert figures["interval"][0] < 0.97


def test_one_task_has_wilsons_interval() -> None:
    figures = overall({"one": [True, False, True]})
    assert figures["clustered"] is None
    assert figures["interval"] == list(wilson_interval(2, 3))


def test_nothing_is_known_without_episodes() -> None:
    assert overall({}) | {"wilson": 0, "clustered": 0} == {
        "success_rate": None, "successes": 0, "episodes": 0, "interval": None,
        "wilson": 0, "clustered": 0,
    }  # fmt: skip


def test_the_papers_tasks_are_found_by_name() -> None:
    names = ["pick_up_the_cream_cheese_and_place_it_in_the_basket", "ketchup",
             "pick_up_the_milk_and_place_it_in_the_basket", "bbq_sauce"]  # fmt: skip
    found = success([line(name, 0, "milk" not in name) for name in names])
    assert found["paper_tasks"]["episodes"] == 2
    assert found["paper_tasks"]["success_rate"] == 1.0
    assert found["overall"]["success_rate"] == 0.75


def test_jerk_is_zero_on_straight_lines_and_known_on_a_zigzag() -> None:
    straight = np.outer(np.arange(8), np.ones(7)) * 0.1
    assert mean_jerk(straight) == pytest.approx(0, abs=1e-12)
    zigzag = np.zeros((8, 7))
    zigzag[::2, 0] = 0.25  # second differences are 4 * 0.25 / 2
    assert mean_jerk(zigzag) == pytest.approx(0.5)
    gripper = np.zeros((8, 7))
    gripper[4:, 6] = 1
    assert mean_jerk(gripper) == 0
    assert mean_jerk(zigzag[:2]) == 0


def test_result_has_the_default_row_at_the_top(tmp_path: Path) -> None:
    plan = ControlPlan(tmp_path, ("a", "b"), (40, 41), rows=("replay", "direct", "no_action"),
                strides=(1, 2), default_row="direct", weights="w", world=GreyWorld())  # fmt: skip
    lines = [
        line(task, state, row == "replay" or (row == "direct" and task == "a"), row, stride)
        for task in ("a", "b")
        for state in (40, 41)
        for row, stride in [("replay", 0), ("direct", 3), ("direct", 1), ("no_action", 0)]
    ]
    result = control_result(plan, lines)
    assert result["overall"]["success_rate"] == 0.5
    assert result["per_task"]["a"] == {
        "success_rate": 1.0, "successes": 2, "episodes": 2,
        "interval": list(wilson_interval(2, 2)),
    }  # fmt: skip
    assert result["rows"]["replay"]["overall"]["success_rate"] == 1.0
    assert result["rows"]["no_action"]["overall"]["success_rate"] == 0.0
    # A stride's episodes count for its own curve only.
    assert result["overall"]["episodes"] == 4
    assert {s: f["episodes"] for s, f in result["strides"].items()} == {"1": 4, "2": 0, "3": 4}
    assert [f["task"] for f in result["failures"]] == ["b", "b"]


def test_a_row_that_cannot_be_played_says_why(tmp_path: Path) -> None:
    plan = ControlPlan(tmp_path, ("a",), (40,), rows=("replay", "regression", "pose_differencing"),
                default_row="replay", weights="w", world=GreyWorld())  # fmt: skip
    rows = control_result(plan, [line("a", 40, True)])["rows"]
    assert {name: row["status"] for name, row in rows.items()} == {
        "replay": "played", "regression": "no weights", "pose_differencing": "no weights",
    }  # fmt: skip
    elsewhere = ControlPlan(tmp_path, ("a",), (40,), keyframes="videos", world=GreyWorld())
    assert elsewhere.why_not("replay") == "no demonstration"
