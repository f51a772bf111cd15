"""Control steps of keyframes by when they were taken: gaps, repeats, uneven steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

EVEN = 0.25
"""Frames count as even where they lie no further from even places than this share of their
distance"""
FEW = 5
"""Frames that a note names one by one"""


@dataclass(frozen=True)
class Timing:
    """Which keyframes to use, and at which control steps they were seen."""

    kept: NDArray[np.bool_]
    """(N,) keyframes to use, K of them"""
    steps: NDArray[np.int64]
    """(K,) rising, from 0 on"""
    notes: tuple[str, ...]


def keyframe_timing(moments: ArrayLike, stride: int, max_stride: int) -> Timing | None:
    """Control steps of uneven keyframes; None where they are even, `stride` apart.

    Args:
        moments: (N,) when they were taken, in any unit, such as seconds or frame numbers.
        stride: control steps of the usual (median) distance between neighbours.
        max_stride: the longest gap that the model knows.

    Frames at the same control step as the one before are left out; longer gaps than `max_stride`
    count as that many steps, with a note, since nobody saw what happened there.
    """
    times = np.asarray(moments, dtype=float)
    if len(times) < 3 or not np.isfinite(times).all():
        return None
    distances = np.diff(times)
    rising = distances[distances > 0]
    if not len(rising):
        return None
    even, distance = np.linspace(times[0], times[-1], len(times), retstep=True)
    if np.abs(times - even).max() <= EVEN * distance:
        return None
    places = (times - times[0]) / _usual_distance(times, rising, stride)
    seen = np.round(places * stride).astype(np.int64)
    kept, steps, repeats, gaps = [0], [0], [], []
    for i in range(1, len(times)):
        gap = int(seen[i] - seen[kept[-1]])
        if gap < 1:
            repeats.append(i)
            continue
        if gap > max_stride:
            gaps.append((i, gap))
        kept.append(i)
        steps.append(steps[-1] + min(gap, max_stride))
    if len(kept) < 2:
        return None
    used = np.zeros(len(times), bool)
    used[kept] = True
    return Timing(used, np.array(steps), _notes(kept, steps, stride, repeats, gaps))


def _usual_distance(times: NDArray[np.float64], rising: NDArray[np.float64], stride: int) -> float:
    """The median distance of neighbours; where time stamps are rounded, the mean is truer.

    Which of both is told by how near it brings all frames to whole control steps.
    """
    median = float(np.median(rising))
    mean = float(rising[np.abs(rising / median - 1) <= 0.5].mean())

    def off(usual: float) -> float:
        steps = (times - times[0]) / usual * stride
        return float(np.abs(steps - np.round(steps)).mean())

    return min((median, mean), key=off)


def _notes(
    kept: list[int], steps: list[int], stride: int, repeats: list[int], gaps: list[tuple[int, int]]
) -> tuple[str, ...]:
    apart = np.diff(steps)
    odd = [f"{kept[i]} and {kept[i + 1]} ({apart[i]})" for i in np.flatnonzero(apart != stride)]
    notes = []
    if odd:
        notes.append(
            f"frames are not evenly spaced: by their time stamps or numbers {len(odd)} of "
            f"{len(apart)} neighbours are not {stride} control steps apart: frames {_few(odd)}"
        )
    if repeats:
        notes.append(
            f"{len(repeats)} frames were taken at the time of the one before, and were left out: "
            f"{_few([str(i) for i in repeats])}"
        )
    for i, gap in gaps[:FEW]:
        notes.append(
            f"between frames {i - 1} and {i} is a gap of {gap} control steps, more than the model "
            f"knows: it counts as {steps[kept.index(i)] - steps[kept.index(i) - 1]}, and what "
            "happened in it is a guess"
        )
    return tuple(notes)


def _few(items: list[str]) -> str:
    return ", ".join(items[:FEW]) + (", ..." if len(items) > FEW else "")
