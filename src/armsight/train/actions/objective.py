"""What an action model is trained to do: the pose encoder's losses, and denoising steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armsight.models.action_model import ActionNetwork
from armsight.train.config import TrainConfig
from armsight.train.pose.encoded import encode
from armsight.train.pose.objective import Losses, denoising_error, encoder_losses


class ActionObjective(nn.Module):
    """The model and its losses as one module, so that distributed training can wrap it."""

    def __init__(self, model: ActionNetwork, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: dict[str, Tensor], seed: int) -> tuple[Tensor, Losses]:
        """The weighted sum, and each loss by name. `seed` fixes every random draw."""
        g = torch.Generator().manual_seed(seed)
        frozen = self.config.stage == "denoiser"
        free = self.model.config.free_keypoints
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            encoding = encode(self.model.encoder, batch)
        losses: Losses = {} if frozen or free else encoder_losses(encoding, batch)
        if self.config.stage != "encoder":
            context = self.model.context(
                encoding, batch["pairs"], batch["stride"], batch.get("seen")
            )
            losses["denoise"] = self._denoise(context, batch, g)
        weights = self.config.loss_weights
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, losses

    def _denoise(self, context: Tensor, batch: dict[str, Tensor], g: torch.Generator) -> Tensor:
        x_0 = self.model.spec.normalise({"steps": batch["steps"]})
        weights = [one.weight for one in self.model.config.action_spec.channels]
        channels = torch.tensor(weights, device=x_0.device)
        steps = batch["step_weight"]
        weight = steps[..., None] * (channels / channels.sum())
        error = denoising_error(self.model, context, x_0, weight, self.config.noise_draws, g)
        mean: Tensor = error.sum() / steps.sum().clamp(min=1)
        return mean
