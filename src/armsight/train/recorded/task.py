"""Training an action model on a recorded LeRobot data set."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from armsight.action_spec import LIBERO_CAMERA, ActionSpec
from armsight.data.lerobot import LeRobotReader
from armsight.errors import ConfigError
from armsight.models.action_model import ActionModelConfig, ActionNetwork
from armsight.train.actions.objective import ActionObjective
from armsight.train.config import TrainConfig
from armsight.train.pose.batches import Batch, prefetched
from armsight.train.recorded.action_space import read_action_space
from armsight.train.recorded.batches import Recordings, draw_batch, read_steps, usable
from armsight.train.recorded.maps import open_maps
from armsight.train.recorded.pictures import open_pictures
from armsight.train.recorded.split import Split, split_episodes
from armsight.train.task import network_settings

POINTS = 16
"""Places in each picture that the network learns to look at"""
OWN_COLUMNS = (f"{LIBERO_CAMERA}.is_rendered", "observation.T_base_ee")
"""Of demonstrations by `armsight control demos`, which know the robot's keypoints"""


def is_recorded(config: TrainConfig) -> bool:
    """Whether the data of an action model are somebody's recordings.

    Raises:
        DatasetError: the first folder is no LeRobot data set.
    """
    features = LeRobotReader(config.data[0]).features
    return not all(name in features for name in OWN_COLUMNS)


def open_recordings(config: TrainConfig) -> tuple[LeRobotReader, Split, ActionSpec]:
    """The data set of a run, its split, and what its actions are.

    Raises:
        DatasetError: it cannot be read, or lacks what the config names.
        ConfigError: more than one data set.
    """
    if len(config.data) != 1:
        raise ConfigError(
            f"one data set is trained on, and `data` has {len(config.data)}; merge them with "
            "LeRobot's tools first"
        )
    return _opened(config.data[0], config.seed, config.camera_keys, config.action_key)


@lru_cache(maxsize=2)
def _opened(
    folder: str, seed: int, camera_keys: tuple[str, ...], action_key: str
) -> tuple[LeRobotReader, Split, ActionSpec]:
    reader = LeRobotReader(Path(folder))
    split = split_episodes(len(reader), seed)
    return reader, split, read_action_space(reader, split.train, camera_keys, action_key)


@dataclass(frozen=True)
class RecordedTask:
    """See `armsight.train.task.TrainingTask`."""

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> ActionNetwork:
        if like and like.get("kind") == ActionModelConfig.kind:
            # Weights mean something in the units they were trained in.
            spec = ActionModelConfig.from_json(like).action_spec
        else:
            _, _, spec = open_recordings(config)
        return ActionNetwork(
            ActionModelConfig(
                robot=spec.robot, keypoint_names=tuple(f"point_{i}" for i in range(POINTS)),
                action_spec=spec, max_stride=config.max_stride, free_keypoints=True,
                **network_settings(config),
            )
        )  # fmt: skip

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        return ActionObjective(model, config)

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Batch, None, None]:
        reader, split, spec = open_recordings(config)
        folder = Path(config.picture_folder or tempfile.mkdtemp(prefix="armsight-pictures-"))
        pictures = open_pictures(reader, spec.cameras, config.input_size, folder)
        maps = None
        if config.cached_maps:
            maps = open_maps(pictures, split.train, folder, config.seed)
        recordings = Recordings(read_steps(reader, spec, split.train), pictures, maps)
        episodes = usable(recordings, config.window, config.max_stride)

        def prepare(step: int) -> Batch:
            rngs = [
                np.random.default_rng([config.seed, rank, step, i])
                for i in range(config.batch_size)
            ]
            return draw_batch(recordings, episodes, config.window, config.max_stride, rngs)

        return prefetched(prepare, first_step, config.loader_threads)

    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        """Nothing: no choice is made in training, and the score is computed once, at its end."""
        return {}
