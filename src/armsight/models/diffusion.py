"""Denoising diffusion: the noise schedule, training targets, and DDPM and DDIM sampling.

Symbols as in Ho et al. 2020 (DDPM) and Song et al. 2021 (DDIM): x_0 clean state, x_t noisy state,
alpha_bar_t = prod (1 - beta_s), epsilon the noise. Steps are 0-based, so x_t with t = T - 1 is
the noisiest. The schedules are those of diffusers (`linear`, `squaredcos_cap_v2`), the oracle of
our tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from armsight.errors import ConfigError

PREDICTION_TYPES = ("epsilon", "sample", "v_prediction")
SCHEDULES = ("squaredcos_cap_v2", "linear")

Denoise = Callable[[Tensor, int], Tensor]
"""(x_t, t) -> the model's output, in the terms of its prediction type."""


@dataclass(frozen=True)
class DiffusionConfig:
    num_train_timesteps: int = 100
    beta_schedule: str = "squaredcos_cap_v2"
    prediction_type: str = "sample"
    clip_sample_range: float = 4.0
    """The predicted x_0 is kept within this many units during sampling."""

    def __post_init__(self) -> None:
        for value, valid in (
            (self.prediction_type, PREDICTION_TYPES),
            (self.beta_schedule, SCHEDULES),
        ):
            if value not in valid:
                raise ConfigError(f"unknown diffusion setting {value!r}; choose one of {valid}")


class Diffusion:
    """The fixed part of a diffusion model: everything but the network."""

    def __init__(self, config: DiffusionConfig) -> None:
        self.config = config
        T = config.num_train_timesteps
        if config.beta_schedule == "linear":
            betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
        else:
            bar = [math.cos((i / T + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(T + 1)]
            betas = torch.tensor(
                [min(1 - bar[i + 1] / bar[i], 0.999) for i in range(T)], dtype=torch.float64
            )
        self.alphas_cumprod = torch.cumprod(1 - betas, 0)

    def add_noise(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon (DDPM eq. 4)."""
        bar = self._bar(t, x_0)
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise

    def target(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network is trained to say, by prediction type."""
        if self.config.prediction_type == "epsilon":
            return noise
        if self.config.prediction_type == "sample":
            return x_0
        bar = self._bar(t, x_0)
        return bar.sqrt() * noise - (1 - bar).sqrt() * x_0

    def timesteps(self, num_inference_steps: int) -> list[int]:
        """The visited steps, noisiest first, always from T - 1 ('trailing' spacing)."""
        T = self.config.num_train_timesteps
        if not 1 <= num_inference_steps <= T:
            raise ConfigError(f"num_inference_steps must be 1 to {T}, not {num_inference_steps}")
        return [round(T - i * T / num_inference_steps) - 1 for i in range(num_inference_steps)]

    def predict_clean(self, output: Tensor, x_t: Tensor, t: int) -> Tensor:
        """The x_0 that the network's output implies, clipped."""
        bar = float(self.alphas_cumprod[t])
        a, s = math.sqrt(bar), math.sqrt(1 - bar)
        if self.config.prediction_type == "epsilon":
            x_0 = (x_t - s * output) / a
        elif self.config.prediction_type == "sample":
            x_0 = output
        else:
            x_0 = a * x_t - s * output
        limit = self.config.clip_sample_range
        return x_0.clamp(-limit, limit)

    def ddim_step(self, output: Tensor, x_t: Tensor, t: int, t_previous: int) -> Tensor:
        """One deterministic step to t_previous, -1 for the clean state (DDIM eq. 12, sigma = 0)."""
        x_0 = self.predict_clean(output, x_t, t)
        if t_previous < 0:
            return x_0
        bar, bar_prev = float(self.alphas_cumprod[t]), float(self.alphas_cumprod[t_previous])
        epsilon = (x_t - math.sqrt(bar) * x_0) / math.sqrt(1 - bar)
        return math.sqrt(bar_prev) * x_0 + math.sqrt(1 - bar_prev) * epsilon

    def ddpm_step(
        self, output: Tensor, x_t: Tensor, t: int, t_previous: int, noise: Tensor
    ) -> Tensor:
        """One ancestral step (DDPM eq. 7) with the variance fixed at beta_t, as PoseDiff has it."""
        x_0 = self.predict_clean(output, x_t, t)
        if t_previous < 0:
            return x_0
        bar, bar_prev = float(self.alphas_cumprod[t]), float(self.alphas_cumprod[t_previous])
        alpha = bar / bar_prev
        beta = 1 - alpha
        mean = (math.sqrt(bar_prev) * beta * x_0 + math.sqrt(alpha) * (1 - bar_prev) * x_t) / (
            1 - bar
        )
        return mean + math.sqrt(beta) * noise

    def sample(
        self,
        denoise: Denoise,
        noise: Tensor,
        num_inference_steps: int,
        generator: torch.Generator | None = None,
        sampler: str = "ddim",
    ) -> Tensor:
        """Turn unit noise into a clean state by DDIM, or by DDPM with fresh noise at each step."""
        x = noise
        steps = self.timesteps(num_inference_steps)
        for t, t_previous in zip(steps, [*steps[1:], -1], strict=True):
            output = denoise(x, t)
            if sampler == "ddim":
                x = self.ddim_step(output, x, t, t_previous)
            else:
                fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
                x = self.ddpm_step(output, x, t, t_previous, fresh)
        return x

    def _bar(self, t: Tensor, like: Tensor) -> Tensor:
        bar = self.alphas_cumprod.to(like.device)[t].to(like.dtype)
        return bar.reshape(*t.shape, *[1] * (like.ndim - t.ndim))
