"""AdamW with its parameter groups, its learning-rate schedule, and its state as named tensors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from armsight.train.config import TrainConfig


def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over the parameters that the stage trains; no decay on vectors and embeddings."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        encoder = name.startswith(("encoder.", "backbone.")) or ".encoder." in name
        if encoder and config.stage in ("denoiser", "kinematic"):
            parameter.requires_grad_(False)
            continue
        if not encoder and config.stage == "encoder":
            parameter.requires_grad_(False)
            continue
        if not parameter.requires_grad:
            continue
        decays = parameter.ndim > 1 and "embedding" not in name
        groups.setdefault((encoder, decays), []).append(parameter)
    rate = config.learning_rate
    settings = [
        {
            "params": parameters,
            "weight_decay": config.weight_decay if decays else 0.0,
            "lr": rate * (config.encoder_learning_rate_scale if encoder else 1.0),
            "base_lr": rate * (config.encoder_learning_rate_scale if encoder else 1.0),
        }
        for (encoder, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(settings, betas=(0.9, 0.98))


def learning_rate_fraction(step: int, config: TrainConfig, elapsed_s: float = 0.0) -> float:
    """Linear warm-up, then half a cosine down to the final fraction.

    Args:
        elapsed_s: how long the run has trained; counts where it has a time limit.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    if config.time_limit:
        progress = max(progress, elapsed_s / config.time_limit)
    if warm < 1:
        return warm
    low = config.final_learning_rate_fraction
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))


def optimiser_tensors(optimiser: Any, model: nn.Module) -> dict[str, Tensor]:
    """The moments of AdamW by parameter name."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            if key != "step":
                tensors[f"{name}|{key}"] = value.detach()
    return tensors


def restore_optimiser(
    optimiser: torch.optim.AdamW, model: nn.Module, tensors: dict[str, Tensor], step: int
) -> None:
    """Put moments saved by `optimiser_tensors` back."""
    for name, parameter in model.named_parameters():
        if f"{name}|exp_avg" in tensors:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": tensors[f"{name}|exp_avg"].clone(),
                "exp_avg_sq": tensors[f"{name}|exp_avg_sq"].clone(),
            }
