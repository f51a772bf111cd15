"""One number of a clip, with its parts and its worst moments.

Each measure is compared with what is usual in true videos: s = exp(-z / 2) with z = how far it lies
beyond their 90 % quantile, in units of the distance from their median to that quantile. A part's
score is that of its worst measure; the clip's is the product of its parts. 1: nothing is unusual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from armsight.judge.arm import ArmInClip
from armsight.judge.measures import PART_OF, Measure
from armsight.judge.scenes import usual

PARTS = ("arm", "motion", "gripper", "scenery", "task")
MOST_MOMENTS = 4
UNUSUAL = 0.5
"""Score of a part below which it is named"""
FAILED_TASK = 0.3
"""Of the part `task`, where the simulator plays the actions and the task is not solved"""


@dataclass(frozen=True)
class Moment:
    """One of the worst."""

    frame: int
    """Of the clip"""
    time: float
    """[s]"""
    measure: str
    excess: float
    """z, as above"""
    says: str


@dataclass(frozen=True)
class Score:
    """What is thought of a clip."""

    score: float
    """In [0, 1]"""
    parts: Mapping[str, float | None]
    """In [0, 1]; None: could not be told"""
    measures: Mapping[str, float]
    excess: Mapping[str, float]
    """z of each measure"""
    moments: tuple[Moment, ...]
    way: str

    @property
    def fault(self) -> str | None:
        """The part that is most unusual, where one is."""
        told = {name: value for name, value in self.parts.items() if value is not None}
        worst = min(told, key=lambda name: told[name], default=None)
        return worst if worst is not None and told[worst] < UNUSUAL else None

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "score": self.score,
            "parts": dict(self.parts),
            "fault": self.fault,
            "read_by": self.way,
            "measures": {k: _number(v) for k, v in self.measures.items()},
            "excess": {k: _number(v) for k, v in self.excess.items()},
            "worst_moments": [vars(one) for one in self.moments],
        }


def score_clip(arm: ArmInClip, measures: Mapping[str, Measure], solved: bool | None) -> Score:
    """The score of a clip.

    Args:
        arm: in the clip's frames.
        measures: of the clip, see `armsight.judge.measures`.
        solved: whether a simulator that played its actions solved the task; None: not played.
    """
    known = usual(arm.way)
    excess = {}
    for name, one in measures.items():
        if name in known and np.isfinite(one.value):
            excess[name] = excess_of(one.value, known[name])
    told_parts = part_scores(excess, {name: PART_OF[name] for name in excess})
    parts: dict[str, float | None] = {part: told_parts.get(part) for part in PARTS}
    if solved is not None:
        parts["task"] = 1.0 if solved else FAILED_TASK
    told = [value for value in parts.values() if value is not None]
    moments = sorted(
        (m for name, z in excess.items() if z > 0 for m in _moments(arm, name, measures[name])),
        key=lambda one: -one.excess,
    )
    return Score(
        float(np.prod(told)), parts, {name: one.value for name, one in measures.items()}, excess,
        tuple(_apart(moments)), arm.way,
    )  # fmt: skip


def part_scores(excess: Mapping[str, float], part_of: Mapping[str, str]) -> dict[str, float]:
    """The score of every part, of the z of its worst measure."""
    worst: dict[str, float] = {}
    for name, z in excess.items():
        worst[part_of[name]] = max(z, worst.get(part_of[name], 0.0))
    return {part: float(np.exp(-z / 2)) for part, z in worst.items()}


def excess_of(value: float, known: Mapping[str, float]) -> float:
    """z of a measure, by its `median`, `high` and `least_width`."""
    width = max(known["high"] - known["median"], known["least_width"])
    return max(0.0, (value - known["high"]) / width)


def _moments(arm: ArmInClip, name: str, one: Measure) -> list[Moment]:
    known = usual(arm.way)[name]
    count = min(len(one.by_frame), len(arm.frames))
    return [
        Moment(int(arm.frames[n]), float(arm.times[n]), name, z, one.says)
        for n in range(count)
        if np.isfinite(one.by_frame[n]) and (z := excess_of(float(one.by_frame[n]), known)) > 0
    ]


def _apart(moments: list[Moment]) -> list[Moment]:
    """The worst ones, one of each measure first, none beside another of the same."""
    chosen: list[Moment] = []
    for one in moments:
        near = [c for c in chosen if c.measure == one.measure]
        if not near and len(chosen) < MOST_MOMENTS:
            chosen.append(one)
    return chosen


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
