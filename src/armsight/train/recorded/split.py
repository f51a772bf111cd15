"""Which episodes are trained on, and which are kept for the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from armsight.errors import DatasetError

HELD_OUT = 0.1
"""Share of the episodes that are not trained on; at least one"""


@dataclass(frozen=True)
class Split:
    """Numbers of episodes, rising; no episode is in both."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    how: str
    """In words, for the card"""


def split_episodes(count: int, seed: int = 0, share: float = HELD_OUT) -> Split:
    """Draw the held-out episodes: whole ones, at random, the same for the same count and seed.

    Raises:
        DatasetError: fewer than two episodes.
    """
    if count < 2:
        raise DatasetError(
            f"the data set has {count} episode; two are needed, one to train on and one to score"
        )
    order = np.random.default_rng([seed, count]).permutation(count)
    held = max(1, round(share * count))
    how = (
        f"{held} of {count} whole episodes drawn at random (seed {seed}) are held out: the network "
        "never saw them, and ranges and normalisation are not computed from them"
    )
    return Split(tuple(sorted(order[held:].tolist())), tuple(sorted(order[:held].tolist())), how)
