"""Keyframes as overlapping pairs (PoseDiff, arXiv 2509.24591, figure of the IDM).

Keyframe i was seen before control step `steps[i]`. The pair (i, i+1) is asked for the actions of
every control step from one keyframe to the next, both ends included: `stride + 1` of them. So two
pairs that meet at a keyframe both say what to do there.

With a `span` above 1 there are also pairs (i, i+2) and so on, as far as the model knows their
stride: then every step is said several times, and the ensemble averages more opinions. With a
`reach` there are such pairs only where keyframes are close: within a step or two too little happens
to tell a gripper that closes from one that waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError, KeyframesError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """P pairs of keyframes, each with the control steps that it covers."""

    indices: Ints
    """(P, 2) into the keyframes"""
    starts: Ints
    """(P,) first control step, counted from the first keyframe"""
    strides: Ints
    """(P,) control steps from the first keyframe of the pair to its second"""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Ints:
        """(P,) actions of each pair: both ends are included"""
        return self.strides + 1

    @property
    def horizon(self) -> int:
        """Control steps from the first keyframe to the last, both included."""
        return int((self.starts + self.lengths).max())


def keyframe_steps(count: int, stride: int) -> Ints:
    """Control steps of `count` keyframes that are `stride` steps apart."""
    return np.arange(count, dtype=np.int64) * stride


def make_pairs(
    steps: Sequence[int] | Ints, max_stride: int, span: int = 1, reach: int = 0
) -> Pairs:
    """Pairs of keyframes seen at control steps `steps`, which may be uneven.

    Args:
        steps: (N,) rising whole numbers; the first is where the actions begin.
        max_stride: the longest gap that the model knows.
        span: how many keyframes apart a pair may be; 1 for neighbours only, as in the paper.
        reach: [control steps] from each keyframe on, pairs beyond `span` up to the first one that
            bridges as many.

    Returns:
        Pairs in the order of their first keyframe, then of their second.

    Raises:
        KeyframesError: fewer than two keyframes.
        ConfigError: the steps do not rise, a gap is longer than `max_stride`, or no such span.
    """
    times = np.asarray(steps)
    if times.ndim != 1 or len(times) < 2:
        raise KeyframesError(
            f"{times.size if times.ndim else 1} keyframe gives no action: actions lie between "
            "keyframes; give two or more frames"
        )
    if times.dtype.kind not in "iu":
        raise ConfigError(f"the keyframes' steps are {times.dtype}; give whole control steps")
    whole = times.astype(np.int64)
    strides: Ints = whole[1:] - whole[:-1]
    if strides.min() < 1:
        i = int(strides.argmin())
        raise ConfigError(
            f"keyframe {i + 1} is at control step {times[i + 1]}, not after keyframe {i} at "
            f"{times[i]}; give rising steps"
        )
    check_stride(int(strides.max()), max_stride)
    if span < 1:
        raise ConfigError(f"span is {span}; give 1 for neighbours, 2 for one keyframe between")
    count = len(times)
    # For each keyframe the first one that is `reach` away.
    reached = np.searchsorted(whole, whole + reach)
    indices = np.array(
        [
            (i, j)
            for i in range(count - 1)
            for j in range(i + 1, min(max(i + span, reached[i]), count - 1) + 1)
            if whole[j] - whole[i] <= max_stride
        ],
        dtype=np.int64,
    )
    begin, end = whole[indices.T]
    return Pairs(indices, begin - whole[0], end - begin)


def check_stride(stride: SupportsIndex, max_stride: int) -> int:
    """`stride` itself, if the model knows it.

    Raises:
        ConfigError: it is not a whole number from 1 to `max_stride`.
    """
    try:
        number = stride.__index__()
    except AttributeError:
        number = 0
    if not 1 <= number <= max_stride:
        raise ConfigError(
            f"stride {stride} is out of range; this model knows strides of 1 to {max_stride} "
            "control steps from one keyframe to the next"
        )
    return number
