"""From which confidence on an answer is given: the rule, on numbers counted by hand."""

from __future__ import annotations

import numpy as np

from armsight.evaluate.calibration.confidence import choose_confident, over_budget


def test_unsure_answers_are_given_where_too_many_robots_would_be_refused() -> None:
    sure = np.array([0.1, 0.2, 0.3, 0.4, *np.linspace(0.6, 0.99, 96)])
    # 100 of 100 left, 2 may be refused: 0.3 is the highest threshold with two below it.
    value, because = choose_confident(sure, 100, 0.02)
    assert value == 0.3
    assert "at most 2 % of the robots" in because
    assert (sure < value).mean() == 0.02
    assert choose_confident(sure, 100, 0.04)[0] == 0.5
    assert choose_confident(sure, 100, 0.5)[0] == 0.5
    # Robots that presence has refused already count too: 101 of them, then 103.
    assert choose_confident(sure, 101, 0.02)[0] == 0.2
    value, because = choose_confident(sure, 103, 0.02)
    assert value == 0
    assert "presence alone" in because


def test_what_is_over_its_budget_is_named() -> None:
    figures = {"refused": 0.03, "false_answers": 0.02, "other_robots_found_and_sure": 0.11}
    assert over_budget(figures, 0.025) == {"refused": 0.025, "other_robots_found_and_sure": 0.1}
    assert over_budget(figures, 0.04) == {"other_robots_found_and_sure": 0.1}
