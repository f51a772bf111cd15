"""Several samples of one question merged into one answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MERGES = ("median", "medoid")


def median(samples: Array) -> Array:
    """Per joint: (S, J) to (J,)."""
    merged: Array = np.median(np.asarray(samples, dtype=float), axis=0)
    return merged


def medoid(samples: Array) -> Array:
    """The sample with the least summed distance (L1) to the others: (S, J) to (J,).

    Unlike the median over joints it is a pose that the model really named. Ties: the first.
    """
    samples = np.asarray(samples, dtype=float)
    distances = np.abs(samples[:, None] - samples[None]).sum(axis=(1, 2))
    best: Array = samples[int(np.argmin(distances))]
    return best


def merge(samples: Sequence[Array | None], how: str) -> Array | None:
    """The usable ones of some samples (J,) merged; None where none is usable."""
    usable = [sample for sample in samples if sample is not None]
    if not usable:
        return None
    return {"median": median, "medoid": medoid}[how](np.array(usable))
