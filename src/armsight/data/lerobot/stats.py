"""Statistics as LeRobot stores them: of each episode, and of all episodes together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Stats = dict[str, dict[str, Array]]

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
MOST_IMAGES = 50
"""Frames of an episode that its colour statistics look at"""


def column_stats(values: Array) -> dict[str, Array]:
    """min, max, mean, std, count and quantiles over the rows of (N, ...), one per element."""
    rows = np.asarray(values, float)
    rows = rows[:, None] if rows.ndim == 1 else rows
    stats = {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([len(rows)]),
    }
    for q, value in zip(QUANTILES, np.quantile(rows, QUANTILES, axis=0), strict=True):
        stats[f"q{round(100 * q):02d}"] = value
    return stats


def image_stats(frames: Sequence[Array] | Array) -> dict[str, Array]:
    """The same per colour channel, (3, 1, 1), of values in [0, 1], from at most MOST_IMAGES."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), MOST_IMAGES)).round().astype(int)
    pixels = np.concatenate([frames[i].reshape(-1, 3) for i in chosen])
    # A histogram of bytes gives every statistic exactly, without sorting millions of values.
    counts = np.stack([np.bincount(pixels[:, c], minlength=256) for c in range(3)])
    levels = np.arange(256) / 255
    share = counts / len(pixels)
    mean = share @ levels
    below = counts.cumsum(axis=1)
    stats: dict[str, Array] = {
        "min": levels[(counts > 0).argmax(axis=1)],
        "max": levels[255 - (counts[:, ::-1] > 0).argmax(axis=1)],
        "mean": mean,
        "std": np.sqrt(np.maximum(share @ levels**2 - mean**2, 0)),
    }
    for q in QUANTILES:
        stats[f"q{round(100 * q):02d}"] = levels[(below >= q * len(pixels)).argmax(axis=1)]
    shaped = {name: value.reshape(3, 1, 1) for name, value in stats.items()}
    return {**shaped, "count": np.array([len(chosen)])}


def combine(many: Sequence[Stats]) -> Stats:
    """Statistics of all episodes from those of each.

    Mean and standard deviation are exact (parallel variance); quantiles are means of the
    episodes' quantiles weighted by their lengths, as LeRobot does.
    """
    return {
        name: _combine_one([stats[name] for stats in many]) for name in (many[0] if many else ())
    }


def _combine_one(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    counts = np.array([int(part["count"][0]) for part in parts])
    weights = counts / counts.sum()

    def averaged(name: str, values: Sequence[Array] | None = None) -> Array:
        stacked = np.stack([part[name] for part in parts] if values is None else list(values))
        result: Array = np.tensordot(weights, stacked, axes=1)
        return result

    mean = averaged("mean")
    squares = [part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts]
    combined = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(averaged("std", squares)),
        "count": np.array([counts.sum()]),
    }
    for name in parts[0]:
        if name not in combined:
            combined[name] = averaged(name)
    return combined
