"""How far an attempt came: was the object lifted, carried, put down where it belongs?

Only what judges an attempt may look at objects; what makes the actions may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from armsight.control.scene import bodies, target_and_basket

LIFTED = 0.03
"""Metres above its place from which on an object counts as picked up"""


@dataclass(frozen=True)
class Outcome:
    """What became of the object that a task is about. Lengths in metres."""

    target: str
    lifted: float
    """How far its lowest point was above where it stood, at most"""
    distance: float
    """From its middle to the middle of the basket in the end, seen from above"""

    @property
    def picked(self) -> bool:
        """Whether it was picked up."""
        return self.lifted > LIFTED

    def text(self, success: bool) -> str:
        """The outcome in words."""
        name = self.target.rsplit("_", 1)[0].replace("_", " ")
        if success:
            return f"the {name} was picked up and placed"
        if not self.picked:
            return f"the {name} was not picked up"
        return (
            f"the {name} was lifted by {100 * self.lifted:.0f} cm, but not placed: in the end it "
            f"is {100 * self.distance:.0f} cm from the middle of the basket"
        )


class OutcomeWatch:
    """A `watch` for `armsight.control.rollout.rollout` that measures the outcome."""

    def __init__(self, simulation: Any, every: int = 2) -> None:
        self._simulation, self._every = simulation, every
        self._target, self._basket = target_and_basket(simulation)
        self._first: float | None = None
        self._highest = -np.inf

    def __call__(self, step: int) -> None:
        """Look at the object."""
        if step % self._every and self._first is not None:
            return
        low = float(bodies(self._simulation)[self._target].low[2])
        self._first = low if self._first is None else self._first
        self._highest = max(self._highest, low)

    def outcome(self) -> Outcome:
        """What was seen so far, and how things are now."""
        scene = bodies(self._simulation)
        middles = [(scene[n].low + scene[n].high)[:2] / 2 for n in (self._target, self._basket)]
        lifted = 0.0 if self._first is None else self._highest - self._first
        distance = float(np.linalg.norm(middles[0] - middles[1]))
        return Outcome(self._target, float(lifted), distance)
