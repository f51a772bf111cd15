"""Figures with their intervals, JSON-ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.reports.intervals import bootstrap_interval, mean_of, median_of, wilson_interval

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Figures = dict[str, Any]


def mean(values: Array) -> Figures | None:
    """Mean over images (rows) and within them, with its bootstrap interval."""
    return interval(values, mean_of)


def median(values: Array) -> Figures | None:
    """Median over images (rows) and within them, with its bootstrap interval."""
    return interval(values, median_of)


def rate(successes: Mask) -> Figures:
    """Share of images (N,) with its Wilson interval."""
    k, n = int(successes.sum()), len(successes)
    low, high = wilson_interval(k, n)
    return {"value": k / n if n else None, "low": low, "high": high, "count": k, "n": n}


def interval(
    values: Array, statistic: Callable[[Array], Array], scale: float = 1.0
) -> Figures | None:
    """A statistic of values (N, ...), one row per image, with its bootstrap interval.

    None when there are no images. Bounds that are infinite (a median of mostly failures) are None.
    """
    if not len(values):
        return None
    low, high = bootstrap_interval(values, statistic)
    value = float(statistic(np.asarray(values, dtype=float)[None])[0])
    return {
        "value": number(scale * value),
        "low": number(scale * low),
        "high": number(scale * high),
        "n": len(values),
    }


def number(value: Any) -> float | None:
    """A JSON number; None for infinity (a median of mostly failures) and NaN."""
    return float(value) if np.isfinite(value) else None
