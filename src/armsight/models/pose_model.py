"""The pose model, in seven lines.

1. The encoder turns an image into keypoint measurements, features and presence (encoder.py).
2. Each keypoint becomes a context token; so do the camera and the coarse map's cells.
3. A state is joint angles and keypoints with scale-free depth, as tokens (state_spec.py).
4. A denoiser turns noise into states, given the context (denoisers.py, diffusion.py).
5. Features may be hidden: then the context is geometry alone, which needs no images to learn.
6. Every hypothesis shares one image pass.
7. What the hypotheses mean together is decided outside of the network (armsight.estimate).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from armsight.models.denoisers import DenoiserConfig, make_denoiser
from armsight.models.diffusion import Diffusion, DiffusionConfig
from armsight.models.encoder import Encoder, EncoderConfig, Encoding
from armsight.models.lite0 import TAPS
from armsight.models.state_spec import StateSpec, pose_spec
from armsight.robots import Robot


@dataclass(frozen=True)
class PoseModelConfig:
    """Everything that is needed to build the network; stored beside its weights."""

    robot: str
    joint_names: tuple[str, ...]
    joint_limits: tuple[tuple[float, float], ...]
    keypoint_names: tuple[str, ...]
    input_size: int = 192
    head_channels: int = 96
    feature_channels: int = 64
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)

    @classmethod
    def for_robot(cls, robot: Robot, **settings: Any) -> PoseModelConfig:
        return cls(
            robot=robot.name,
            joint_names=robot.joint_names,
            joint_limits=tuple((float(lo), float(hi)) for lo, hi in robot.joint_limits),
            keypoint_names=robot.keypoint_names,
            **settings,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PoseModelConfig:
        data = dict(data)
        data["denoiser"] = DenoiserConfig(**data["denoiser"])
        data["diffusion"] = DiffusionConfig(**data["diffusion"])
        for name in ("joint_names", "keypoint_names"):
            data[name] = tuple(data[name])
        data["joint_limits"] = tuple((lo, hi) for lo, hi in data["joint_limits"])
        return cls(**data)

    @property
    def state_spec(self) -> StateSpec:
        return pose_spec([list(limit) for limit in self.joint_limits], len(self.keypoint_names))


class Measurements(NamedTuple):
    """Keypoints as seen in an image, and the camera: all that geometry has to say.

    The denoiser can be trained on these alone, drawn from kinematics (train/kinematic.py).
    """

    keypoints_2d: Tensor
    """(B, K, 2) [px of the network's input]"""
    keypoints_log_std: Tensor
    """(B, K)"""
    keypoints_seen: Tensor
    """(B, K) logit"""
    camera: Tensor
    """(B, 4): log(fx / S), log(fy / S), (cx - (S - 1) / 2) / S, (cy - (S - 1) / 2) / S"""


class PoseModel(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: PoseModelConfig) -> None:
        super().__init__()
        self.config, self.spec = config, config.state_spec
        K, d = len(config.keypoint_names), config.denoiser.width
        self.encoder = Encoder(EncoderConfig(K, config.head_channels, config.feature_channels))
        self.measurement_in = nn.Linear(4, d)
        self.feature_in = nn.Linear(config.feature_channels, d, bias=False)
        self.keypoint_embedding = nn.Parameter(0.02 * torch.randn(K, d))
        self.camera_in = nn.Linear(4, d)
        self.coarse_in = nn.Linear(list(TAPS.values())[-1], d)
        self.coarse_position = nn.Linear(2, d)
        self.denoiser = make_denoiser(config.denoiser, self.spec.num_tokens, self.spec.dim, K + 1)
        self.diffusion = Diffusion(config.diffusion)

    def context(self, measurements: Measurements, encoding: Encoding | None) -> Tensor:
        """Context tokens (B, C, d): K keypoints, one camera, then the coarse cells.

        Without `encoding` the tokens hold geometry alone.
        """
        half = self.config.input_size / 2
        m = measurements
        numbers = torch.cat(
            [
                (m.keypoints_2d - (half - 0.5)) / half,
                m.keypoints_log_std[..., None] - 1.0,
                torch.sigmoid(m.keypoints_seen)[..., None],
            ],
            -1,
        )
        tokens = self.measurement_in(numbers) + self.keypoint_embedding
        if encoding is not None:
            tokens = tokens + self.feature_in(encoding.keypoint_features)
        parts = [tokens, self.camera_in(m.camera)[:, None]]
        if encoding is not None:
            cells = encoding.coarse_features
            side = self.config.input_size // 32
            line = (torch.arange(side, device=cells.device, dtype=cells.dtype) + 0.5) / side * 2 - 1
            grid = torch.stack([line.repeat(side), line[:, None].expand(side, side).reshape(-1)], 1)
            parts.append(self.coarse_in(cells) + self.coarse_position(grid))
        return torch.cat(parts, 1)

    def sample(self, context: Tensor, noise: Tensor, num_inference_steps: int) -> dict[str, Tensor]:
        """Hypotheses from unit noise (B, H, T, D): the state spec's groups, (B, H, count, dim)."""
        prepared = self.denoiser.prepare(context)

        def denoise(x: Tensor, t: int) -> Tensor:
            step = torch.full((1, 1), t, device=x.device)
            out: Tensor = self.denoiser(x, step, prepared)
            return out

        if self.config.denoiser.name == "regression":
            tokens = denoise(noise, 0)
        else:
            tokens = self.diffusion.sample(denoise, noise, num_inference_steps)
        return self.spec.denormalise(tokens)


def measure(encoding: Encoding, camera: Tensor) -> Measurements:
    """The encoder's keypoints as the context's measurements, cut off from its gradient.

    The denoiser must take the keypoints as they are, not move them to its liking.
    """
    return Measurements(
        encoding.keypoints_2d.detach(),
        encoding.keypoints_log_std.detach(),
        encoding.keypoints_seen.detach(),
        camera,
    )
