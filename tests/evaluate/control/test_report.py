"""What the page of a control evaluation shows, beyond the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from armsight.evaluate.control.plan import ROWS, ControlPlan
from armsight.evaluate.control.report import control_page, control_table, percent
from armsight.reports.page import page as whole_page
from armsight.reports.page import table
from tests.evaluate.control.grey_world import GreyWorld

TASKS = ("pick_up_the_milk_and_place_it_in_the_basket", "pick_up_the_butter")
PLAYED = {"episodes": 10, "success_rate": 0.9, "interval": [0.596, 0.982]}
NOTHING = {"episodes": 0, "success_rate": None, "interval": None}


@pytest.fixture
def result() -> dict[str, Any]:
    value = {"value": 0.06, "low": 0.05, "high": 0.07}
    rows = {
        name: {
            "status": "played", "what": what, "overall": PLAYED, "paper_tasks": NOTHING,
            "per_task": {TASKS[0]: PLAYED}, "mean_jerk": value, "seconds_per_video": value,
            "mean_num_actions": value,
        }
        for name, what in ROWS.items()
    }  # fmt: skip
    return {
        "settings": {"tasks": TASKS, "initial_states": [40], "keyframes": "oracle", "seed": 0},
        "armsight": "0", "rows": rows, "default_row": "track", "overall": PLAYED,
        "paper_tasks": NOTHING, "per_task": {}, "strides": {}, "comparisons": [],
        "failures": [{"task": TASKS[1], "initial_state": 40, "error": "it is dark"}],
        "demonstrations": {"recorded": 10, "repeated": 0, "failed": 0},
    }  # fmt: skip


def test_percent() -> None:
    assert percent(PLAYED) == "90 [60, 98]"
    assert percent(NOTHING) == percent(None) == "–"


def test_sentences_in_tables_may_take_several_lines(result: dict[str, Any], tmp_path: Path) -> None:
    assert 'class="prose"' in table(["a", "b"], [["1", "a sentence"]], prose=True)
    assert 'class="prose"' not in table(["a", "b"], [["1", "2"]])
    assert ".prose td:last-child" in whole_page("", [])
    page = control_page(
        ControlPlan(tmp_path, TASKS, (40,), default_row="track", world=GreyWorld()), result
    )
    tables = page.split("<table")[1:]
    assert [one.startswith(' class="prose"') for one in tables] == [True, False, True]
    assert all(f"<td>{escape(what)}</td>" in tables[0] for what in ROWS.values())
    # Seven rows side by side have room only for whole percents.
    assert tables[1].count("<td>90 [60, 98]</td>") == len(ROWS)
    assert "it is dark" in tables[2]
    assert page.index("95 % intervals") < page.index("<h2>Per task")


def test_rows_stand_against_each_other(result: dict[str, Any], tmp_path: Path) -> None:
    result["comparisons"] = [{
        "first": "direct", "second": "direct_no_averaging", "episodes": 100, "both": 58,
        "only_first": 5, "only_second": 6, "difference": -0.01, "interval": [-0.08, 0.055],
        "p_value": 1.0, "jerk_difference": {"value": -0.06, "low": -0.07, "high": -0.05},
    }]  # fmt: skip
    plan = ControlPlan(tmp_path, TASKS, (40,), default_row="track", world=GreyWorld())
    cells = ["100", "5", "6", "-1.0 [-8.0, +5.5]", "1", "-0.060 [-0.070, -0.050]"]
    page = control_page(plan, result)
    name = "direct against direct_no_averaging"
    assert f"<td>{name}</td>" + "".join(f"<td>{c}</td>" for c in cells) in page
    assert "McNemar" in page
    text = next(x for x in control_table(result).splitlines() if x.startswith(name))
    assert text.split() == " ".join([name, *cells]).split()
