"""What every model of the family shares: encoder, context tokens, denoiser and sampler.

A model of the family says which tokens make up its state (a `StateSpec`) and how image tokens
become its context; it is a pose model (pose_model.py) or an action model (action_model.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from armsight.models.denoisers import REGRESSIONS, DenoiserConfig, make_denoiser
from armsight.models.diffusion import Diffusion, DiffusionConfig
from armsight.models.encoder import Encoder, EncoderConfig, Encoding
from armsight.models.lite0 import TAPS
from armsight.models.state_spec import StateSpec


@dataclass(frozen=True, kw_only=True)
class StateModelConfig:
    """Everything that is needed to build the network; stored beside its weights."""

    kind: ClassVar[str]
    robot: str
    keypoint_names: tuple[str, ...]
    input_size: int = 192
    head_channels: int = 96
    feature_channels: int = 64
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)

    @property
    def state_spec(self) -> StateSpec:
        raise NotImplementedError

    @property
    def num_fixed_tokens(self) -> int:
        """How many context tokens lead and have a fixed place."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        data = {name: value for name, value in data.items() if name != "kind"}
        data["denoiser"] = DenoiserConfig(**data["denoiser"])
        data["diffusion"] = DiffusionConfig(**data["diffusion"])
        data["keypoint_names"] = tuple(data["keypoint_names"])
        return cls(**data)


class EncoderOutput(NamedTuple):
    """Keypoints as seen in an image, and the camera: all that geometry has to say.

    The denoiser can be trained on these alone, drawn from kinematics (train/pose/kinematic.py).
    """

    keypoints_2d: Tensor
    """(B, K, 2) [px of the network's input]"""
    keypoints_log_std: Tensor
    """(B, K)"""
    keypoints_seen: Tensor
    """(B, K) logit"""
    camera: Tensor
    """(B, 4): log(fx / S), log(fy / S), (cx - (S - 1) / 2) / S, (cy - (S - 1) / 2) / S"""


def measure(encoding: Encoding, camera: Tensor) -> EncoderOutput:
    """The encoder's keypoints as the context's measurements, cut off from its gradient.

    The denoiser must take the keypoints as they are, not move them to its liking.
    """
    return EncoderOutput(
        encoding.keypoints_2d.detach(),
        encoding.keypoints_log_std.detach(),
        encoding.keypoints_seen.detach(),
        camera,
    )


class StateModel(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: StateModelConfig, *, own_backbone: bool = True) -> None:
        super().__init__()
        self.config, self.spec = config, config.state_spec
        K, d = len(config.keypoint_names), config.denoiser.width
        sizes = EncoderConfig(K, config.head_channels, config.feature_channels)
        self.encoder = Encoder(sizes, own_backbone=own_backbone)
        self.measurement_in = nn.Linear(4, d)
        self.feature_in = nn.Linear(config.feature_channels, d, bias=False)
        self.keypoint_embedding = nn.Parameter(0.02 * torch.randn(K, d))
        self.coarse_in = nn.Linear(list(TAPS.values())[-1], d)
        self.coarse_position = nn.Linear(2, d)
        self.denoiser = make_denoiser(
            config.denoiser, self.spec.num_tokens, self.spec.dim, config.num_fixed_tokens
        )
        self.diffusion = Diffusion(config.diffusion)

    def keypoint_tokens(self, m: EncoderOutput, encoding: Encoding | None) -> Tensor:
        """One token per keypoint (B, K, d); without `encoding` they hold geometry alone."""
        half = self.config.input_size / 2
        numbers = torch.cat(
            [
                (m.keypoints_2d - (half - 0.5)) / half,
                m.keypoints_log_std[..., None] - 1.0,
                torch.sigmoid(m.keypoints_seen)[..., None],
            ],
            -1,
        )
        tokens: Tensor = self.measurement_in(numbers) + self.keypoint_embedding
        if encoding is not None:
            tokens = tokens + self.feature_in(encoding.keypoint_features)
        return tokens

    def coarse_tokens(self, encoding: Encoding) -> Tensor:
        """One token per cell of the coarse map (B, (S/32)^2, d)."""
        cells = encoding.coarse_features
        side = self.config.input_size // 32
        line = (torch.arange(side, device=cells.device, dtype=cells.dtype) + 0.5) / side * 2 - 1
        grid = torch.stack([line.repeat(side), line[:, None].expand(side, side).reshape(-1)], 1)
        tokens: Tensor = self.coarse_in(cells) + self.coarse_position(grid)
        return tokens

    def sample(self, context: Tensor, noise: Tensor, num_inference_steps: int) -> dict[str, Tensor]:
        """Hypotheses from unit noise (B, H, T, D): the state spec's groups, (B, H, count, dim)."""
        prepared = self.denoiser.prepare(context)

        def denoise(x: Tensor, t: int) -> Tensor:
            step = torch.full((1, 1), t, device=x.device)
            out: Tensor = self.denoiser(x, step, prepared)
            return out

        if self.config.denoiser.name in REGRESSIONS:
            tokens = denoise(noise, 0)
        else:
            tokens = self.diffusion.sample(denoise, noise, num_inference_steps)
        return self.spec.denormalise(tokens)
