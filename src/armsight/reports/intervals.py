"""95 % intervals for the figures of a report: Wilson for rates, bootstrap for everything else.

Images are the unit that is resampled: the joints and keypoints of one image share their error, so
resampling them one by one would claim more certainty than there is. Frames of one video resemble
each other too; on such sets even these intervals are too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

LEVEL = 0.95
NUM_RESAMPLES = 1000
_CHUNK_VALUES = 4_000_000
"""Values resampled at a time, so that memory stays flat over large data sets"""


def wilson_interval(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a rate (Wilson 1927), honest also near 0 and 1.

    Returns (0, 1) when there were no trials: nothing is known then.

    Raises:
        ValueError: successes are not between 0 and `trials`.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials: expected 0 <= s <= n")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rate = successes / trials
    centre = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2)
    # At the ends the exact bound is 0 or 1, which rounding would miss by 1e-17.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return low, high


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[Array], Array],
    *,
    num_resamples: int = NUM_RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap of a statistic over images (Efron 1979), the same for the same seed.

    Args:
        values: (N, ...), one row per image.
        statistic: maps (B, N, ...) resamples to (B,) figures; see `mean_of` and `median_of`.

    Returns:
        Lower and upper bound; (nan, nan) when N is below 2: one image tells no spread.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_VALUES // values.size)
    figures: list[Array] = []
    for start in range(0, num_resamples, rows):
        count = min(rows, num_resamples - start)
        figures.append(statistic(values[rng.integers(0, len(values), (count, len(values)))]))
    return percentile_interval(np.concatenate(figures), level)


def percentile_interval(figures: Array, level: float = LEVEL) -> tuple[float, float]:
    """Between which a share `level` of a figure's resamples (B,) lie."""
    tail = (1 - level) / 2
    # 'nearest', because interpolating next to an infinite figure gives NaN.
    low, high = np.quantile(figures, [tail, 1 - tail], method="nearest")
    return float(low), float(high)


def clustered_rate_interval(
    clusters: Sequence[Sequence[float]],
    *,
    num_resamples: int = NUM_RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Interval of a rate whose trials come in clusters: whole clusters are resampled.

    Trials of one cluster (episodes of one task) resemble each other; the clusters are what was
    drawn at random. None for fewer than two clusters. Trials count as True or False, or as any
    number, such as differences.
    """
    counts = np.array([[sum(trials), len(trials)] for trials in clusters if len(trials)], float)
    if len(counts) < 2:
        return None

    def pooled_rate(resamples: Array) -> Array:
        rate: Array = resamples[..., 0].sum(1) / resamples[..., 1].sum(1)
        return rate

    return bootstrap_interval(
        counts, pooled_rate, num_resamples=num_resamples, level=level, seed=seed
    )


def paired_difference_interval(
    only_first: int, only_second: int, trials: int, level: float = LEVEL
) -> tuple[float, float]:
    """Score interval of the difference of two rates over the same trials (Tango 1998).

    Honest also where hardly any trial tells the two apart: with none in n it is about
    -4/n to 4/n, where a bootstrap would be certain.

    Args:
        only_first, only_second: trials in which one succeeds and the other does not.

    Returns:
        Lower and upper bound of first minus second, in [-1, 1]; (-1, 1) without trials.

    Raises:
        ValueError: more trials tell them apart than there are.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > trials:
        raise ValueError(f"{only_first} and {only_second} of {trials} trials: more than all")
    if trials == 0:
        return -1.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    found = (only_first - only_second) / trials

    def inside(difference: float) -> bool:
        # Most likely share of "only second" trials, given that difference.
        b = -only_first - only_second + (2 * trials - only_first + only_second) * difference
        c = -only_second * difference * (1 - difference)
        share = (sqrt(max(b * b - 8 * trials * c, 0.0)) - b) / (4 * trials)
        variance = trials * (2 * share + difference * (1 - difference))
        return abs(trials * (found - difference)) <= z * sqrt(max(variance, 0.0))

    def edge(outer: float) -> float:
        within = found
        for _ in range(60):
            middle = (within + outer) / 2
            within, outer = (middle, outer) if inside(middle) else (within, middle)
        return within

    return edge(-1.0), edge(1.0)


def sign_test(only_first: int, only_second: int) -> float:
    """McNemar's exact test: how likely a split at least so uneven is if both are equally good."""
    count, fewer = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(comb(count, k) for k in range(fewer + 1)) / 2.0**count)


def mean_of(resamples: Array) -> Array:
    """Mean over images and everything within them, NaN left out: (B, N, ...) to (B,)."""
    flat = resamples.reshape(len(resamples), -1)
    known = ~np.isnan(flat)
    total = np.where(known, flat, 0.0).sum(1)
    mean: Array = total / np.maximum(known.sum(1), 1)
    return mean


def median_of(resamples: Array) -> Array:
    """Median over images and everything within them, infinity kept: (B, N, ...) to (B,)."""
    median: Array = np.median(resamples.reshape(len(resamples), -1), axis=1)
    return median
