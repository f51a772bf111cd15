"""Where a run's weights come from: `init_from`, one checkpoint or the mean of several.

The mean of runs that began at the same weights is a 'model soup' (Wortsman et al. 2022,
https://arxiv.org/abs/2203.05482): often better than each of them, at the cost of one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from armsight.errors import ConfigError
from armsight.models.checkpoint import load_matching, read_info, read_tensors
from armsight.models.shared_model import SharedPoseModel, tensors_for_sharing, tensors_of_robot


def read_start(folders: Sequence[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON of the first checkpoint, and the mean of the averaged (EMA) weights of all.

    Tensors of integers are the first one's. Batch-norm statistics are averaged like weights.

    Raises:
        WeightsError: a folder holds no readable checkpoint.
        ConfigError: the checkpoints are of different models, or their tensors do not fit together.
    """
    first = folders[0]
    info, tensors = read_info(Path(first)), read_tensors(Path(first), "ema")
    if len(folders) == 1:
        return info, tensors
    mean = {name: value.double() if value.is_floating_point() else value
            for name, value in tensors.items()}  # fmt: skip
    for folder in folders[1:]:
        _check_same_model(info["model"], read_info(Path(folder))["model"], first, folder)
        others = read_tensors(Path(folder), "ema")
        _check_same_shapes(tensors, others, first, folder)
        for name, value in others.items():
            if value.is_floating_point():
                mean[name] += value
    return info, {
        name: (value / len(folders)).float() if value.is_floating_point() else value
        for name, value in mean.items()
    }


def load_start(
    model: nn.Module, info: dict[str, Any], tensors: dict[str, Tensor], *, announce: bool = True
) -> None:
    """Copy the tensors that fit; say on stderr what of the model was left at its random start.

    Args:
        info: the JSON of the checkpoint that the tensors are from.
    """
    tensors = _as_named_in(model, info, tensors)
    left = load_matching(model, tensors)
    if left and announce:
        total = Counter(name.split(".")[0] for name in model.state_dict())
        parts = ", ".join(f"{part} {count} of {total[part]}" for part, count in
                          sorted(Counter(name.split(".")[0] for name in left).items()))  # fmt: skip
        print(f"init_from fits in part; tensors left at their random start: {parts}",
              file=sys.stderr)  # fmt: skip


def _as_named_in(
    model: nn.Module, info: dict[str, Any], tensors: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Tensors of one robot's model or of several robots', as the other kind calls them."""
    shared = [one["robot"] for one in info["model"].get("robots", [])]
    if isinstance(model, SharedPoseModel):
        names = model.config.robot_names
        if not shared:
            first = str(info["model"]["robot"])
            return tensors_for_sharing(tensors, first, names)
        new = [name for name in names if name not in shared]
        return {**tensors_for_sharing(tensors_of_robot(tensors, shared[0]), shared[0], new),
                **tensors}  # fmt: skip
    if shared:
        own = str(getattr(model.config, "robot", ""))
        return tensors_of_robot(tensors, own if own in shared else shared[0])
    return tensors


def _check_same_model(a: dict[str, Any], b: dict[str, Any], first: str, other: str) -> None:
    different = sorted(name for name in a.keys() & b.keys() if a[name] != b[name])
    if different:
        raise ConfigError(
            f"init_from cannot average {first} and {other}: their models differ in "
            f"{', '.join(different)}; average runs of one model that began at the same weights"
        )


def _check_same_shapes(a: dict[str, Tensor], b: dict[str, Tensor], first: str, other: str) -> None:
    for name in sorted(a.keys() | b.keys()):
        one, two = (tuple(t[name].shape) if name in t else "missing" for t in (a, b))
        if one != two:
            raise ConfigError(
                f"init_from cannot average {first} and {other}: tensor {name} is {one} in the one "
                f"and {two} in the other; average runs of one model that began at the same weights"
            )
