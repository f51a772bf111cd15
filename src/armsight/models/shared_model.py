"""Pose models of several robots that share one backbone.

The backbone sees a picture once; each robot has its own head, context and denoiser, so a robot
can be added or trained anew without touching another's answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from armsight.errors import WeightsError
from armsight.models.lite0 import Lite0
from armsight.models.pose_model import PoseModel, PoseModelConfig

BACKBONE = "encoder.backbone."
"""How a single pose model's tensors of the backbone begin."""


@dataclass(frozen=True)
class SharedPoseModelConfig:
    """The robots' own configs, in order."""

    kind: ClassVar[str] = "shared_pose"
    robots: tuple[PoseModelConfig, ...]

    @property
    def robot_names(self) -> tuple[str, ...]:
        return tuple(config.robot for config in self.robots)

    @property
    def input_size(self) -> int:
        """Side of the network's input [px], the same for all."""
        return self.robots[0].input_size

    def of(self, robot: str) -> PoseModelConfig:
        """The config of one robot.

        Raises:
            WeightsError: the model does not know it.
        """
        for config in self.robots:
            if config.robot == robot:
                return config
        raise WeightsError(
            f"the model knows no robot {robot!r}, only {', '.join(self.robot_names)}"
        )

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "robots": [config.to_json() for config in self.robots]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(tuple(PoseModelConfig.from_json(config) for config in data["robots"]))


class SharedPoseModel(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: SharedPoseModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Lite0()
        self.robots = nn.ModuleDict(
            {one.robot: PoseModel(one, own_backbone=False) for one in config.robots}
        )

    def robot(self, name: str) -> PoseModel:
        """The part of one robot; its encoder is a head alone."""
        part = self.robots[name]
        assert isinstance(part, PoseModel)
        return part


def tensors_of_robot(tensors: dict[str, Tensor], robot: str) -> dict[str, Tensor]:
    """A shared model's tensors as those of one robot's `PoseModel`, backbone included."""
    own = f"robots.{robot}."
    result = {}
    for name, value in tensors.items():
        if name.startswith("backbone."):
            result[BACKBONE + name.removeprefix("backbone.")] = value
        elif name.startswith(own):
            result[name.removeprefix(own)] = value
    return result


def tensors_for_sharing(
    tensors: dict[str, Tensor], robot: str, others: Iterable[str]
) -> dict[str, Tensor]:
    """One robot's tensors as a start for a shared model.

    The other robots' heads start as copies of this one's, but for whether the robot is there.
    Their denoisers do not: each arm has a geometry of its own.
    """
    result = {}
    for name, value in tensors.items():
        if name.startswith(BACKBONE):
            result["backbone." + name.removeprefix(BACKBONE)] = value
            continue
        result[f"robots.{robot}.{name}"] = value
        if name.startswith("encoder.") and not name.startswith("encoder.presence."):
            result |= {f"robots.{other}.{name}": value for other in others if other != robot}
    return result
