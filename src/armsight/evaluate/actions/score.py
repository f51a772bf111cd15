"""How far predicted actions are from the recorded ones, on episodes that nobody trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import RELATIVE, ActionSpec
from armsight.reports.intervals import bootstrap_interval, mean_of

Array = NDArray[np.float64]

NEAR_STEPS_S = 0.5
"""A gripper's change counts as the same one within so many seconds"""


def score(truth: Sequence[Array], said: Sequence[Array], spec: ActionSpec) -> dict[str, Any]:
    """Figures of one way to tell actions.

    Args:
        truth: (N, A) of each held-out episode.
        said: the same, predicted; a dimension may be NaN throughout, where a way cannot tell it.

    Returns:
        `dimensions`: for each its mean absolute error, in the data set's units, as a share of its
        standard deviation, and the drift of its path at an episode's end (median over episodes);
        `mean_share` with its 95 % interval over episodes; `grippers`.
    """
    spread = np.concatenate(truth).std(0)
    errors = np.array([np.abs(a - b).mean(0) for a, b in zip(truth, said, strict=True)])
    weights = np.array([len(a) for a in truth], float)
    mean = np.average(errors, axis=0, weights=weights)
    drift = np.median([_drift(a, b, spec) for a, b in zip(truth, said, strict=True)], axis=0)
    moves = spread > 1e-6 * np.maximum(1.0, np.abs(np.concatenate(truth)).max(0))
    shares = np.where(moves, mean / np.where(moves, spread, 1), np.nan)
    dimensions = {
        one.name: {
            "error": _number(mean[i]),
            "unit": one.unit,
            "share_of_spread": _number(shares[i]),
            "drift": None if one.gripper else _number(drift[i]),
        }
        for i, one in enumerate(spec.actions)
    }
    told = moves & np.isfinite(mean)
    result: dict[str, Any] = {"dimensions": dimensions, "episodes": len(truth),
                              "steps": int(weights.sum())}  # fmt: skip
    if told.any():
        per_episode = (errors[:, told] / spread[told]).mean(1)
        # One episode says nothing of how far others would differ.
        interval = bootstrap_interval(per_episode, mean_of) if len(truth) > 1 else (None, None)
        result["mean_share"] = [float(np.mean(shares[told])), *interval]
    result["grippers"] = {
        one.name: _gripper(truth, said, i, spec)
        for i, one in enumerate(spec.actions)
        if one.gripper and np.isfinite(mean[i])
    }
    return result


def _drift(truth: Array, said: Array, spec: ActionSpec) -> Array:
    """(A,) how far the path that the actions describe ends from where the recorded one ends."""
    relative = np.array([one.kind == RELATIVE for one in spec.actions])
    summed = np.abs((said - truth).sum(0))
    travelled = np.abs((said[-1] - said[0]) - (truth[-1] - truth[0]))
    return np.asarray(np.where(relative, summed, travelled))


def _gripper(
    truth: Sequence[Array], said: Sequence[Array], i: int, spec: ActionSpec
) -> dict[str, Any]:
    """How many steps its changes come early or late, and how many are missed or made up."""
    near = max(1, round(NEAR_STEPS_S * spec.rate_hz))
    values = np.concatenate([one[:, i] for one in truth])
    middle = (values.min() + values.max()) / 2
    off: list[int] = []
    missed = extra = 0
    for a, b in zip(truth, said, strict=True):
        there, found = changes(a[:, i], middle), changes(b[:, i], middle)
        left = list(found)
        for step, up in there:
            fits = [one for one in left if one[1] == up and abs(one[0] - step) <= near]
            if not fits:
                missed += 1
                continue
            best = min(fits, key=lambda one: abs(one[0] - step))
            left.remove(best)
            off.append(best[0] - step)
        extra += len(left)
    return {
        "changes": len(off) + missed,
        "median_steps_off": _number(np.median(np.abs(off))) if off else None,
        "mean_steps_late": _number(np.mean(off)) if off else None,
        "missed": missed,
        "made_up": extra,
    }


def changes(values: Array, middle: float) -> list[tuple[int, bool]]:
    """Steps at which a command crosses `middle`, and whether upwards."""
    above = values > middle
    turns = np.flatnonzero(above[1:] != above[:-1]) + 1
    return [(int(t), bool(above[t])) for t in turns]


def _number(value: Any) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
