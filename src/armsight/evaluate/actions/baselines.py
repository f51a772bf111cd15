"""What actions could be guessed from the true states at the keyframes, without any picture.

`interpolation`         an absolute action is the straight line between the keyframes' states, one
                        step ahead; a relative one is the states' difference, spread evenly
`fitted interpolation`  a linear map, fitted on the training episodes, from that line and its slope
                        to the action: it knows the controller's lag and gain
`repeat`                the same with what came before: the line goes on as between the two
                        keyframes before, and the next keyframe is not known

They are given the true states, which the network is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ABSOLUTE, RELATIVE, ActionSpec

Array = NDArray[np.float64]

RIDGE = 1e-3


@dataclass(frozen=True)
class Rows:
    """One episode's truth."""

    actions: Array
    """(N, A)"""
    states: Array
    """(N, S); S may be 0"""

    def until_keyframe(self, stride: int) -> Rows:
        """Up to the last keyframe of that stride, itself included."""
        last = (len(self.actions) - 1) // stride * stride
        return Rows(self.actions[: last + 1], self.states[: last + 1])


def line(states: Array, stride: int) -> tuple[Array, Array]:
    """The straight line between keyframes' states (N, S) and its slope for each step (N, S).

    N is (K - 1) * stride + 1. At a keyframe the slope is that of the pair which begins there.
    """
    keys = states[::stride]
    slopes = np.diff(keys, axis=0) / stride
    slope = np.concatenate([np.repeat(slopes, stride, 0), slopes[-1:]])
    within = np.append(np.tile(np.arange(stride), len(slopes)), stride)[:, None]
    start = np.concatenate([np.repeat(keys[:-1], stride, 0), keys[-2:-1]])
    return start + within * slope, slope


def last_difference(states: Array, stride: int) -> tuple[Array, Array]:
    """The same where only keyframes up to each pair's first are known; at rest before them."""
    keys = states[::stride]
    before = np.concatenate([np.zeros_like(keys[:1]), np.diff(keys, axis=0)])[:-1] / stride
    slope = np.concatenate([np.repeat(before, stride, 0), before[-1:]])
    within = np.append(np.tile(np.arange(stride), len(before)), stride)[:, None]
    start = np.concatenate([np.repeat(keys[:-1], stride, 0), keys[-2:-1]])
    return start + within * slope, slope


def interpolation(rows: Rows, spec: ActionSpec, stride: int) -> Array:
    """(N, A), NaN in dimensions that command no state."""
    values, slope = line(rows.states, stride)
    names = [one.name for one in spec.states]
    guess = np.full_like(rows.actions, np.nan)
    for i, one in enumerate(spec.actions):
        if one.follows is None or one.binary:
            continue
        j = names.index(one.follows)
        if one.kind == ABSOLUTE:
            guess[:, i] = values[:, j] + slope[:, j]
        elif one.kind == RELATIVE:
            guess[:, i] = slope[:, j]
    return guess


class FittedLine:
    """A linear map from a line through the states to the actions, fitted on training episodes."""

    def __init__(
        self, episodes: Sequence[Rows], spec: ActionSpec, stride: int, *, ahead: bool
    ) -> None:
        """Fit it.

        Args:
            ahead: the line goes to the next keyframe; else it goes on from those before.
        """
        self.spec, self.stride, self._line = spec, stride, line if ahead else last_difference
        x = np.concatenate([self._features(one) for one in episodes])
        y = np.concatenate([one.actions for one in episodes])
        self._mean, scale = x.mean(0), x.std(0)
        self._scale = np.where(scale > 1e-9, scale, 1.0)
        x = (x - self._mean) / self._scale
        self._offset = y.mean(0)
        gram = x.T @ x + RIDGE * len(x) * np.eye(x.shape[1])
        self._map = np.linalg.solve(gram, x.T @ (y - self._offset))

    def _features(self, rows: Rows) -> Array:
        values, slope = self._line(rows.states, self.stride)
        return np.concatenate([values, slope], 1)

    def __call__(self, rows: Rows) -> Array:
        """(N, A) of an episode."""
        x = (self._features(rows) - self._mean) / self._scale
        guess = x @ self._map + self._offset
        for i in self.spec.voted:
            one = self.spec.actions[i]
            guess[:, i] = np.where(guess[:, i] > (one.low + one.high) / 2, one.high, one.low)
        return np.asarray(guess)
