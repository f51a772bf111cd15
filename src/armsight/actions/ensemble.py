"""Overlapping chunks of actions -> one sequence.

Every control step is said by one or more chunks. `temporal_ensemble` averages them with weights;
with the default, equal ones, this is the paper's overlap averaging: the shared keyframe's two
actions are averaged. Commands that know only two values, such as the gripper's, are voted, so that
doubt becomes neither half a command nor chatter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError

Array = NDArray[np.floating]
Weights: TypeAlias = Callable[[int], Array]
"""From a chunk's length L to the weights (L,) of its steps, all positive"""

Vote: TypeAlias = Callable[[Array], Array]
"""From the mean (N,) of what is said at each step to OPEN or CLOSE (N,)"""

OPEN, CLOSE = -1.0, 1.0
"""Gripper commands"""
AHEAD_STEPS, LEAST_VOTES = 12, 1.0
"""Steps (0.6 s) whose votes must confirm a change, and their least sum; chosen on validation
states"""


def equal(length: int) -> Array:
    """Every chunk counts the same: the paper's overlap averaging."""
    return np.ones(length)


def earlier_first(decay: float = 0.01) -> Weights:
    """ACT's temporal ensembling (arXiv 2304.13705): exp(-decay i), where i counts the chunks
    that say a step from the oldest on; the older ones count more for `decay` > 0.

    A chunk's own position k in its length is what tells its age: of two chunks that say a step,
    the older says it at the larger k. So the weight of position k is exp(decay k), which is the
    same up to a factor for chunks that begin one step after another.
    """
    return lambda length: np.exp(decay * np.arange(length))


def middle_first(length: int) -> Array:
    """A triangle: a chunk counts most in its middle, where both of its keyframes are near."""
    k = np.arange(length)
    weights: Array = np.minimum(k, length - 1 - k) + 1.0
    return weights


def plain_votes(said: Array) -> Array:
    """OPEN or CLOSE (N,) by the sign of what is said at each step alone."""
    return np.where(said > 0, CLOSE, OPEN)


def steady_votes(said: Array, ahead: int = AHEAD_STEPS, least: float = LEAST_VOTES) -> Array:
    """OPEN or CLOSE (N,), changed at the first step that says so and is borne out by what follows.

    A network that sees fingers touch an object doubts for some steps what they are told to do.
    Voted step by step its doubt becomes chatter, and a grip is let go; a vote over what came before
    would be late. So a change is made at once if the `ahead` steps from there on say it in sum by
    more than `least`, and passed over if not. At the end, where little follows, doubt changes
    nothing. It begins as the first step says.

    Args:
        said: (N,), one or more: the mean of what chunks say, in [-1, 1].
    """
    sums = np.append(0, np.cumsum(said))
    last = len(said)
    votes = plain_votes(said)
    command = votes[0]
    for step in range(last):
        coming = sums[min(step + ahead, last)] - sums[step]
        if command * said[step] < 0 and command * coming < -least:
            command = -command
        votes[step] = command
    return votes


def temporal_ensemble(
    chunks: Sequence[ArrayLike],
    starts: ArrayLike,
    weights: Weights = equal,
    *,
    voted: Sequence[int] = (),
    vote: Vote = plain_votes,
) -> Array:
    """One value for each step, the weighted mean of what the chunks say of it.

    Args:
        chunks: P arrays (L_p, ...), of any lengths.
        starts: (P,) the step of each chunk's first row; the earliest is row 0 of the result.
        weights: of a chunk's steps.
        voted: columns (of the last axis) that become OPEN or CLOSE by the sign of their weighted
            mean; in a tie by what the earliest chunk says, and OPEN if that says 0.
        vote: in place of the sign of each step alone, such as `steady_votes`.

    Returns:
        (N, ...) with N steps from the earliest start to the last end.

    Raises:
        BadShapeError: chunks of different widths, an empty one, or a step that no chunk says.
    """
    rows, steps, weight = _flat(chunks, starts, weights)
    total, count = _sums(rows, steps, weight)
    mean: Array = total / _like(count, total)
    for column in voted:
        mean[..., column] = _vote(mean[..., column], rows[..., column], steps, vote)
    return mean


def ensemble_std(
    chunks: Sequence[ArrayLike],
    deviations: Sequence[ArrayLike],
    starts: ArrayLike,
    weights: Weights = equal,
) -> Array:
    """Standard deviation of the mixture: how far hypotheses of all chunks scatter at each step.

    Args:
        chunks: P arrays (L_p, ...), the means.
        deviations: P arrays (L_p, ...), standard deviations around them.
        starts, weights: as for `temporal_ensemble`.

    Returns:
        (N, ...), never below zero.
    """
    squares = [
        np.asarray(d, float) ** 2 + np.asarray(c, float) ** 2
        for c, d in zip(chunks, deviations, strict=True)
    ]
    mean = temporal_ensemble(chunks, starts, weights)
    second = temporal_ensemble(squares, starts, weights)
    std: Array = np.sqrt(np.maximum(second - mean**2, 0))
    return std


def first_chunk(chunks: Sequence[ArrayLike], starts: ArrayLike) -> Array:
    """No averaging at all: each step as the chunk says that began last; what to compare with.

    A shared keyframe's action is then that of the pair that begins there.
    """
    rows, steps, _ = _flat(chunks, starts, equal)
    _sums(rows, steps, np.ones(len(rows)))
    # The chunks lie in the order of their starts, so that later rows overwrite earlier ones.
    result: Array = np.empty((int(steps.max()) + 1, *rows.shape[1:]))
    for step, row in zip(steps, rows, strict=True):
        result[step] = row
    return result


def mean_rotation(R: ArrayLike) -> Array:
    """Nearest rotation matrices (..., 3, 3) to averaged ones (chordal mean, by SVD)."""
    U, _, Vt = np.linalg.svd(np.asarray(R, float))
    flip = np.ones((*U.shape[:-2], 3))
    flip[..., 2] = np.sign(np.linalg.det(U @ Vt))
    rotation: Array = (U * flip[..., None, :]) @ Vt
    return rotation


def _flat(
    chunks: Sequence[ArrayLike], starts: ArrayLike, weights: Weights
) -> tuple[Array, NDArray[np.int64], Array]:
    """Rows of all chunks in the order of their starts, the step of each, and its weight."""
    arrays = [np.asarray(chunk, float) for chunk in chunks]
    begin = np.asarray(starts)
    if begin.shape != (len(arrays),) or not len(arrays) or begin.dtype.kind not in "iu":
        raise BadShapeError(f"{len(arrays)} chunks, and starts {begin!r}; give one for each")
    if min(map(len, arrays)) == 0 or len({array.shape[1:] for array in arrays}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise BadShapeError(f"chunks have shapes {shapes}; they may differ in length only")
    order = np.argsort(begin, kind="stable")
    rows = np.concatenate([arrays[p] for p in order])
    steps = np.concatenate([begin[p] + np.arange(len(arrays[p])) for p in order])
    weight = np.concatenate([weights(len(arrays[p])) for p in order])
    if not (weight > 0).all():
        raise BadShapeError("weights of an ensemble must be greater than zero")
    return rows, (steps - steps.min()).astype(np.int64), weight


def _sums(rows: Array, steps: NDArray[np.int64], weight: Array) -> tuple[Array, Array]:
    """Weighted sum (N, ...) of the rows of each step, and the sum (N,) of weights."""
    count: Array = np.bincount(steps, weight).astype(float)
    if not count.all():
        raise BadShapeError(f"no chunk says step {int(np.argmin(count))}; chunks must overlap")
    total = np.zeros((len(count), *rows.shape[1:]))
    np.add.at(total, steps, rows * _like(weight, rows))
    return total, count


def _like(values: Array, array: Array) -> Array:
    """values (N,) with as many axes as `array` (N, ...)."""
    return values.reshape(-1, *(1,) * (array.ndim - 1))


def _vote(mean: Array, said: Array, steps: NDArray[np.int64], vote: Vote) -> Array:
    earliest = np.empty_like(mean)
    for step, value in zip(steps[::-1], said[::-1], strict=True):
        earliest[step] = value
    decided = np.where(np.abs(mean) > 1e-12, mean, earliest)
    return vote(decided)
