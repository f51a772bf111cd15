"""Training a denoiser from remembered encodings: the frozen encoder sees each picture once.

A frozen encoder says the same of the same picture, and is most of the cost of a step. So a fixed
number of augmented batches passes it once; then each step joins some of them at random.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from armsight.models.encoder import Encoder, Encoding
from armsight.models.lite0 import FeatureMaps
from armsight.train.config import TrainConfig
from armsight.train.pose.batches import Batch

PREFIX, MAPS = "encoding.", "maps."
KEPT = (
    "keypoints_2d",
    "keypoints_log_std",
    "keypoints_seen",
    "keypoint_features",
    "coarse_features",
)
"""What becomes context; features are remembered in half precision."""


def encode(encoder: Encoder, batch: Batch) -> Encoding:
    """The encoding of a batch's pictures, remembered or computed."""
    if PREFIX + KEPT[0] not in batch:
        return _computed(encoder, batch)
    parts = {name: batch[PREFIX + name].float() for name in KEPT}
    nothing = parts["keypoints_seen"].new_zeros(0)
    unused = {name: nothing for name in Encoding._fields if name not in KEPT}
    return Encoding(**parts, **unused)


def _computed(encoder: Encoder, batch: Batch) -> Encoding:
    """The encoding of pictures, or of the backbone's maps of them."""
    if MAPS + FeatureMaps._fields[0] in batch:
        return encoder.read(FeatureMaps(*(batch[MAPS + n].float() for n in FeatureMaps._fields)))
    encoding: Encoding = encoder(batch["image"].float())
    return encoding


def remember(
    encoder: Encoder, source: Generator[Batch, None, None], config: TrainConfig, rank: int
) -> list[Batch]:
    """`config.cached_batches` batches of `source` with their encodings in place of their pictures.

    Args:
        encoder: in evaluation mode.
        source: fresh batches from step 0 on; closed afterwards.
    """
    units = []
    with closing(source):
        for i in range(config.cached_batches):
            units.append(remember_batch(encoder, next(source)))
            if rank == 0 and (i + 1) % 50 == 0:
                print(f"encoded {i + 1} of {config.cached_batches} batches", file=sys.stderr)
    return units


def remembered_batches(
    units: list[Batch], config: TrainConfig, first_step: int, rank: int
) -> Generator[Batch, None, None]:
    """Endless batches of `config.cached_per_step` remembered ones each, joined."""
    step = first_step
    while True:
        rng = np.random.default_rng([config.seed, rank, step])
        chosen = rng.choice(len(units), config.cached_per_step, replace=False)
        yield joined([units[i] for i in chosen])
        step += 1


@torch.no_grad()
def remember_batch(encoder: Encoder, batch: Batch) -> Batch:
    """A batch with its encodings, on the CPU, in place of its pictures; see `encode`."""
    device = next(encoder.parameters()).device
    pictures = {k: v.to(device) for k, v in batch.items() if k == "image" or k.startswith(MAPS)}
    encoding = _computed(encoder, pictures)
    kept = {name: value for name, value in batch.items() if name not in pictures}
    for name in KEPT:
        value = getattr(encoding, name).cpu()
        kept[PREFIX + name] = value.half() if "features" in name else value
    return kept


def joined(units: list[Batch]) -> Batch:
    """Remembered batches as one."""
    whole: Batch = {
        name: torch.cat([unit[name] for unit in units]) for name in units[0] if name != "pairs"
    }
    if "pairs" in units[0]:
        # Pairs are indices into the unit's own keyframes; several cameras see each.
        frames = [len(unit.get("seen", unit[PREFIX + KEPT[0]])) for unit in units]
        starts = np.cumsum([0, *frames[:-1]]).tolist()
        pairs: list[Tensor] = [
            unit["pairs"] + start for unit, start in zip(units, starts, strict=True)
        ]
        whole["pairs"] = torch.cat(pairs)
    return whole
