"""Networks with one interface: noisy state tokens + step + context -> output tokens.

`transformer`     self-attention over state tokens, cross-attention to the context, steps by adaLN
`mlp`             residual blocks over the whole state as one vector; twenty times as fast
`film`            PoseDiff's: condition -> scale, bias; out = Conv2(Conv1(h) + (scale * h + bias))
`regression`      the transformer without noise and step: learned queries in place of the state
`mlp_regression`  the mlp without noise and step

Work that does not depend on the noise (keys, values, condition vectors) is done once per image in
`prepare`, so that many hypotheses and steps share it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from armsight.errors import ConfigError

DENOISERS = ("transformer", "mlp", "film", "regression", "mlp_regression")
REGRESSIONS = ("regression", "mlp_regression")


@dataclass(frozen=True)
class DenoiserConfig:
    name: str = "transformer"
    width: int = 128
    depth: int = 4
    num_heads: int = 4
    mlp_ratio: float = 3.0

    def __post_init__(self) -> None:
        if self.name not in DENOISERS:
            raise ConfigError(f"unknown denoiser {self.name!r}; choose one of {DENOISERS}")


def step_embedding(t: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding (..., width) of diffusion steps (...)."""
    half = width // 2
    rates = torch.exp(
        -math.log(10_000) * torch.arange(half, dtype=torch.float32, device=t.device) / half
    )
    angles = t.float()[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


class TransformerLayer(nn.Module):
    """adaLN-modulated self-attention, cross-attention and MLP (DiT, Peebles & Xie 2023)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        d, hidden = config.width, int(config.width * config.mlp_ratio)
        self.num_heads = config.num_heads
        self.norms = nn.ModuleList(nn.LayerNorm(d, elementwise_affine=False) for _ in range(3))
        self.qkv = nn.Linear(d, 3 * d)
        self.self_out = nn.Linear(d, d)
        self.query = nn.Linear(d, d)
        self.key_value = nn.Linear(d, 2 * d)
        self.cross_out = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, hidden), nn.GELU(approximate="tanh"),
                                 nn.Linear(hidden, d))  # fmt: skip
        self.modulation = nn.Linear(d, 9 * d)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def context_keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, C, d/heads) of the context tokens (B, C, d)."""
        k, v = self.key_value(context).chunk(2, -1)
        return self._heads(k), self._heads(v)

    def forward(self, x: Tensor, condition: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, H, T, d), condition (B or 1, H or 1, 1, d), keys from `context_keys`."""
        B, H, T, d = x.shape
        shift1, scale1, gate1, shift2, scale2, gate2, shift3, scale3, gate3 = self.modulation(
            condition
        ).chunk(9, -1)
        y = self.norms[0](x) * (1 + scale1) + shift1
        q, k, v = self.qkv(y.reshape(B * H, T, d)).chunk(3, -1)
        y = attend(self._heads(q), self._heads(k), self._heads(v)).reshape(B, H, T, d)
        x = x + (1 + gate1) * self.self_out(y)
        y = self.norms[1](x) * (1 + scale2) + shift2
        # All hypotheses of an image query the same keys: fold them into the query axis.
        y = attend(self._heads(self.query(y).reshape(B, H * T, d)), *keys).reshape(B, H, T, d)
        x = x + (1 + gate2) * self.cross_out(y)
        y = self.norms[2](x) * (1 + scale3) + shift3
        out: Tensor = x + (1 + gate3) * self.mlp(y)
        return out

    def _heads(self, x: Tensor) -> Tensor:
        heads = x.reshape(*x.shape[:-1], self.num_heads, -1)
        return heads.transpose(-3, -2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention over (B, heads, N, d) with the heads joined again: (B, N, heads * d)."""
    out = nn.functional.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).flatten(2)


class TransformerDenoiser(nn.Module):
    """`transformer`, and `regression` when `ignore_noise` is set."""

    def __init__(
        self, config: DenoiserConfig, num_tokens: int, dim: int, ignore_noise: bool
    ) -> None:
        super().__init__()
        d = config.width
        self.config, self.ignore_noise = config, ignore_noise
        self.token_in = nn.Linear(dim, d)
        self.token_embedding = nn.Parameter(0.02 * torch.randn(num_tokens, d))
        self.step_mlp = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d), nn.SiLU())
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.depth))
        self.norm_out = nn.LayerNorm(d)
        # One output matrix per token: each joint and keypoint reads its own channels.
        self.out_weight = nn.Parameter(torch.zeros(num_tokens, d, dim))
        self.out_bias = nn.Parameter(torch.zeros(num_tokens, dim))

    def prepare(self, context: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [layer.context_keys(context) for layer in self.layers]  # type: ignore[operator]

    def forward(self, x_t: Tensor, t: Tensor, prepared: list[tuple[Tensor, Tensor]]) -> Tensor:
        """x_t (B, H, T, D), t broadcastable to (B, H), prepared context -> (B, H, T, D)."""
        x = self.token_embedding.expand(*x_t.shape[:3], -1)
        if self.ignore_noise:
            t = torch.zeros_like(t)
        else:
            x = x + self.token_in(x_t)
        condition = self.step_mlp(step_embedding(t, self.config.width))[..., None, :]
        for layer, keys in zip(self.layers, prepared, strict=True):
            x = layer(x, condition, keys)
        x = self.norm_out(x)
        out: Tensor = (x[..., None, :] @ self.out_weight)[..., 0, :] + self.out_bias
        return out


class FilmDenoiser(nn.Module):
    """PoseDiff's denoiser as its figure draws it, with 1-d convolutions along the tokens.

    Its image feature is one vector: the mean of the coarse context tokens beside a compressed
    copy of each of the `num_fixed` leading ones (keypoints and camera).
    """

    compressed = 16

    def __init__(self, config: DenoiserConfig, num_tokens: int, dim: int, num_fixed: int) -> None:
        super().__init__()
        d, wide = config.width, 4 * config.width
        self.config, self.num_fixed = config, num_fixed
        self.compress = nn.Linear(d, self.compressed)
        self.condition = nn.Sequential(
            nn.Linear(2 * d + num_fixed * self.compressed, wide), nn.SiLU(),
            nn.Linear(wide, wide), nn.SiLU(),
        )  # fmt: skip
        self.scale_bias = nn.Linear(wide, 2 * d)
        self.token_embedding = nn.Parameter(0.02 * torch.randn(num_tokens, d))
        self.encode = nn.Linear(dim, d)
        self.conv1 = nn.Conv1d(d, d, 3, padding=1)
        self.conv2 = nn.Conv1d(d, dim, 3, padding=1)

    def prepare(self, context: Tensor) -> Tensor:
        """The image feature (B, d + num_fixed * compressed) of context tokens (B, C, d)."""
        fixed = self.compress(context[:, : self.num_fixed]).flatten(1)
        return torch.cat([context.mean(1), fixed], -1)

    def forward(self, x_t: Tensor, t: Tensor, prepared: Tensor) -> Tensor:
        B, H, T, _ = x_t.shape
        steps = step_embedding(t, self.config.width).expand(B, H, -1)
        image = prepared[:, None].expand(B, H, -1)
        condition = self.condition(torch.cat([image, steps], -1))
        scale, bias = self.scale_bias(condition).flatten(0, 1)[..., None].chunk(2, 1)
        h = (self.encode(x_t) + self.token_embedding).flatten(0, 1).transpose(1, 2)
        y = nn.functional.silu(self.conv1(h) + (scale * h + bias))
        out: Tensor = self.conv2(y).transpose(1, 2).reshape(B, H, T, -1)
        return out


class MlpBlock(nn.Module):
    """Residual block whose normalised input the condition scales and shifts."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.wide = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        for layer in (self.modulation, self.narrow):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition).chunk(2, -1)
        y = self.norm(x) * (1 + scale) + shift
        out: Tensor = x + self.narrow(nn.functional.silu(self.wide(y)))
        return out


class MlpDenoiser(nn.Module):
    """`mlp`, and `mlp_regression` when `ignore_noise` is set.

    The `num_fixed` leading context tokens (keypoints, camera, stride) each pass a small matrix of
    their own; of all together, whose number may vary, the mean is taken besides.
    """

    compressed = 24
    width_factor = 3
    """A vector that holds a whole state must be wider than a token."""

    def __init__(
        self, config: DenoiserConfig, num_tokens: int, dim: int, num_fixed: int, ignore_noise: bool
    ) -> None:
        super().__init__()
        d, wide = config.width, self.width_factor * config.width
        self.config, self.num_fixed, self.ignore_noise = config, num_fixed, ignore_noise
        self.compress = nn.Parameter(torch.randn(num_fixed, d, self.compressed) / math.sqrt(d))
        self.image_in = nn.Linear(num_fixed * self.compressed + d, wide)
        self.step_mlp = nn.Sequential(nn.Linear(d, wide), nn.SiLU(), nn.Linear(wide, wide))
        self.state_in = nn.Linear(num_tokens * dim, wide)
        hidden = int(wide * config.mlp_ratio)
        self.blocks = nn.ModuleList(MlpBlock(wide, hidden) for _ in range(config.depth))
        self.norm_out = nn.LayerNorm(wide)
        self.out = nn.Linear(wide, num_tokens * dim)

    def prepare(self, context: Tensor) -> Tensor:
        """The image's vector (B, 3 d) of context tokens (B, C, d)."""
        fixed = (context[:, : self.num_fixed, None] @ self.compress)[..., 0, :].flatten(1)
        image: Tensor = self.image_in(torch.cat([fixed, context.mean(1)], -1))
        return image

    def forward(self, x_t: Tensor, t: Tensor, prepared: Tensor) -> Tensor:
        B, H, T, D = x_t.shape
        x = prepared[:, None].expand(B, H, -1)
        if self.ignore_noise:
            t = torch.zeros_like(t)
        else:
            x = x + self.state_in(x_t.flatten(2))
        steps = self.step_mlp(step_embedding(t, self.config.width))
        condition = nn.functional.silu(prepared[:, None] + steps)
        for block in self.blocks:
            x = block(x, condition)
        out: Tensor = self.out(self.norm_out(x)).reshape(B, H, T, D)
        return out


def make_denoiser(config: DenoiserConfig, num_tokens: int, dim: int, num_fixed: int) -> Any:
    """The denoiser that the config names, for states of (num_tokens, dim).

    `num_fixed` context tokens lead and have a fixed place; any number of others may follow.
    """
    if config.name == "film":
        return FilmDenoiser(config, num_tokens, dim, num_fixed)
    if config.name in ("mlp", "mlp_regression"):
        return MlpDenoiser(config, num_tokens, dim, num_fixed, config.name in REGRESSIONS)
    return TransformerDenoiser(config, num_tokens, dim, config.name in REGRESSIONS)
