"""The losses of several robots behind one backbone, added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from armsight.models.encoder import Encoding
from armsight.models.lite0 import FeatureMaps
from armsight.models.pose_model import PoseModel
from armsight.models.shared_model import SharedPoseModel
from armsight.models.state_model import measure
from armsight.train.config import TrainConfig
from armsight.train.pose.batches import Batch
from armsight.train.pose.objective import Losses, denoising_loss, encoder_losses

SHOWN = "coordinate"
"""The loss that is told for each robot: how many pixels its keypoints are off."""


class PoolObjective(nn.Module):
    """The model and its losses as one module; a batch holds rows of each robot, by name."""

    def __init__(self, model: SharedPoseModel, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: dict[str, Batch], seed: int) -> tuple[Tensor, Losses]:
        """The weighted sum, and each loss by name. `seed` fixes every random draw."""
        names = list(batch)
        counts = [len(batch[name]["image"]) for name in names]
        images = torch.cat([batch[name]["image"].float() for name in names])
        g = torch.Generator(images.device).manual_seed(seed)
        maps = self.model.backbone(images.contiguous(memory_format=torch.channels_last))
        coarse = maps.stride32.float().mean((2, 3))
        sums: Losses = {}
        shown: Losses = {}
        start = 0
        for name, count in zip(names, counts, strict=True):
            robot, rows = self.model.robot(name), slice(start, start + count)
            encoding = robot.encoder.read(FeatureMaps(*(one[rows] for one in maps)))
            losses = encoder_losses(encoding, batch[name])
            others = torch.cat([coarse[: rows.start], coarse[rows.stop :]])
            if len(others):
                # Another robot's pictures do not show this one.
                logits = robot.encoder.presence(others)[:, 0]
                absent = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
                losses["presence"] = losses["presence"] + absent
            if self.config.stage == "joint":
                losses["denoise"] = self._denoise(robot, encoding, batch[name], g)
            shown[f"{name}_{SHOWN}"] = losses[SHOWN].detach()
            for loss, value in losses.items():
                sums[loss] = sums.get(loss, 0) + value * (count / sum(counts))
            start += count
        weights = self.config.loss_weights
        total = torch.stack([weights[loss] * value for loss, value in sums.items()]).sum()
        return total, {**sums, **shown}

    def _denoise(
        self, robot: PoseModel, encoding: Encoding, batch: Batch, g: torch.Generator
    ) -> Tensor:
        # The shared features are learned from what can be seen; a denoiser takes them as they are.
        cut_off = Encoding(*(part.detach() for part in encoding))
        with torch.autocast(g.device.type, enabled=False):  # positions need their digits
            context = robot.context(measure(cut_off, batch["camera"]), cut_off)
            found = batch["robot_found"]
            return denoising_loss(robot, context, batch, found, self.config.noise_draws, g)
