"""Training an action model: from two keyframes, on demonstrations (LeRobot data sets)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from armsight.action_spec import libero_object_spec
from armsight.models.action_model import ActionModelConfig, ActionNetwork, split_steps
from armsight.robots import load_robot
from armsight.train.actions.batches import draw_action_batch, make_action_batch
from armsight.train.actions.demonstrations import (
    Demonstration,
    Window,
    long_enough,
    read_episodes,
    step_statistics,
)
from armsight.train.actions.objective import ActionObjective
from armsight.train.config import TrainConfig
from armsight.train.pose.augment import Backgrounds
from armsight.train.pose.batches import Batch, prefetched
from armsight.train.task import network_settings

VALIDATION_WINDOW, VALIDATION_EPISODES = 9, 60
HYPOTHESES, STEPS = 4, 5


@dataclass(frozen=True)
class ActionTask:
    """See `armsight.train.task.Task`."""

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> ActionNetwork:
        if like and like.get("kind") == ActionModelConfig.kind:
            # Weights mean something in the units they were trained in.
            spec = ActionModelConfig.from_json(like).action_spec
        else:
            statistics = step_statistics(_episodes(config.data, config.one_robot))
            spec = libero_object_spec(robot=config.one_robot).with_statistics(*statistics)
        return ActionNetwork(
            ActionModelConfig(
                robot=config.one_robot, keypoint_names=load_robot(config.one_robot).keypoint_names,
                action_spec=spec, max_stride=config.max_stride, **network_settings(config),
            )
        )  # fmt: skip

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        return ActionObjective(model, config)

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Batch, None, None]:
        episodes = long_enough(
            _episodes(config.data, config.one_robot), config.window, config.max_stride
        )
        backgrounds = Backgrounds(Path(config.backgrounds)) if config.backgrounds else None

        def prepare(step: int) -> Batch:
            rngs = [
                np.random.default_rng([config.seed, rank, step, i])
                for i in range(config.batch_size)
            ]
            return draw_action_batch(
                episodes, config.window, config.input_size, config.max_stride, rngs, backgrounds,
            )  # fmt: skip

        return prefetched(prepare, first_step, config.loader_threads)

    @torch.no_grad()
    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        """Errors of pairs in the middle of episodes: position [mm], actions, gripper's sign [%]."""
        episodes = _episodes(config.validation_data, config.one_robot)[:VALIDATION_EPISODES]
        g = torch.Generator().manual_seed(0)
        position, action, gripper, pixels = [], [], [], []
        for episode in episodes:
            count = min(VALIDATION_WINDOW, len(episode.frames))
            batch = make_action_batch(
                [Window(episode, (len(episode.frames) - count) // 2 + np.arange(count))],
                config.input_size,
                config.max_stride,
            )
            encoding = model.encoder(batch["image"].float())
            inside = batch["in_crop"] > 0
            pixels.append((encoding.keypoints_2d - batch["keypoints_2d"]).norm(dim=-1)[inside])
            if config.stage == "encoder":
                continue
            context = model.context(encoding, batch["pairs"], batch["stride"])
            shape = (len(context), HYPOTHESES, model.spec.num_tokens, model.spec.dim)
            sampled = model.sample(context, torch.randn(shape, generator=g), STEPS)["steps"]
            spec = model.config.action_spec
            parts = split_steps(sampled.mean(1), spec)
            truth = split_steps(batch["steps"], spec)
            counts = batch["step_weight"] > 0
            miss = (parts["ee_position"] - truth["ee_position"]).norm(dim=-1)
            position.append(1000 * miss[counts])
            wrong = (parts["actions"] - truth["actions"])[counts]
            action.append(wrong[:, :6].abs())
            gripper.append(parts["actions"][counts][:, 6] * truth["actions"][counts][:, 6] < 0)
        result = {"keypoint_median_px": float(torch.cat(pixels).median())}
        if position:
            result["position_median_mm"] = float(torch.cat(position).median())
            result["position_mean_mm"] = float(torch.cat(position).mean())
            result["action_mean_error"] = float(torch.cat(action).mean())
            result["gripper_wrong_percent"] = 100 * float(torch.cat(gripper).float().mean())
        return result


@lru_cache(maxsize=4)
def _episodes(folders: tuple[str, ...], robot: str) -> list[Demonstration]:
    return read_episodes(folders, load_robot(robot))
