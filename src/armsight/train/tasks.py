"""The training task that a config names."""

from __future__ import annotations

from armsight.train.config import TrainConfig
from armsight.train.task import TrainingTask


def find_task(config: TrainConfig) -> TrainingTask:
    """The task of `config.task`. Each is imported when asked for: actions need video decoding."""
    if config.task == "actions":
        from armsight.train.recorded.task import RecordedTask, is_recorded

        if is_recorded(config):
            return RecordedTask()
        from armsight.train.actions.task import ActionTask

        return ActionTask()
    if config.picture_pool:
        from armsight.train.pose.pool_task import PoolTask

        return PoolTask()
    from armsight.train.pose.task import PoseTask

    return PoseTask()
