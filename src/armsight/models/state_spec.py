"""Which tokens make up a state, and how physical values become tokens and back.

A state is a (T, D) array: T tokens of D channels, all about unit size. Groups of tokens have
their own meaning and may use fewer channels than D; the rest is padding, which the loss ignores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenGroup:
    """`count` tokens of `dim` channels; token = (value - offset) / scale.

    `offset` and `scale` hold count * dim numbers, or one number for all.
    """

    name: str
    count: int
    dim: int
    offset: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True)
class StateSpec:
    """The groups of a state, in order."""

    groups: tuple[TokenGroup, ...]

    @property
    def num_tokens(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def dim(self) -> int:
        return max(group.dim for group in self.groups)

    def slices(self) -> dict[str, slice]:
        """Group name -> its tokens."""
        result, start = {}, 0
        for group in self.groups:
            result[group.name] = slice(start, start + group.count)
            start += group.count
        return result

    def mask(self) -> Tensor:
        """(T, D), 1 where a channel means something."""
        mask = torch.zeros(self.num_tokens, self.dim)
        for group, tokens in zip(self.groups, self.slices().values(), strict=True):
            mask[tokens, : group.dim] = 1.0
        return mask

    def normalise(self, values: dict[str, Tensor]) -> Tensor:
        """Physical values {group: (..., count, dim)} to tokens (..., T, D)."""
        parts = []
        for group in self.groups:
            offset, scale = _constants(group, values[group.name])
            token = (values[group.name] - offset) / scale
            parts.append(torch.nn.functional.pad(token, (0, self.dim - group.dim)))
        return torch.cat(parts, -2)

    def denormalise(self, tokens: Tensor) -> dict[str, Tensor]:
        """Tokens (..., T, D) to physical values {group: (..., count, dim)}."""
        values = {}
        for group, where in zip(self.groups, self.slices().values(), strict=True):
            part = tokens[..., where, : group.dim]
            offset, scale = _constants(group, part)
            values[group.name] = part * scale + offset
        return values

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(group) for group in self.groups]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> StateSpec:
        return cls(
            tuple(
                TokenGroup(g["name"], g["count"], g["dim"], tuple(g["offset"]), tuple(g["scale"]))
                for g in data
            )
        )


def _constants(group: TokenGroup, like: Tensor) -> tuple[Tensor, Tensor]:
    shape = (group.count, group.dim)
    offset = torch.tensor(group.offset, dtype=like.dtype, device=like.device)
    scale = torch.tensor(group.scale, dtype=like.dtype, device=like.device)
    return offset.expand(shape) if offset.numel() == 1 else offset.reshape(shape), (
        scale.expand(shape) if scale.numel() == 1 else scale.reshape(shape)
    )


LOG_DEPTH_SCALE = 0.25
"""Typical spread of log depth over an arm, relative to its geometric mean."""


def pose_spec(joint_limits: list[list[float]], num_keypoints: int) -> StateSpec:
    """One token per joint (angle), one per keypoint (u, v, log relative depth).

    Angles [rad] are scaled by their limits to [-1, 1]. (u, v) are in units of half the input
    image, 0 at its centre. Depth is scale-free: log z minus its mean over all keypoints.
    """
    middle = tuple((lo + hi) / 2 for lo, hi in joint_limits)
    half = tuple((hi - lo) / 2 for lo, hi in joint_limits)
    keypoint_scale = (0.5, 0.5, LOG_DEPTH_SCALE) * num_keypoints
    return StateSpec(
        (
            TokenGroup("joint_positions", len(joint_limits), 1, middle, half),
            TokenGroup("keypoints", num_keypoints, 3, (0.0,), keypoint_scale),
        )
    )
