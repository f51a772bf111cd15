"""Training a pose model: from one image, on rendered shards or DREAM folders."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from armsight.models.kinematics import TorchKinematics
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.robots import load_robot
from armsight.train.config import TrainConfig
from armsight.train.pose.augment import Backgrounds
from armsight.train.pose.batches import Batch, batches
from armsight.train.pose.objective import PoseObjective
from armsight.train.pose.sources import open_table
from armsight.train.pose.validate import validate
from armsight.train.task import network_settings


@dataclass(frozen=True)
class PoseTask:
    """See `armsight.train.task.Task`."""

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> PoseModel:
        robot = load_robot(config.one_robot)
        return PoseModel(PoseModelConfig.for_robot(robot, **network_settings(config)))

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        return PoseObjective(model, config, TorchKinematics(load_robot(config.one_robot)))

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Batch, None, None]:
        if config.stage == "kinematic":
            return _no_batches()
        backgrounds = Backgrounds(Path(config.backgrounds)) if config.backgrounds else None
        return batches(
            open_table(config.data, config.one_robot), config.input_size, config.batch_size,
            config.seed, first_step,
            rank=rank, backgrounds=backgrounds, threads=config.loader_threads,
        )  # fmt: skip

    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        return validate(model, config)


def _no_batches() -> Generator[Batch, None, None]:
    while True:
        yield {}
