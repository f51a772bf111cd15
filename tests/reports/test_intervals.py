"""Wilson against the equation that it solves, the bootstrap against repeated experiments."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.reports.intervals import bootstrap_interval, mean_of, median_of, wilson_interval

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution, from tables"""


def _score_test_bound(successes: int, trials: int, upper: bool) -> float:
    """Where the normal score test of a rate just rejects, found by bisection."""
    rate = successes / trials
    low, high = (rate, 1.0) if upper else (0.0, rate)
    for _ in range(200):
        p = (low + high) / 2
        statistic = abs(rate - p) / math.sqrt(max(p * (1 - p), 1e-300) / trials)
        if (statistic < Z) == upper:
            low = p
        else:
            high = p
    return (low + high) / 2


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=80, deadline=None)
def test_wilson_solves_the_score_test(case):
    successes, trials = case
    low, high = wilson_interval(successes, trials)
    assert low == pytest.approx(_score_test_bound(successes, trials, upper=False), abs=1e-6)
    assert high == pytest.approx(_score_test_bound(successes, trials, upper=True), abs=1e-6)


def test_wilson_of_newcombe_1998():
    # Newcombe 1998, table I, method 3.
    for successes, trials, low, high in [
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0),
    ]:  # fmt: skip
        assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=6e-5)


def test_wilson_without_trials_knows_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 successes in 2"):
        wilson_interval(3, 2)


@pytest.mark.parametrize("statistic, truth", [(mean_of, 1.0), (median_of, math.log(2))])
def test_bootstrap_covers_the_truth_about_as_often_as_it_says(statistic, truth):
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        sample = rng.exponential(size=80)
        low, high = bootstrap_interval(sample, statistic, num_resamples=300, seed=trial)
        hits += low <= truth <= high
    # 95 % promised; a percentile bootstrap of 80 skewed values gives 92 to 95.
    assert 0.88 <= hits / 200 <= 0.99


def test_bootstrap_resamples_whole_images():
    # Six joints that always err alike are one observation an image, not six.
    rng = np.random.default_rng(2)
    one = rng.normal(size=(300, 1))
    low, high = bootstrap_interval(np.repeat(one, 6, axis=1), mean_of)
    assert high - low == pytest.approx(2 * Z / math.sqrt(300), rel=0.15)


def test_bootstrap_is_the_same_for_the_same_seed_in_chunks_or_not(monkeypatch):
    values = np.random.default_rng(3).normal(size=(50, 2))
    whole = bootstrap_interval(values, mean_of, num_resamples=40, seed=5)
    assert whole == bootstrap_interval(values, mean_of, num_resamples=40, seed=5)
    assert whole != bootstrap_interval(values, mean_of, num_resamples=40, seed=6)
    monkeypatch.setattr("armsight.reports.intervals._CHUNK_VALUES", 100)
    assert whole == bootstrap_interval(values, mean_of, num_resamples=40, seed=5)


def test_bootstrap_bears_infinite_errors():
    low, high = bootstrap_interval([1.0, 2.0, np.inf, np.inf, np.inf], median_of)
    assert low == 1.0 or low == 2.0
    assert high == np.inf
    assert np.isnan(bootstrap_interval([], mean_of)).all()
    assert np.isnan(bootstrap_interval([3.0], mean_of)).all()


def test_mean_leaves_nan_out():
    assert mean_of(np.array([[[1.0, np.nan], [np.nan, 3.0]]])) == pytest.approx([2.0])
