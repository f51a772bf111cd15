"""Row against row, against brute force and by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from armsight.evaluate.control.paired import compare, comparisons
from armsight.reports.intervals import paired_difference_interval, sign_test


def line(task: str, state: int, success: bool, row: str, jerk: float | None = 0.1):
    return {"task": task, "initial_state": state, "row": row, "success": success, "jerk": jerk}


@pytest.mark.parametrize(
    "first, second, trials", [(5, 6, 100), (0, 0, 100), (9, 1, 40), (3, 0, 20)]
)
def test_ends_of_the_score_interval_are_where_the_constrained_likelihood_says(
    first: int, second: int, trials: int
) -> None:
    """At each end the score test, with the nuisance share found by search, is just at 1.96."""
    for end in paired_difference_interval(first, second, trials):
        shares = np.linspace(max(0, -end), (1 - end) / 2, 400_001)[1:-1]  # of "only second"
        rest = trials - first - second
        likelihood = (
            (first * np.log(shares + end) if first else 0)
            + (second * np.log(shares) if second else 0)
            + (rest * np.log(np.maximum(1 - 2 * shares - end, 1e-300)) if rest else 0)
        )
        share = shares[np.argmax(likelihood)]
        score = (first - second - trials * end) / sqrt(trials * (2 * share + end * (1 - end)))
        assert abs(score) == pytest.approx(1.95996, abs=2e-3)


def test_the_score_interval_by_its_laws() -> None:
    low, high = paired_difference_interval(5, 6, 100)
    assert low < -0.01 < high
    assert paired_difference_interval(6, 5, 100) == pytest.approx((-high, -low))
    nothing = paired_difference_interval(0, 0, 100)
    assert nothing == pytest.approx((-0.037, 0.037), abs=1e-3)  # z² / (n + z²)
    assert paired_difference_interval(20, 0, 20)[1] == pytest.approx(1)
    assert paired_difference_interval(0, 0, 0) == (-1, 1)
    with pytest.raises(ValueError, match="more than all"):
        paired_difference_interval(3, 3, 5)


def test_the_score_interval_covers_what_it_should() -> None:
    """2,000 draws of 100 pairs with shares of 8 and 5 %: the true 3 points are inside 95 times
    in a hundred."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(100, [0.08, 0.05, 0.87], size=2000)
    ends = [paired_difference_interval(a, b, 100) for a, b, _ in counts.tolist()]
    assert np.mean([low <= 0.03 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.015)


def test_mcnemars_test_by_counting_coins() -> None:
    assert sign_test(5, 6) == 1
    assert sign_test(0, 0) == 1
    assert sign_test(0, 5) == pytest.approx(2 / 32)
    assert sign_test(8, 1) == sign_test(1, 8) == pytest.approx(2 * (1 + 9) / 512)
    assert log(sign_test(0, 100), 2) == pytest.approx(-99)


def test_only_common_episodes_count() -> None:
    first = [line("a", s, s < 3, "direct", 0.2) for s in range(5)]
    second = [line("a", s, s != 0, "direct_no_averaging", 0.5) for s in range(1, 7)]
    found = compare(first, second)
    # States 1 to 4 are common: both 1 and 2, only the second 3 and 4.
    assert [found[k] for k in ("episodes", "both", "only_first", "only_second")] == [4, 2, 0, 2]
    assert found["difference"] == -0.5
    assert found["jerk_difference"]["value"] == pytest.approx(-0.3)
    assert found["interval"][0] < -0.5 < found["interval"][1]


def test_tasks_that_fall_together_widen_the_interval() -> None:
    first = [line(f"t{t}", s, t % 2 == 0, "track") for t in range(4) for s in range(50)]
    second = [line(f"t{t}", s, t % 2 == 1, "direct") for t in range(4) for s in range(50)]
    low, high = compare(first, second)["interval"]
    plain = paired_difference_interval(100, 100, 200)
    assert low < plain[0] - 0.5
    assert high > plain[1] + 0.5


def test_pairs_that_were_played() -> None:
    rows = ("replay", "track", "direct", "direct_no_averaging")
    lines = [line("a", s, True, row, None) for row in rows for s in range(2)]
    found = comparisons(lines)
    assert [(f["first"], f["second"]) for f in found] == [
        ("direct", "direct_no_averaging"), ("track", "direct"),
    ]  # fmt: skip
    assert found[0]["jerk_difference"] is None
    assert comparisons([*lines[:2], line("b", 1, True, "direct")]) == []
