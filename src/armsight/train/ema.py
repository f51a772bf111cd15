"""Exponential moving average of weights: what is evaluated and shipped."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class Ema:
    """Averages of all floating-point tensors of a model; integers are copied."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = {k: v.clone() for k, v in tensors.items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model; slowly only once `step` is large enough to have a past."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for name, value in model.state_dict().items():
            average = self.tensors[name]
            if average.device != value.device:
                average = self.tensors[name] = average.to(value.device)
            if value.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        # One call for all: a GPU would wait for each of hundreds of small ones.
        torch._foreach_lerp_(averages, values, 1 - decay)

    def apply_to(self, model: Model) -> Model:
        """A copy of the model with the averaged weights, in evaluation mode."""
        averaged = copy.deepcopy(model)
        averaged.load_state_dict(self.tensors)
        return averaged.eval()
