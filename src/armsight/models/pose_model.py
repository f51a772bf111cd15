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

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from armsight.models.encoder import Encoding
from armsight.models.state_model import EncoderOutput, StateModel, StateModelConfig
from armsight.models.state_spec import StateSpec, pose_spec
from armsight.robots import Robot


@dataclass(frozen=True, kw_only=True)
class PoseModelConfig(StateModelConfig):
    """A pose model of one robot."""

    kind: ClassVar[str] = "pose"
    joint_names: tuple[str, ...]
    joint_limits: tuple[tuple[float, float], ...]

    @classmethod
    def for_robot(cls, robot: Robot, **settings: Any) -> PoseModelConfig:
        return cls(
            robot=robot.name,
            joint_names=robot.joint_names,
            joint_limits=tuple((float(lo), float(hi)) for lo, hi in robot.joint_limits),
            keypoint_names=robot.keypoint_names,
            **settings,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        names = tuple(data["joint_names"])
        limits = tuple((lo, hi) for lo, hi in data["joint_limits"])
        return super().from_json({**data, "joint_names": names, "joint_limits": limits})

    @property
    def state_spec(self) -> StateSpec:
        return pose_spec([list(limit) for limit in self.joint_limits], len(self.keypoint_names))

    @property
    def num_fixed_tokens(self) -> int:
        return len(self.keypoint_names) + 1


class PoseModel(StateModel):
    """See the module's docstring."""

    config: PoseModelConfig

    def __init__(self, config: PoseModelConfig, *, own_backbone: bool = True) -> None:
        super().__init__(config, own_backbone=own_backbone)
        self.camera_in = nn.Linear(4, config.denoiser.width)

    def context(self, measurements: EncoderOutput, encoding: Encoding | None) -> Tensor:
        """Context tokens (B, C, d): K keypoints, one camera, then the coarse cells.

        Without `encoding` the tokens hold geometry alone.
        """
        parts = [
            self.keypoint_tokens(measurements, encoding),
            self.camera_in(measurements.camera)[:, None],
        ]
        if encoding is not None:
            parts.append(self.coarse_tokens(encoding))
        return torch.cat(parts, 1)
