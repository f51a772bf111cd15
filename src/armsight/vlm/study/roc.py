"""ROC and AUC of a verifier: does its score separate true claims from shifted ones?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.reports.clusters import cluster_interval
from armsight.reports.figures import Figures

Array = NDArray[np.floating]


def auc(right: ArrayLike, wrong: ArrayLike) -> float:
    """Chance that a wrong claim scores above a right one, ties half (Mann and Whitney).

    A verdict that is missing (NaN) counts against the verifier on either side.
    """
    a, b = _worst(right, np.inf), _worst(wrong, -np.inf)
    return _auc(a, b, np.ones(len(a)), np.ones(len(b)))


def auc_figures(
    right: ArrayLike,
    wrong: ArrayLike,
    right_images: Sequence[str],
    wrong_images: Sequence[str],
) -> Figures | None:
    """AUC with its interval by bootstrap over images, whose claims belong together."""
    a, b = _worst(right, np.inf), _worst(wrong, -np.inf)
    if not len(a) or not len(b):
        return None
    is_wrong = np.r_[np.zeros(len(a)), np.ones(len(b))].astype(bool)
    scores = np.r_[a, b]

    def statistic(values: Array, weights: Array) -> float:
        return _auc(values[~is_wrong], values[is_wrong], weights[~is_wrong], weights[is_wrong])

    return cluster_interval(scores, [*right_images, *wrong_images], statistic)


def curve(right: ArrayLike, wrong: ArrayLike) -> tuple[Array, Array]:
    """Shares of false alarms and of wrong claims found, for every threshold: (0,0) to (1,1)."""
    a, b = _worst(right, np.inf), _worst(wrong, -np.inf)
    thresholds = np.unique(np.r_[a, b])[::-1]
    alarms = np.array([0.0, *[(a >= t).mean() for t in thresholds]])
    found = np.array([0.0, *[(b >= t).mean() for t in thresholds]])
    if alarms[-1] < 1 or found[-1] < 1:
        alarms, found = np.r_[alarms, 1.0], np.r_[found, 1.0]
    return alarms, found


def _auc(a: Array, b: Array, weight_a: Array, weight_b: Array) -> float:
    total = weight_a.sum() * weight_b.sum()
    if total == 0:
        return float("nan")
    order = np.argsort(a, kind="stable")
    ordered, weights = a[order], np.r_[0.0, np.cumsum(weight_a[order])]
    below = weights[np.searchsorted(ordered, b, side="left")]
    up_to = weights[np.searchsorted(ordered, b, side="right")]
    return float(((below + up_to) / 2 * weight_b).sum() / total)


def _worst(scores: ArrayLike, missing: float) -> Array:
    values = np.asarray(scores, dtype=float)
    filled: Array = np.where(np.isnan(values), missing, values)
    return filled
