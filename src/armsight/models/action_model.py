"""The action model: two keyframes in, every control step between them out.

1. Each keyframe passes the pose model's encoder once, however many pairs it belongs to.
2. A pair's context: the keypoint and coarse tokens of both frames, and one token for the stride.
3. A state is one token per control step, from the first keyframe to the last, both included:
   the action and the state of the robot at that step, as the `ActionSpec` lists them.
4. The denoisers, the diffusion and the sampler are those of the pose model.
5. Pairs of stride s use the first s + 1 tokens; the others are not trained and mean nothing.
6. Several cameras: each keyframe has a picture from each; a camera that is not there has no tokens
   but its own embedding. Where no keypoints of the robot are known, the encoder's are free: they
   learn from the actions alone where to look (a spatial softmax, Finn et al. 2016).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from armsight.action_spec import ActionSpec, libero_object_spec
from armsight.models.encoder import Encoding
from armsight.models.lite0 import TAPS
from armsight.models.state_model import StateModel, StateModelConfig, measure
from armsight.models.state_spec import StateSpec, TokenGroup


@dataclass(frozen=True, kw_only=True)
class ActionModelConfig(StateModelConfig):
    """An action model of one data set or suite of tasks."""

    kind: ClassVar[str] = "actions"
    action_spec: ActionSpec
    max_stride: int
    free_keypoints: bool = False
    """Nobody says where the keypoints are: they learn from the actions"""

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "action_spec": asdict(self.action_spec)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        data = dict(data)
        if "action_spec" in data:
            data["action_spec"] = ActionSpec.from_json(data["action_spec"])
        else:  # checkpoints from before there was a specification are of LIBERO
            suite, rate = data.pop("suite"), data.pop("control_hz")
            spec = libero_object_spec(suite, data["robot"], rate)
            data["action_spec"] = spec.with_statistics(
                data.pop("step_offset"), data.pop("step_scale")
            )
        return super().from_json(data)

    @property
    def state_spec(self) -> StateSpec:
        count, channels = self.max_stride + 1, self.action_spec.channels
        offset = tuple(one.offset for one in channels) * count
        scale = tuple(one.scale for one in channels) * count
        return StateSpec((TokenGroup("steps", count, len(channels), offset, scale),))

    @property
    def num_cameras(self) -> int:
        """Pictures of each keyframe."""
        return max(1, len(self.action_spec.cameras))

    @property
    def num_fixed_tokens(self) -> int:
        return 2 * self.num_cameras * len(self.keypoint_names) + 1


class ActionNetwork(StateModel):
    """See the module's docstring."""

    config: ActionModelConfig
    usual_mean: Tensor
    usual_scale: Tensor
    usual_limit: Tensor

    def __init__(self, config: ActionModelConfig) -> None:
        super().__init__(config)
        d = config.denoiser.width
        self.frame_embedding = nn.Parameter(0.02 * torch.randn(2, d))
        self.stride_embedding = nn.Embedding(config.max_stride + 1, d)
        if config.num_cameras > 1:
            self.camera_embedding = nn.Parameter(0.02 * torch.randn(config.num_cameras, d))
        if config.free_keypoints:  # how its pictures usually look, see `presence`
            C, channels = config.num_cameras, list(TAPS.values())[-1]
            self.register_buffer("usual_mean", torch.zeros(C, channels))
            self.register_buffer("usual_scale", torch.ones(C, channels))
            self.register_buffer("usual_limit", torch.full((C,), 1e6))

    def presence(self, encoding: Encoding) -> Tensor:
        """(N cameras,) logit that a picture shows the robot, or a scene such as training's.

        Without labelled pictures there is nothing but what is usual: a logit of 0 where the pooled
        features are as far from their mean as `usual_limit` allows.
        """
        if not self.config.free_keypoints:
            return encoding.presence
        C = self.config.num_cameras
        pooled = encoding.coarse_features.mean(1).reshape(-1, C, self.usual_mean.shape[1])
        distance = (((pooled - self.usual_mean) / self.usual_scale) ** 2).mean(-1)
        logit: Tensor = 5 * (1 - distance / self.usual_limit)
        return logit.flatten()

    def context(
        self, encoding: Encoding, pairs: Tensor, stride: Tensor, seen: Tensor | None = None
    ) -> Tensor:
        """Context tokens (P, C, d) of P pairs.

        Args:
            encoding: of N keyframes; with several cameras, of N times that many pictures, those of
                a keyframe side by side.
            pairs: (P, 2) int64, each pair's first and last keyframe.
            stride: (P,) control steps between them, 1 to max_stride.
            seen: (N, cameras) 1 where a camera's picture is there; everywhere by default.
        """
        # A fixed camera: what there is to know about it, training has seen.
        camera = torch.zeros(len(encoding.keypoints_2d), 4, device=pairs.device)
        measured = measure(encoding, camera)
        if self.config.free_keypoints:  # places are learnt from the actions alone
            measured = measured._replace(keypoints_2d=encoding.keypoints_2d)
        keypoints = self.of_cameras(self.keypoint_tokens(measured, encoding), seen)
        coarse = self.of_cameras(self.coarse_tokens(encoding), seen)
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

    def of_cameras(self, tokens: Tensor, seen: Tensor | None) -> Tensor:
        """Tokens (N cameras, K, d) of pictures as those of keyframes (N, cameras K, d)."""
        count = self.config.num_cameras
        if count == 1:
            return tokens
        K, d = tokens.shape[1:]
        tokens = tokens.reshape(-1, count, K, d)
        if seen is not None:
            tokens = tokens * seen[:, :, None, None]
        return (tokens + self.camera_embedding[:, None]).flatten(1, 2)


def split_steps(steps: Tensor, spec: ActionSpec) -> dict[str, Tensor]:
    """Step tokens in physical units (..., T, channels) as the named parts of `spec.outputs`.

    Returns:
        actions (..., T, A), kept within their range, and each part (..., T, *part.shape);
        rotations are orthonormal.
    """
    low = torch.tensor([one.low for one in spec.actions], device=steps.device)
    high = torch.tensor([one.high for one in spec.actions], device=steps.device)
    start = spec.num_actions
    parts = {"actions": torch.minimum(torch.maximum(steps[..., :start], low), high)}
    for part in spec.parts:
        values = steps[..., start : start + part.size]
        if part.rotation:
            values = rotation_from_columns(values)
        elif part.scalar:
            values = values[..., 0]
        parts[part.name] = values
        start += part.size
    return parts


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
