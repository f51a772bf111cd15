"""The action model: two keyframes in, every control step between them out.

1. Each keyframe passes the pose model's encoder once, however many pairs it belongs to.
2. A pair's context: the keypoint and coarse tokens of both frames, and one token for the stride.
3. A state is one token per control step, from the first keyframe to the last, both included:
   the action, and the end effector's pose and the gripper's opening at that step.
4. The denoisers, the diffusion and the sampler are those of the pose model.
5. Pairs of stride s use the first s + 1 tokens; the others are not trained and mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from armsight.models.encoder import Encoding
from armsight.models.state_model import StateModel, StateModelConfig, measure
from armsight.models.state_spec import StateSpec, TokenGroup

ACTION_CHANNELS = 7
"""OSC_POSE: translation, rotation vector, gripper; the suite's own units in [-1, 1]."""
STEP_CHANNELS = ACTION_CHANNELS + 3 + 6 + 1
"""... the end effector's position [m], two columns of its rotation, the gripper's opening [m]."""


@dataclass(frozen=True, kw_only=True)
class ActionModelConfig(StateModelConfig):
    """An action model of one suite of tasks."""

    kind: ClassVar[str] = "actions"
    suite: str
    control_hz: float
    max_stride: int
    step_offset: tuple[float, ...]
    """(STEP_CHANNELS,) means over the training set"""
    step_scale: tuple[float, ...]
    """(STEP_CHANNELS,) standard deviations over the training set"""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        offset, scale = tuple(data["step_offset"]), tuple(data["step_scale"])
        return super().from_json({**data, "step_offset": offset, "step_scale": scale})

    @property
    def state_spec(self) -> StateSpec:
        count = self.max_stride + 1
        offset, scale = self.step_offset * count, self.step_scale * count
        return StateSpec((TokenGroup("steps", count, STEP_CHANNELS, offset, scale),))

    @property
    def num_fixed_tokens(self) -> int:
        return 2 * len(self.keypoint_names) + 1


class ActionNetwork(StateModel):
    """See the module's docstring."""

    config: ActionModelConfig

    def __init__(self, config: ActionModelConfig) -> None:
        super().__init__(config)
        d = config.denoiser.width
        self.frame_embedding = nn.Parameter(0.02 * torch.randn(2, d))
        self.stride_embedding = nn.Embedding(config.max_stride + 1, d)

    def context(self, encoding: Encoding, pairs: Tensor, stride: Tensor) -> Tensor:
        """Context tokens (P, C, d) of P pairs.

        Args:
            encoding: of N keyframes.
            pairs: (P, 2) int64, each pair's first and last keyframe.
            stride: (P,) control steps between them, 1 to max_stride.
        """
        # A fixed camera: what there is to know about it, training has seen.
        camera = torch.zeros(len(encoding.keypoints_2d), 4, device=pairs.device)
        keypoints = self.keypoint_tokens(measure(encoding, camera), encoding)
        coarse = self.coarse_tokens(encoding)
        first, last = pairs.unbind(1)
        stride_token = self.stride_embedding(stride.long().clamp(0, self.config.max_stride))
        return torch.cat(
            [
                keypoints[first] + self.frame_embedding[0],
                keypoints[last] + self.frame_embedding[1],
                stride_token[:, None],
                coarse[first] + self.frame_embedding[0],
                coarse[last] + self.frame_embedding[1],
            ],
            1,
        )


def split_steps(steps: Tensor) -> dict[str, Tensor]:
    """Step tokens in physical units (..., T, STEP_CHANNELS) as named parts.

    Returns:
        actions (..., T, 7), ee_position (..., T, 3) [m], ee_rotation (..., T, 3, 3) orthonormal,
        gripper_opening (..., T) [m].
    """
    a = ACTION_CHANNELS
    return {
        "actions": steps[..., :a].clamp(-1, 1),
        "ee_position": steps[..., a : a + 3],
        "ee_rotation": rotation_from_columns(steps[..., a + 3 : a + 9]),
        "gripper_opening": steps[..., a + 9],
    }


def rotation_from_columns(columns: Tensor) -> Tensor:
    """(..., 6) to rotation matrices (..., 3, 3): Gram-Schmidt (Zhou et al. 2019, eq. 15)."""
    a, b = columns[..., :3], columns[..., 3:]
    x = a / (a * a).sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    b = b - (x * b).sum(-1, keepdim=True) * x
    y = b / (b * b).sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    z = torch.stack(
        [
            x[..., 1] * y[..., 2] - x[..., 2] * y[..., 1],
            x[..., 2] * y[..., 0] - x[..., 0] * y[..., 2],
            x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0],
        ],
        -1,
    )
    return torch.stack([x, y, z], -1)
