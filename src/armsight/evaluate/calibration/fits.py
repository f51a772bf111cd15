"""Fits behind `armsight calibrate`: thresholds, standard deviations, logistic regression.

All are quantiles or convex problems, and need no more than NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

NUM_STD = 2.0
TWO_STD = erf(NUM_STD / sqrt(2))
"""Share of a Gaussian within two standard deviations: 95.4 %"""

FOLDS = 5
FLOORS_DEG = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
RIDGE = 1.0
"""Weight of the squared coefficients, per standard deviation of a feature, against all frames."""


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it costs on the validation set."""

    value: float
    refused: float
    """Share of the positives below it"""
    false: float
    """Share of the negatives at or above it"""


def choose_threshold(positives: Array, negatives: Array, allowed: float = 0.01) -> Threshold:
    """The probability from which on to say yes.

    Args:
        positives: (P,) probabilities where the answer is yes, P >= 1.
        negatives: (N,) where it is no.
        allowed: share of each that may be wrong.

    Where a range of thresholds allows no more errors than that on both sides, the middle of that
    range, on the scale of log odds; otherwise the lowest that keeps the negatives' share.
    """
    high = highest_threshold(positives, allowed)
    low = -highest_threshold(-negatives, allowed) if len(negatives) else 0.0
    if low < high:
        value = min(high, max(_middle(low, high), float(np.nextafter(low, 1))))
    else:
        value = float(np.nextafter(low, 1))
    return rates(positives, negatives, value)


def highest_threshold(values: Array, share: float) -> float:
    """The largest threshold with at most `share` of the values below it."""
    return float(np.sort(values)[int(share * len(values) + 1e-9)])


def rates(positives: Array, negatives: Array, value: float) -> Threshold:
    """What a threshold costs; 0 where there are no examples."""
    refused = float(np.mean(positives < value)) if len(positives) else 0.0
    false = float(np.mean(negatives >= value)) if len(negatives) else 0.0
    return Threshold(float(value), refused, false)


def residual_scale(ratios: Array) -> float:
    """By what stds of 2D Gaussians must be multiplied, from |error| / std (N,), by the median.

    1 where nothing was measured.
    """
    if not len(ratios):
        return 1.0
    return float(np.median(ratios) / np.sqrt(2 * np.log(2)))  # the median of a Rayleigh variable


def fit_std(errors: Array, stds: Array) -> tuple[float, float]:
    """Scale and floor with which TWO_STD of |errors| (N,) lie within two corrected stds.

    The corrected std is sqrt((scale * std)^2 + floor^2). For each floor, the scale follows from
    a quantile, so that single gross errors count no more than any other miss; of these the pair
    with the best interval score (Gneiting and Raftery 2007, eq. 43) is taken, which prefers
    intervals that are wide where errors are large. The quantile is that of conformal prediction,
    which keeps its promise for few samples too.
    """
    half = np.abs(errors) / NUM_STD
    level = min(1.0, TWO_STD * (len(half) + 1) / len(half))
    best, answer = np.inf, (1.0, 0.0)
    for floor in np.radians(FLOORS_DEG):
        needed = np.maximum(half**2 - floor**2, 0) / np.maximum(stds, 1e-6) ** 2
        scale = float(np.sqrt(np.quantile(needed, level, method="higher")))
        score = interval_score(errors, np.hypot(scale * stds, floor))
        if score < best:
            best, answer = score, (scale, float(floor))
    return answer


def interval_score(errors: Array, stds: Array) -> float:
    """Mean width of the two-std intervals, plus what lies outside of them, weighed by rarity."""
    half = NUM_STD * stds
    outside = np.maximum(np.abs(errors) - half, 0)
    return float(np.mean(2 * half + 2 / (1 - TWO_STD) * outside))


def fit_logistic(
    features: Array, target: Mask, signs: Array, ridge: float = RIDGE
) -> tuple[float, Array]:
    """Bias and weights (F,) of a logistic regression on features (N, F).

    Args:
        target: (N,) what is to be predicted; without an example of each class all weights are 0.
        signs: (F,) +1 or -1: features that would count with the other sign are left out. They
            explain what others leave over in this set, and mislead in pictures unlike it.
        ridge: acts on standardised features, so units do not matter; weights stay finite where
            the classes can be separated.
    """
    mean, scale = features.mean(0), features.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    X = (features - mean) / scale
    kept = np.ones(len(signs), dtype=bool) & (target.any() and not target.all())
    weights = np.zeros(len(signs))
    while True:
        bias, found = _newton(X[:, kept], target, ridge)
        weights[:], weights[kept] = 0.0, found
        if not (wrong := weights * signs < 0).any():
            break
        kept &= ~wrong
    weights = weights / scale
    return float(bias - weights @ mean), weights


def _newton(X: Array, target: Mask, ridge: float) -> tuple[float, Array]:
    """Bias and weights of a logistic regression on standardised features."""
    X = np.concatenate([np.ones((len(X), 1)), X], axis=1)
    penalty = np.full(X.shape[1], ridge)
    penalty[0] = 1e-6
    share = (target.sum() + 0.5) / (len(target) + 1)
    beta = np.zeros(X.shape[1])
    beta[0] = np.log(share / (1 - share))
    if X.shape[1] == 1:
        return float(beta[0]), beta[1:]

    def loss(b: Array) -> float:
        logits = X @ b
        return float(np.logaddexp(0, logits).sum() - logits[target].sum() + 0.5 * penalty @ b**2)

    now = loss(beta)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(X @ beta, -30, 30)))
        gradient = X.T @ (p - target) + penalty * beta
        H = (X * (p * (1 - p))[:, None]).T @ X + np.diag(penalty)
        step = np.linalg.solve(H, gradient)
        size = 1.0
        while (after := loss(beta - size * step)) > now and size > 1e-6:
            size /= 2
        gained, now, beta = now - after, min(after, now), beta - size * step
        if gained < 1e-9:
            break
    return float(beta[0]), beta[1:]


def predict(features: Array, bias: float, weights: Array) -> Array:
    """(N,) probabilities of a logistic regression."""
    p: Array = 1 / (1 + np.exp(-np.clip(features @ weights + bias, -30, 30)))
    return p


def separation(positives: Array, negatives: Array) -> float:
    """Chance that a positive scores above a negative (area under the ROC curve); 1 without any."""
    if not len(positives) or not len(negatives):
        return 1.0
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left") + np.searchsorted(
        ordered, positives, "right"
    )
    return float(below.mean() / (2 * len(negatives)))


def folds(count: int, seed: int = 0) -> NDArray[np.intp]:
    """(count,) to which of FOLDS parts each frame belongs, for cross-validation."""
    return np.random.default_rng(seed).permutation(count) % FOLDS


def cross_predict(features: Array, target: Mask, signs: Array) -> Array:
    """(N,) probabilities of each frame, by a regression that has not seen it."""
    part = folds(len(target))
    p = np.zeros(len(target))
    for fold in range(FOLDS):
        held = part == fold
        if held.any():
            p[held] = predict(features[held], *fit_logistic(features[~held], target[~held], signs))
    return p


def _middle(low: float, high: float) -> float:
    """Half-way between two probabilities in log odds."""
    odds = [np.log(p / (1 - p)) for p in np.clip([low, high], 1e-6, 1 - 1e-6)]
    return float(1 / (1 + np.exp(-np.mean(odds))))
