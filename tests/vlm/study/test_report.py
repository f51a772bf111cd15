"""The study's page and terminal table, from results that a study might have had."""

from __future__ import annotations

from typing import Any

import pytest

from armsight.reports.figures import Figures
from armsight.vlm.parse import FAILURES
from armsight.vlm.study.report import GROUP_HEADER, HEADER, cells, html, text_table
from tests.vlm.fake_server import ROBOT

NOTE = "no weights for 'other'; known robots: panda"


def interval(value: float) -> Figures:
    return {"value": value, "low": value - 1, "high": value + 1}


def row(name: str, **more: Any) -> Figures:
    return {
        "name": name, "baseline": True, "model": "", "merge": "", "note": "", "asked": 0,
        "failures": {}, "repairs": 0, "violations": 0, "cost_usd": None,
        "cost_usd_per_target": None, "seconds_per_target": None,
    } | more  # fmt: skip


def figures(mean: float) -> Figures:
    found: Figures = {name: interval(mean) for name in (
        "mean_deg", "mean_rad", "median_deg", "mean_answered_deg", "within_5", "within_10",
        "within_20", "add_auc",
    )}  # fmt: skip
    found["per_joint_deg"] = {name: interval(mean) for name in ROBOT.joint_names}
    return found | {"targets": 10, "unanswered": 1}


def asked(name: str, merge: str, failures: int) -> Figures:
    both = {"drawn": figures(4.0), "photos": figures(6.0)}
    return row(
        name, baseline=False, model="local/m", merge=merge, asked=40,
        failures=dict.fromkeys(FAILURES, failures), cost_usd=1.5, cost_usd_per_target=0.15,
        seconds_per_target=2.25, groups=both, **figures(5.0),
    )  # fmt: skip


@pytest.fixture
def result() -> dict[str, Any]:
    return {
        "targets": 10, "robot": "panda", "dataset": "mini", "groups": {"drawn": 8, "photos": 2},
        "prompt_version": "1-abc", "image_size": 768, "notes": ["a word of caution"],
        "failures_count_as": "the ready pose's error", "joint_names": list(ROBOT.joint_names),
        "table": [
            row("baseline: copied", groups={"drawn": figures(30.0), "photos": figures(30.0)},
                **figures(30.0)),
            row("armsight's estimator", note=NOTE),
            asked("m, 4 × median", "median", 3), asked("m, 4 × medoid", "medoid", 3),
        ],
        "paired": [], "scaling": {}, "verifiers": [],
    }  # fmt: skip


def test_what_is_missing_is_told_beside_the_table_not_in_it(result: dict[str, Any]) -> None:
    """In a column of numbers a sentence would push the others out of view."""
    missing = result["table"][1]
    assert cells(missing, missing) == ["armsight's estimator", *["–"] * (len(HEADER) - 1)]
    page = html(result)
    told = NOTE.replace("'", "&#39;")
    assert page.count(told) == 1
    assert page.index(told) < page.index("<h2>All targets")
    *table, caution = text_table(result).splitlines()
    assert caution == "note: a word of caution"
    assert table[-1] == f"note: armsight's estimator: {NOTE}"
    assert not any(NOTE[:10] in line for line in table[:-1])


def test_each_cell_stands_under_its_heading(result: dict[str, Any]) -> None:
    one = result["table"][2]
    whole = dict(zip(HEADER, cells(one, one), strict=True))
    assert whole["unanswered"] == "1 of 10"
    assert (whole["cost [USD]"], whole["seconds"]) == ("1.5000", "2.25")
    assert whole["within 10°"].startswith("500.0 %")  # 5.0 as a share
    assert whole["mean [rad]"].startswith("5.000")
    part = dict(zip(GROUP_HEADER, cells(one, one["groups"]["photos"]), strict=True))
    assert part["mean [deg]"].startswith("6.0")
    assert part["within 5°"].startswith("600.0 %")
    assert not {"cost [USD]", "seconds"} & part.keys()


def test_samples_that_failed_are_counted_once(result: dict[str, Any]) -> None:
    page = html(result)
    failed = page[page.index("<h2>Answers that failed") :]
    failed = failed[: failed.index("</table>")]
    assert "4 × median" in failed
    assert "4 × medoid" not in failed
    assert "the model declined" in failed
    first = next(line for line in text_table(result).splitlines() if "copied" in line)
    assert "0 of 0" not in first
