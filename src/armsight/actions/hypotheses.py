"""Many sampled chunks of one pair of keyframes -> one chunk.

Why not simply the mean: where samples fall into two groups (round an obstacle on either side, grip
now or two steps later), their mean does neither. Why not simply the medoid: one sample carries the
sampler's whole noise, which adds up over an open-loop sequence. So `robust` takes the mean of the
larger group: of all samples but those that lie more than twice as far from the medoid as half of
the samples do. Samples of one group stay together (in many dimensions their distances are alike),
and the result is then their plain mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError

Array = NDArray[np.floating]

MERGES = ("robust", "mean", "medoid")
INLIER_DISTANCES = 2.0
"""A sample counts up to so many times the distance from the medoid within which half of them lie"""


def chosen_hypotheses(chunks: Array, how: str = "robust") -> NDArray[np.bool_]:
    """Which of H sampled chunks (H, L, D) are to be averaged, (H,) bool; at least one.

    Distances between chunks are root mean squares over their steps and numbers, so the chunk is
    judged as a whole: a sample is taken for all of its steps, or for none.

    Raises:
        ConfigError: `how` is none of MERGES.
    """
    if how not in MERGES:
        raise ConfigError(f"merge is {how!r}; valid: {', '.join(MERGES)}")
    count = len(chunks)
    if how == "mean" or (how == "robust" and count < 3):
        return np.ones(count, bool)
    distances = np.sqrt(((chunks[:, None] - chunks[None]) ** 2).mean(axis=(2, 3)))
    # How far half of the samples are at most, each counted from itself: of two groups of equal
    # size it is one group's own width, whichever the medoid belongs to.
    half = np.sort(distances, axis=1)[:, (count - 1) // 2]
    medoid = int(half.argmin())
    if how == "medoid":
        chosen: NDArray[np.bool_] = np.arange(count) == medoid
        return chosen
    near: NDArray[np.bool_] = distances[medoid] <= INLIER_DISTANCES * half[medoid] + 1e-9
    return near


def average(chunks: Array, keep: NDArray[np.bool_]) -> Array:
    """Mean over the chosen hypotheses of (H, ...)."""
    mean: Array = chunks[keep].mean(axis=0)
    return mean
