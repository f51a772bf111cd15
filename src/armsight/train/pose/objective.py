"""What a pose model is trained to do: one loss per part, added with weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from armsight.models.denoisers import REGRESSIONS
from armsight.models.encoder import HEATMAP_STRIDE, Encoding
from armsight.models.kinematics import TorchKinematics
from armsight.models.pose_model import PoseModel
from armsight.models.state_model import EncoderOutput, StateModel, measure
from armsight.train.config import TrainConfig
from armsight.train.pose.encoded import encode
from armsight.train.pose.kinematic import draw_samples

HEATMAP_SIGMA_CELLS = 0.9
STATE_RANGE = 3.0
"""Keypoints far out of the picture are moved to this many half pictures from its centre."""
MIN_KEYPOINTS_PRESENT = 4
"""With fewer visible keypoints nobody can say whether the robot is in view: not trained on."""

Losses = dict[str, Tensor]


class PoseObjective(nn.Module):
    """The model and its losses as one module, so that distributed training can wrap it."""

    def __init__(self, model: PoseModel, config: TrainConfig, kinematics: TorchKinematics) -> None:
        super().__init__()
        self.model, self.config = model, config
        # In a tuple it is no submodule: its draws stay on the CPU, where the generator is.
        self._kinematics = (kinematics,)

    def forward(self, batch: dict[str, Tensor], seed: int) -> tuple[Tensor, Losses]:
        """The weighted sum, and each loss by name. `seed` fixes every random draw."""
        g = torch.Generator().manual_seed(seed)
        if self.config.stage == "kinematic":
            size = self.model.config.input_size
            measurements, truth = draw_samples(self._kinematics[0], self.config.batch_size, size, g)
            device = next(self.model.parameters()).device
            measurements = EncoderOutput(*(part.to(device) for part in measurements))
            truth = {name: value.to(device) for name, value in truth.items()}
            context = self.model.context(measurements, None)
            everyone = torch.ones(len(context), device=device)
            losses = {"denoise": self.denoise(context, truth, everyone, g)}
        else:
            losses = self._image_losses(batch, g)
        weights = self.config.loss_weights
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, losses

    def _image_losses(self, batch: dict[str, Tensor], g: torch.Generator) -> Losses:
        frozen = self.config.stage == "denoiser"
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            encoding = encode(self.model.encoder, batch)
        losses: Losses = {} if frozen else encoder_losses(encoding, batch)
        if self.config.stage != "encoder":
            hide = bool(torch.rand((), generator=g) < self.config.hide_features)
            measurements: EncoderOutput = measure(encoding, batch["camera"])
            context = self.model.context(measurements, None if hide else encoding)
            losses["denoise"] = self.denoise(context, batch, batch["robot_found"], g)
        return losses

    def denoise(
        self, context: Tensor, truth: dict[str, Tensor], weight: Tensor, g: torch.Generator
    ) -> Tensor:
        """The denoiser's mean error over the images that `weight` (B,) counts."""
        return denoising_loss(self.model, context, truth, weight, self.config.noise_draws, g)


def denoising_loss(
    model: PoseModel, context: Tensor, truth: dict[str, Tensor], weight: Tensor, draws: int,
    g: torch.Generator,
) -> Tensor:  # fmt: skip
    """The denoiser's mean error over the images that `weight` (B,) counts."""
    spec = model.spec
    half = model.config.input_size / 2
    uv = ((truth["keypoints_2d"] - (half - 0.5)) / half).clamp(-STATE_RANGE, STATE_RANGE)
    scale_free = truth["log_depth"] - truth["log_depth"].mean(1, keepdim=True)
    x_0 = spec.normalise(
        {
            "joint_positions": truth["joint_positions"][..., None],
            "keypoints": torch.cat([uv, scale_free[..., None]], -1),
        }
    )
    mask = spec.mask().to(x_0.device)
    # Joint tokens are few: give all of them together the weight of all keypoint tokens.
    for tokens in spec.slices().values():
        mask[tokens] /= mask[tokens].sum()
    error = denoising_error(model, context, x_0, mask / 2, draws, g)
    mean: Tensor = (error * weight).sum() / weight.sum().clamp(min=1)
    return mean


def denoising_error(
    model: StateModel, context: Tensor, x_0: Tensor, weight: Tensor, draws: int, g: torch.Generator
) -> Tensor:
    """Weighted squared error (B,) of the denoiser (DDPM eq. 14, any prediction type).

    Args:
        context: (B, C, d).
        x_0: true states (B, T, D), normalised.
        weight: of every channel, broadcastable to (B, T, D).
        draws: noisy states per context; they share one image pass.
    """
    diffusion, regression = model.diffusion, model.config.denoiser.name in REGRESSIONS
    x_0 = x_0[:, None].expand(-1, 1 if regression else draws, -1, -1)
    noise = torch.randn(x_0.shape, generator=g, device=g.device).to(x_0.device)
    T = diffusion.config.num_train_timesteps
    t = torch.randint(0, T, x_0.shape[:2], generator=g, device=g.device).to(x_0.device)
    x_t = diffusion.add_noise(x_0, noise, t)
    output = model.denoiser(x_t, t, model.denoiser.prepare(context))
    target = x_0 if regression else diffusion.target(x_0, noise, t)
    squared: Tensor = (output - target) ** 2
    weight = weight[:, None] if weight.ndim == 3 else weight
    return (squared * weight).sum((-1, -2)).mean(1)


def encoder_losses(encoding: Encoding, batch: dict[str, Tensor]) -> Losses:
    """Losses of heatmaps, locations, their spread, depth, visibility and presence."""
    truth, visible = batch["keypoints_2d"], batch["keypoints_visible"]
    here = batch["in_crop"] * batch["robot_found"][:, None]
    # A keypoint behind the arm itself can be inferred; one behind something else barely.
    weight = here * torch.where(visible > 0, torch.where(visible > 1, 0.7, 1.0), 0.2)
    total = weight.sum().clamp(min=1)

    log_p = F.log_softmax(encoding.heatmap_logits.flatten(2), -1)
    cross_entropy = -(heatmap_targets(truth, encoding.heatmap_logits) * log_p).sum(-1)

    error = encoding.keypoints_2d - truth
    distance = F.smooth_l1_loss(encoding.keypoints_2d, truth, reduction="none", beta=1.0).mean(-1)
    size = encoding.heatmap_logits.shape[-1] * HEATMAP_STRIDE
    # Laplace likelihood of the error under the predicted spread; only the spread learns from it.
    size_of_error = error.detach().abs().mean(-1)
    log_std = encoding.keypoints_log_std
    spread = log_std + math.sqrt(2.0) * size_of_error * torch.exp(-log_std)

    seen = (visible > 0).float() * batch["robot_found"][:, None]
    count = seen.sum(1)
    present = (count >= MIN_KEYPOINTS_PRESENT).float()
    known = torch.maximum(present, 1 - batch["robot_found"])
    bce: Callable[..., Tensor] = F.binary_cross_entropy_with_logits
    losses = {
        "heatmap": (weight * cross_entropy).sum() / total,
        "coordinate": (weight * distance.clamp(max=0.15 * size)).sum() / total,
        "spread": (weight * spread).sum() / total,
        "seen": bce(encoding.keypoints_seen, seen),
        "presence": bce(encoding.presence, present, weight=known),
    }
    if "log_depth" in batch:
        # A Laplace likelihood, too; here the estimate itself learns from it.
        log_depth = batch["log_depth"] - batch["camera"][:, :1]
        off = (encoding.keypoints_log_depth - log_depth).abs()
        log_std = encoding.keypoints_log_depth_log_std
        depth = log_std + math.sqrt(2.0) * off * torch.exp(-log_std)
        losses["depth"] = (weight * depth).sum() / total
    return losses


def heatmap_targets(keypoints: Tensor, logits: Tensor) -> Tensor:
    """Normalised Gaussians (B, K, h * w) around keypoints (B, K, 2) [px of the input]."""
    _, _, h, w = logits.shape
    cells = (keypoints - (HEATMAP_STRIDE - 1) / 2) / HEATMAP_STRIDE
    x = torch.arange(w, device=logits.device)
    y = torch.arange(h, device=logits.device)
    gx = torch.exp(-0.5 * ((x - cells[..., 0:1]) / HEATMAP_SIGMA_CELLS) ** 2)
    gy = torch.exp(-0.5 * ((y - cells[..., 1:2]) / HEATMAP_SIGMA_CELLS) ** 2)
    target = (gy[..., :, None] * gx[..., None, :]).flatten(2)
    return target / target.sum(-1, keepdim=True).clamp(min=1e-6)
