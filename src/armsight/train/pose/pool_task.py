"""Training pose models of one or several robots on pictures in the device's memory."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from armsight.errors import ConfigError
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.models.shared_model import SharedPoseModel, SharedPoseModelConfig, tensors_of_robot
from armsight.robots import Robot, load_robot
from armsight.train.config import TrainConfig
from armsight.train.pose.augment_device import augment_rows, background_bank
from armsight.train.pose.batches import LOG_DEPTH_FLOOR_M, Batch
from armsight.train.pose.pool import PicturePool, ShardWatcher
from armsight.train.pose.pool_objective import PoolObjective
from armsight.train.pose.render_processes import RenderProcesses, shared_out
from armsight.train.pose.shards import robot_of
from armsight.train.pose.validate import validate
from armsight.train.task import network_settings

FEWEST_ROWS = 256
"""Pictures of each robot that are waited for before the first step."""


@dataclass(frozen=True)
class PoolTask:
    """See `armsight.train.task.Task`. Batches hold rows of each robot, by its name.

    Which pictures are there at a step depends on how fast they are rendered: a resumed run goes
    on, but not along the very same loss curve.
    """

    def new_model(self, config: TrainConfig, like: dict[str, Any] | None) -> SharedPoseModel:
        known = {data["robot"]: data for data in (like or {}).get("robots", [like] if like else [])}
        settings = network_settings(config)
        robots = []
        for robot in map(load_robot, config.robots):
            own = PoseModelConfig.for_robot(robot, **settings)
            if robot.name in known and "joint_names" in known[robot.name]:
                # A robot that is there already keeps its network.
                before = PoseModelConfig.from_json(known[robot.name])
                own = replace(own, denoiser=before.denoiser, diffusion=before.diffusion)
            robots.append(own)
        return SharedPoseModel(SharedPoseModelConfig(tuple(robots)))

    def objective(self, model: Any, config: TrainConfig) -> nn.Module:
        return PoolObjective(model, config)

    def batches(
        self, config: TrainConfig, first_step: int, rank: int
    ) -> Generator[Any, None, None]:
        from accelerate.state import PartialState

        device = PartialState().device
        robots = {robot.name: robot for robot in map(load_robot, config.robots)}
        pools = {
            name: PicturePool(robot, config.picture_pool, device)
            for name, robot in robots.items()
        }  # fmt: skip
        bank = None
        if config.backgrounds:
            bank = background_bank(Path(config.backgrounds)).to(device)
        repainted = config.repainted or (0.0,) * len(robots)
        counts = shared_out(config.batch_size, config.robot_shares or (1.0,) * len(robots))
        with (
            closing(RenderProcesses(config if rank == 0 else None)) as rendering,
            closing(ShardWatcher(_folders(config, robots), robots)) as watcher,
        ):
            watcher.wait(pools, FEWEST_ROWS, rendering.check if config.render_workers else None)
            step = first_step
            while True:
                watcher.fill(pools)
                rendering.tell()
                g = torch.Generator(device).manual_seed(hash((config.seed, rank, step)) % 2**63)
                yield {
                    name: _batch(pool.draw(count, g), config.input_size, g, bank, share)
                    for (name, pool), count, share in zip(
                        pools.items(), counts, repainted, strict=True
                    )
                }
                step += 1

    def validate(self, model: Any, config: TrainConfig) -> dict[str, float]:
        results: dict[str, float] = {}
        for path in config.robots:
            name = load_robot(path).name
            folders = tuple(f for f in config.validation_data if robot_of(Path(f)) == name)
            if not folders:
                continue
            one = PoseModel(model.config.of(name))
            one.load_state_dict(tensors_of_robot(model.state_dict(), name))
            settings = replace(config, robot=path, robot_shares=(), validation_data=folders)
            figures = validate(one.eval(), settings)
            results |= {f"{name}_{figure}": value for figure, value in figures.items()}
        return results


def _folders(config: TrainConfig, robots: dict[str, Robot]) -> list[Path]:
    """The folders of `data`, and those in them that are named after a robot.

    Raises:
        ConfigError: none is there, and none will be rendered.
    """
    data = [Path(folder) for folder in config.data]
    inner = [folder / name for folder in data for name in robots]
    if not config.render_workers:
        data = [folder for folder in data if (folder / "dataset.json").exists()]
        inner = [folder for folder in inner if (folder / "dataset.json").exists()]
        if not data and not inner:
            raise ConfigError(
                f"{', '.join(config.data)} holds no training shards, and no folder of them that is "
                f"named {' or '.join(robots)}; make some with `armsight render`"
            )
    return [*data, *inner]


def _batch(
    rows: dict[str, Tensor], size: int, g: torch.Generator, bank: Tensor | None, repainted: float
) -> Batch:
    depth = rows["keypoints_3d_cam"][..., 2].clamp(min=LOG_DEPTH_FLOOR_M).log()
    return {
        **augment_rows(rows, size, g, bank, repainted=repainted),
        "joint_positions": rows["joint_positions"],
        "log_depth": depth,
        "robot_found": rows["robot_found"].float(),
    }
