"""One table row each: joint errors, ADD, PCK."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.evaluate.poses import metrics
from armsight.reports.figures import Figures, interval, mean, median, number, rate
from armsight.reports.intervals import mean_of

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

PERCENTILES = (25, 75, 90, 95)
WITHIN_DEG = (5, 10, 20)
PCK_STEPS_PX = np.linspace(0.0, metrics.PCK_THRESHOLD_PX, 81)
ADD_STEPS_MM = np.linspace(0.0, 1000 * metrics.ADD_THRESHOLD_M, 101)


def joint_row(errors: Array, lost: Mask) -> Figures | None:
    """Figures of joint errors (N, J) [deg]; rows of `lost` (N,) images are never within N deg."""
    if not errors.size:
        return None
    row: Figures = {"median": median(errors), "mean": mean(errors)}
    row |= {f"p{p}": number(np.percentile(errors, p)) for p in PERCENTILES}
    for limit in WITHIN_DEG:
        within = (errors <= limit) & ~lost[:, None]
        alone = within.shape[1] == 1
        row[f"within_{limit}"] = rate(within[:, 0]) if alone else mean(within.astype(float))
    return row


def add_row(errors: Array, curve: bool = False) -> Figures | None:
    """ADD figures of errors (N,) [m], infinite where there is no answer."""
    if not len(errors):
        return None
    answered = np.isfinite(errors)
    row: Figures = {
        "images": len(errors),
        "auc": interval(metrics.auc_scores(errors), mean_of, 100.0),
        "median": median(1000 * errors),
        "mean_answered": mean(1000 * errors[answered]) if answered.any() else None,
    }
    if curve:
        row["curve"] = {
            "threshold_mm": ADD_STEPS_MM.tolist(),
            "share": metrics.share_below(1000 * errors, ADD_STEPS_MM).tolist(),
        }
    return row


def pck_row(errors: Array) -> Figures | None:
    """PCK figures of pixel errors (N, K): NaN not in frame, infinite without an answer."""
    known = ~np.isnan(errors)
    if not known.any():
        return None
    points = np.where(known, np.clip(1 - np.where(known, errors, 0) / 20.0, 0, 1), np.nan)
    return {
        "in_frame": int(known.sum()),
        "auc": interval(points[known.any(axis=1)], mean_of, 100.0),
        "median_px": number(np.median(errors[known])),
        "curve": {
            "threshold_px": PCK_STEPS_PX.tolist(),
            "share": metrics.share_below(errors[known], PCK_STEPS_PX).tolist(),
        },
    }
