"""Bootstrap intervals over clusters: targets that share a reference picture share its luck.

Resampling targets one by one would claim more certainty than there is (intervals.py resamples
images; here whole clusters of images are drawn).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.reports.figures import Figures, number
from armsight.reports.intervals import LEVEL, NUM_RESAMPLES, percentile_interval

Array = NDArray[np.floating]


def draws(
    clusters: Sequence[str], num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> NDArray[np.intp]:
    """How often each item (N,) is in each resample: (B, N), whole clusters at a time."""
    _, owner = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(owner.max()) + 1 if len(owner) else 0
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, max(count, 1), (num_resamples, count))
    times = np.zeros((num_resamples, max(count, 1)), dtype=np.intp)
    for b in range(num_resamples):
        times[b] = np.bincount(picked[b], minlength=max(count, 1))
    return times[:, owner]


def cluster_interval(
    values: ArrayLike,
    clusters: Sequence[str],
    statistic: Callable[[Array, Array], float] | None = None,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Figures | None:
    """A statistic of values (N, ...), one row for each target, with its interval.

    Args:
        clusters: (N,) what each target belongs to.
        statistic: of values and integer weights (N,); the mean over everything by default.

    Returns:
        value, low, high, n, clusters; None without values; low and high None with one cluster.
    """
    values = np.asarray(values, dtype=float)
    if not len(values):
        return None
    weights = draws(clusters, seed=seed)
    ones = np.ones(len(values), dtype=np.intp)
    if statistic is None:
        per_row = values.reshape(len(values), -1).mean(axis=1)
        value = float(per_row.mean())
        spread = weights @ per_row / weights.sum(axis=1)
    else:
        value = statistic(values, ones.astype(float))
        spread = np.array([statistic(values, w.astype(float)) for w in weights])
    count = len(set(clusters))
    low, high = percentile_interval(spread, level)
    known = count > 1
    return {
        "value": number(value),
        "low": number(low) if known else None,
        "high": number(high) if known else None,
        "n": len(values),
        "clusters": count,
    }


def weighted_median(values: Array, weights: Array) -> float:
    """Median of values (N,), each counted `weights` (N,) times."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    half = total[-1] / 2
    i = int(np.searchsorted(total, half, side="left"))
    if total[i] == half and i + 1 < len(values):
        after = order[i + 1 :][weights[order[i + 1 :]] > 0]
        if len(after):
            return float((values[order[i]] + values[after[0]]) / 2)
    return float(values[order[i]])
