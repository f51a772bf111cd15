"""What differs between training a pose model and an action model; all else is the loop's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import torch
from torch import nn

from armsight.models.denoisers import DenoiserConfig
from armsight.models.diffusion import DiffusionConfig
from armsight.models.state_model import StateModel
from armsight.train.batches import Batch
from armsight.train.config import TrainConfig
from armsight.train.start import load_start, read_start


class Task(Protocol):
    """One kind of model and its data."""

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> StateModel:
        """A model with random weights; `like`: config of the model whose weights it will take."""
        ...

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        """The model and its losses: (batch, seed) -> (total, losses by name)."""
        ...

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Batch, None, None]:
        """Endless batches, a function of (seed, step, rank)."""
        ...

    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        """Figures on held-out data."""
        ...


def network_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings of the network that every model of the family has."""
    return {
        "input_size": config.input_size,
        "denoiser": DenoiserConfig(config.denoiser, config.denoiser_width, config.denoiser_depth),
        "diffusion": DiffusionConfig(
            config.num_train_timesteps, prediction_type=config.prediction_type
        ),
    }


def build_model(
    task: Task, config: TrainConfig, saved: dict[str, Any] | None = None, *, announce: bool = True
) -> StateModel:
    """A new model with ImageNet weights in its encoder, or started from `init_from`.

    Args:
        saved: the JSON of the run's own checkpoint, where it has one.
        announce: say on stderr what `init_from` left at random; one process of several does.
    """
    torch.manual_seed(config.seed)
    if saved:  # all weights will come from there
        return task.new_model(config, saved["model"])
    info, tensors = read_start(config.starts) if config.starts else (None, None)
    model = task.new_model(config, info["model"] if info else None)
    if tensors is not None:
        load_start(model, tensors, announce=announce)
    elif config.stage != "kinematic":
        model.encoder.backbone.load_imagenet()
    return model
