"""Whether the log errs: joints whose zeros are off, and a clock that runs ahead or behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.shared_fit import Frames, Shared, SharedPrior, fit_shared, gain
from armsight.fit.extrinsics.uncertainty import covariance

Array = NDArray[np.floating]

ZEROS_STD = np.radians(3.0)
"""[rad] prior of a zero offset, where one is allowed"""
OBSERVABLE_STD = np.radians(1.0)
"""[rad] A zero offset can be seen where its std gets below this"""
LEAST_ZERO = np.radians(1.2)
"""[rad] Smaller offsets are not reported"""
MOST_ZEROS = 3
"""joints that may be off at once"""
LEAST_GAIN = 2.0
"""A further unknown must lower the negative log posterior by this much; without a fault the gain is
below 0.7"""
SCALES = ((8.0, 3.0), (3.0, 1.5))
"""[px] of the loss"""


@dataclass(frozen=True)
class Compared:
    """The fit with those unknowns that the pictures ask for."""

    shared: Shared
    prior: SharedPrior
    zeros: tuple[int, ...]
    """joints found off"""
    observable: NDArray[np.bool_]
    """(J,) whether an offset of each would have been seen"""
    zeros_std: Array
    """(J,) [rad] of the offsets, were all of them free"""


def with_time_offset(
    frames: Frames, shared: Shared, prior: SharedPrior, weights: Array, period: float
) -> tuple[Shared, SharedPrior]:
    """The fit with a time offset, where it is better for one; `period` [s] is a frame's."""
    wide = replace(prior, time_offset_std=20 * period, time_offset=0.0)
    fits = [
        fit_shared(frames, replace(shared, time_offset=start), wide, weights,
                   ((20.0, 8.0), *SCALES))
        for start in sorted({shared.time_offset, 0.0})
    ]  # fmt: skip
    best = fits[0]
    for fit in fits[1:]:
        if gain(frames, best, fit, wide, wide, weights) > 0:
            best = fit
    return best, wide


def without_zero_offsets(shared: Shared, prior: SharedPrior) -> Compared:
    """The fit where the zeros are known to be right: none was searched."""
    J = len(shared.zeros)
    return Compared(shared, prior, (), np.zeros(J, dtype=bool), np.full(J, np.inf))


def with_zero_offsets(
    frames: Frames, shared: Shared, prior: SharedPrior, weights: Array
) -> Compared:
    """The fit with the zero offsets of few joints, as long as each makes it plainly better."""
    J = len(shared.zeros)
    # The first joint's offset is the camera's own turn about the base's axis.
    allowed = np.arange(J) > 0
    every = replace(prior, zeros_std=np.where(allowed, ZEROS_STD, 0.0))
    loose = fit_shared(frames, shared, every, weights, SCALES)
    std = np.sqrt(np.diag(covariance(frames, loose, every, weights))[7 : 7 + J])
    observable = allowed & (std < OBSERVABLE_STD)
    chosen: list[int] = []
    for _ in range(MOST_ZEROS):
        best: tuple[float, Shared, SharedPrior, int] | None = None
        for j in [int(j) for j in np.flatnonzero(observable) if j not in chosen]:
            free = np.isin(np.arange(J), [*chosen, j])
            some = replace(prior, zeros_std=np.where(free, ZEROS_STD, 0.0))
            tried = fit_shared(frames, shared, some, weights, SCALES[1:])
            gained = gain(frames, shared, tried, prior, some, weights)
            if best is None or gained > best[0]:
                best = (gained, tried, some, j)
        if best is None or best[0] < LEAST_GAIN or abs(best[1].zeros[best[3]]) < LEAST_ZERO:
            break
        shared, prior = best[1:3]
        chosen.append(best[3])
    return Compared(shared, prior, tuple(sorted(chosen)), observable, std)
