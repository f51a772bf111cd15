"""The training task that a config names."""

from __future__ import annotations

from armsight.train.action_task import ActionTask
from armsight.train.config import TrainConfig
from armsight.train.pose_task import PoseTask
from armsight.train.task import Task


def find_task(config: TrainConfig) -> Task:
    """The task of `config.task`."""
    return ActionTask() if config.task == "actions" else PoseTask()
