"""What differs between training a pose model and an action model; all else is the loop's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

from armsight.models.denoisers import DenoiserConfig
from armsight.models.diffusion import DiffusionConfig
from armsight.models.encoder import Encoder
from armsight.models.lite0 import Lite0
from armsight.models.shared_model import SharedPoseModel
from armsight.models.state_model import StateModel
from armsight.train.config import TrainConfig
from armsight.train.start import load_start, read_start

AnyModel: TypeAlias = StateModel | SharedPoseModel


class TrainingTask(Protocol):
    """One kind of model and its data."""

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> AnyModel:
        """A model with random weights; `like`: config of the model whose weights it will take."""
        ...

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        """The model and its losses: (batch, seed) -> (total, losses by name)."""
        ...

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Any, None, None]:
        """Endless batches, a function of (seed, step, rank); of several robots by name."""
        ...

    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        """Figures on held-out data."""
        ...


def encoder_of(model: AnyModel) -> Encoder:
    """The encoder of one robot's model."""
    assert isinstance(model, StateModel)
    return model.encoder


def backbone_of(model: AnyModel) -> Lite0:
    """The backbone of a model: its own, or the one that several robots share."""
    return model.backbone if isinstance(model, SharedPoseModel) else model.encoder.backbone


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
    task: TrainingTask,
    config: TrainConfig,
    saved: dict[str, Any] | None = None,
    *,
    announce: bool = True,
) -> AnyModel:
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
    if info is not None and tensors is not None:
        load_start(model, info, tensors, announce=announce)
    elif config.stage != "kinematic":
        backbone_of(model).load_imagenet()
    return model
