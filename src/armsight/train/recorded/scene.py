"""How the pictures of a data set usually look to the network, so that others are told apart.

Nobody labels pictures without the robot. What the network is shown at run time is taken for this
robot's scene while its pooled features lie about as far from the training pictures' mean as those
themselves do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from armsight.models.action_model import ActionNetwork
from armsight.train.recorded.pictures import PictureCache

MOST_PICTURES = 600
LIMIT = 2.0
"""How many times as far as 99 % of the pictures of unseen training episodes may be"""
FEWEST_EPISODES = 4
"""With fewer, nobody can say what is usual: everything is taken for the scene"""
NO_LIMIT = 1e6


@dataclass(frozen=True)
class Usual:
    """Pooled features (320,) of each of C cameras."""

    mean: Tensor
    """(C, 320)"""
    scale: Tensor
    """(C, 320)"""
    limit: Tensor
    """(C,) of the mean squared distance in units of `scale`"""


@torch.no_grad()
def usual_features(
    model: ActionNetwork, pictures: PictureCache, episodes: Sequence[int], seed: int = 0
) -> Usual:
    """From at most MOST_PICTURES training pictures: half of the episodes say what is usual, the
    other half how far from it the same scene can be."""
    half = len(episodes) // 2
    known = _features(model, pictures, episodes[:half] or episodes, seed)
    mean, scale = known.mean(0), known.std(0, unbiased=False)
    scale = scale.clamp(min=0.3 * float(scale.mean()) + 1e-6)
    limit = torch.full((known.shape[1],), NO_LIMIT)
    if len(episodes) >= FEWEST_EPISODES:
        others = _features(model, pictures, episodes[half:], seed)
        distance = (((others - mean) / scale) ** 2).mean(-1)
        limit = LIMIT * distance.quantile(0.99, 0).clamp(min=1.0)
    return Usual(mean, scale, limit)


def _features(
    model: ActionNetwork, pictures: PictureCache, episodes: Sequence[int], seed: int
) -> Tensor:
    """(N, cameras, 320) pooled features of pictures drawn from episodes."""
    rng = np.random.default_rng(seed)
    numbers = np.concatenate(
        [np.arange(pictures.starts[e], pictures.starts[e + 1]) for e in episodes]
    )
    chosen = np.sort(rng.choice(numbers, min(MOST_PICTURES // 2, len(numbers)), replace=False))
    parts = []
    for first in range(0, len(chosen), 32):
        pixels = torch.from_numpy(np.array(pictures.pixels[chosen[first : first + 32]]))
        images = pixels.flatten(0, 1).permute(0, 3, 1, 2).float()
        coarse = model.encoder(images).coarse_features.mean(1)
        parts.append(coarse.reshape(*pixels.shape[:2], -1))
    return torch.cat(parts)
