"""What an action model is trained to do: the pose encoder's losses, and denoising steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armsight.models.action_model import ACTION_CHANNELS, ActionNetwork
from armsight.train.config import TrainConfig
from armsight.train.pose.encoded import encode
from armsight.train.pose.objective import Losses, denoising_error, encoder_losses

CHANNEL_WEIGHTS = (1.0,) * ACTION_CHANNELS + (10.0,) * 3 + (1.0,) * 6 + (2.0,)
"""A millimetre is a hundredth of the path's spread: positions must count for more than their
share, or the noise in the actions drowns them."""


class ActionObjective(nn.Module):
    """The model and its losses as one module, so that distributed training can wrap it."""

    def __init__(self, model: ActionNetwork, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: dict[str, Tensor], seed: int) -> tuple[Tensor, Losses]:
        """The weighted sum, and each loss by name. `seed` fixes every random draw."""
        g = torch.Generator().manual_seed(seed)
        frozen = self.config.stage == "denoiser"
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            encoding = encode(self.model.encoder, batch)
        losses: Losses = {} if frozen else encoder_losses(encoding, batch)
        if self.config.stage != "encoder":
            context = self.model.context(encoding, batch["pairs"], batch["stride"])
            losses["denoise"] = self._denoise(context, batch, g)
        weights = self.config.loss_weights
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, losses

    def _denoise(self, context: Tensor, batch: dict[str, Tensor], g: torch.Generator) -> Tensor:
        x_0 = self.model.spec.normalise({"steps": batch["steps"]})
        channels = torch.tensor(CHANNEL_WEIGHTS, device=x_0.device)
        steps = batch["step_weight"]
        weight = steps[..., None] * (channels / channels.sum())
        error = denoising_error(self.model, context, x_0, weight, self.config.noise_draws, g)
        mean: Tensor = error.sum() / steps.sum().clamp(min=1)
        return mean
