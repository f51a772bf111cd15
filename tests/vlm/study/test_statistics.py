"""Cluster intervals and ROC against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.reports.clusters import cluster_interval, draws, weighted_median
from armsight.vlm.ensemble import medoid, merge
from armsight.vlm.study import roc

numbers = st.integers(-3, 3).map(float)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=8), st.lists(numbers, min_size=1, max_size=8))
def test_auc_counts_pairs(right: list[float], wrong: list[float]) -> None:
    brute = np.mean([(w > r) + 0.5 * (w == r) for r in right for w in wrong])
    assert roc.auc(right, wrong) == pytest.approx(brute)
    alarms, found = roc.curve(right, wrong)
    # The area under the curve, ties as slanted pieces, is the same number.
    assert np.trapezoid(found, alarms) == pytest.approx(brute)
    assert (alarms[0], found[0], alarms[-1], found[-1]) == (0, 0, 1, 1)


def test_a_missing_verdict_counts_against_the_judge() -> None:
    nan = float("nan")
    assert roc.auc([0.0, 0.1], [1.0, 0.9]) == 1.0
    assert roc.auc([0.0, 0.1], [1.0, nan]) == 0.5
    assert roc.auc([0.0, nan], [1.0, 0.9]) == 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, st.integers(0, 3)), min_size=1, max_size=9))
def test_weighted_median_is_the_median_of_repeats(items: list[tuple[float, int]]) -> None:
    items = [*items, (0.0, 1)]
    repeated = [value for value, count in items for _ in range(count)]
    values, weights = (np.array(part, dtype=float) for part in zip(*items, strict=True))
    assert weighted_median(values, weights) == np.median(repeated)


def test_resamples_take_whole_clusters() -> None:
    times = draws(["a", "b", "a", "c", "b", "b"], 200)
    assert (times[:, 0] == times[:, 2]).all()
    assert (times[:, 1] == times[:, 4]).all()
    assert (times[:, 0] + times[:, 1] + times[:, 3] == 3).all()


def test_shared_luck_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    luck = np.repeat(rng.normal(size=12), 10)
    values = luck + 0.1 * rng.normal(size=120)
    alone = cluster_interval(values, [str(i) for i in range(120)])
    together = cluster_interval(values, [str(i // 10) for i in range(120)])
    assert alone is not None
    assert together is not None
    assert alone["value"] == together["value"] == pytest.approx(values.mean())
    widths = [f["high"] - f["low"] for f in (alone, together)]
    # Ten targets of one reference tell as much as one does: sqrt(10) wider.
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.25)


def test_one_cluster_has_no_interval() -> None:
    figures = cluster_interval([1.0, 3.0], ["a", "a"])
    assert figures is not None
    assert (figures["value"], figures["low"], figures["high"]) == (2.0, None, None)


def test_medoid_is_a_sample_and_the_median_need_not_be() -> None:
    samples = np.array([[0.0, 0.0], [1.0, 9.0], [2.0, 1.0], [9.0, 2.0]])
    assert medoid(samples).tolist() == [2.0, 1.0]
    merged = merge([samples[0], None, samples[1]], "median")
    assert merged is not None
    assert merged.tolist() == [0.5, 4.5]
    assert merge([None, None], "medoid") is None
