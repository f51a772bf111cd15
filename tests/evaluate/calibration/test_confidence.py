"""What is said where a calibration set shows more mistakes than it may."""

from __future__ import annotations

from armsight.evaluate.calibration.confidence import over_budget


def test_what_is_over_its_budget_is_named() -> None:
    figures = {"refused": 0.03, "false_answers": 0.02, "other_robots_found_and_sure": 0.11}
    assert over_budget(figures, 0.025) == {"refused": 0.025, "other_robots_found_and_sure": 0.05}
    assert over_budget(figures, 0.04) == {"other_robots_found_and_sure": 0.05}
