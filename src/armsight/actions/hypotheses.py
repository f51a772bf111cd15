"""Many sampled chunks of one pair of keyframes -> one chunk.

Why not simply the mean: where samples fall into two groups (round an obstacle on either side, grip
now or two steps later), their mean does neither. Why not simply the medoid: one sample carries the
sampler's whole noise. So `robust` averages the half of the samples around the medoid: one group,
with its noise averaged away. With samples of one group it is close to the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError

Array = NDArray[np.floating]

MERGES = ("robust", "mean", "medoid")


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
    if how == "mean":
        return np.ones(count, bool)
    distances = np.sqrt(((chunks[:, None] - chunks[None]) ** 2).mean(axis=(2, 3)))
    # The median distance to the others: samples of a smaller group do not move it.
    medoid = int(np.median(distances, axis=1).argmin())
    keep = np.zeros(count, bool)
    nearest = distances[medoid].argsort(kind="stable")
    # The medoid is nearest to itself, unless another sample equals it.
    keep[nearest[: 1 if how == "medoid" else count // 2 + 1]] = True
    return keep


def average(chunks: Array, keep: NDArray[np.bool_]) -> Array:
    """Mean over the chosen hypotheses of (H, ...)."""
    mean: Array = chunks[keep].mean(axis=0)
    return mean
