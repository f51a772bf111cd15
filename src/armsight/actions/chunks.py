"""From the hypotheses of each pair to its chunk, and from overlapping chunks to one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec
from armsight.actions.ensemble import (
    Weights,
    ensemble_std,
    equal,
    first_chunk,
    mean_rotation,
    steady_votes,
    temporal_ensemble,
)
from armsight.actions.hypotheses import average, chosen_hypotheses
from armsight.actions.pairs import Pairs
from armsight.actions.session import ActionOutput

Array = NDArray[np.floating]

AHEAD_S = 0.6
"""[s] How long the following votes must confirm a change of a binary command; chosen on validation
states"""


@dataclass(frozen=True)
class Chunks:
    """What each of P pairs says of its own steps, merged over its hypotheses."""

    spec: ActionSpec
    starts: NDArray[np.int64]
    """(P,) the control step at which each chunk begins"""
    means: dict[str, list[Array]]
    """(T, ...) of each pair, by the output's name"""
    stds: dict[str, list[Array]]
    """Spread of the hypotheses: of the actions, and of states that are plain numbers"""

    @classmethod
    def of(cls, spec: ActionSpec, pairs: Pairs, reading: ActionOutput, merge: str) -> Chunks:
        """Merge the hypotheses of each pair; `merge` is how, see hypotheses.py."""
        low, high, scale = (
            np.array([getattr(one, name) for one in spec.actions])
            for name in ("low", "high", "scale")
        )
        averaged = [i for i in range(spec.num_actions) if i not in spec.voted]
        spread = [part.name for part in spec.parts if not part.rotation and not part.scalar]
        means: dict[str, list[Array]] = {name: [] for name in spec.outputs}
        stds: dict[str, list[Array]] = {name: [] for name in ("actions", *spread)}
        for p, length in enumerate(pairs.lengths):
            said = np.clip(reading.actions[p, :, :length], low, high)
            keep = chosen_hypotheses((said / scale)[..., averaged or slice(None)], merge)
            means["actions"].append(average(said, keep))
            stds["actions"].append(said.std(axis=0))
            for name, values in reading.states.items():
                own = values[p, :, :length]
                means[name].append(average(own, keep))
                if name in stds:
                    stds[name].append(own.std(axis=0))
        return cls(spec, pairs.starts, means, stds)

    def actions(self, weights: Weights | None) -> Array:
        """(horizon, A): the mean of all chunks, and votes on what has two values only.

        Args:
            weights: of the overlap averaging; None for no averaging.
        """
        # Votes are about -1 or 1, whatever the two values of a binary dimension are.
        middle, half = np.zeros(self.spec.num_actions), np.ones(self.spec.num_actions)
        for i in self.spec.voted:
            one = self.spec.actions[i]
            middle[i], half[i] = (one.high + one.low) / 2, (one.high - one.low) / 2
        votes = [(chunk - middle) / half for chunk in self.means["actions"]]
        return self._joined(votes, weights, self.spec.voted) * half + middle

    def states(self, weights: Weights | None) -> dict[str, Array]:
        """(horizon, ...) of each part of the specification's states."""
        joined = {
            part.name: self._joined(self.means[part.name], weights) for part in self.spec.parts
        }
        return {
            part.name: mean_rotation(joined[part.name]) if part.rotation else joined[part.name]
            for part in self.spec.parts
        }

    def std(self, name: str, weights: Weights | None) -> Array:
        """(horizon, ...) the spread within and between the chunks of one output."""
        return ensemble_std(self.means[name], self.stds[name], self.starts, weights or equal)

    def _joined(
        self, chunks: Sequence[Array], weights: Weights | None, voted: tuple[int, ...] = ()
    ) -> Array:
        vote = partial(steady_votes, ahead=max(1, round(AHEAD_S * self.spec.rate_hz)))
        if weights is None:
            values = first_chunk(chunks, self.starts)
            return temporal_ensemble([values], [0], voted=voted, vote=vote)
        return temporal_ensemble(chunks, self.starts, weights, voted=voted, vote=vote)
