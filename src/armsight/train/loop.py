"""The training loop: one process or several, stoppable and resumable at any time.

Every random draw is a function of (seed, step, rank), so a resumed run goes on along the same
loss curve as one that was never stopped.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from armsight.errors import ConfigError
from armsight.models.checkpoint import (
    load_matching,
    read_info,
    read_tensors,
    recover_checkpoint,
    save_checkpoint,
)
from armsight.models.denoisers import DenoiserConfig
from armsight.models.diffusion import DiffusionConfig
from armsight.models.kinematics import TorchKinematics
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.robots import load_robot
from armsight.train.augment import Backgrounds
from armsight.train.batches import Batch, batches
from armsight.train.config import TrainConfig
from armsight.train.ema import Ema
from armsight.train.objective import PoseObjective
from armsight.train.optimiser import (
    learning_rate_fraction,
    make_optimiser,
    optimiser_tensors,
    restore_optimiser,
)
from armsight.train.run_log import RunLog
from armsight.train.sources import open_table
from armsight.train.stop import StopFlag
from armsight.train.validate import validate

FREE_TO_CHANGE = (
    "num_threads",
    "loader_threads",
    "log_every",
    "checkpoint_every",
    "validate_every",
)
"""Settings that do not change a run's course; all others must be the same on resume."""


def build_model(config: TrainConfig) -> PoseModel:
    """A new model with ImageNet weights in its encoder, or started from `init_from`."""
    robot = load_robot(config.robot)
    torch.manual_seed(config.seed)
    model = PoseModel(
        PoseModelConfig.for_robot(
            robot,
            input_size=config.input_size,
            denoiser=DenoiserConfig(config.denoiser, config.denoiser_width, config.denoiser_depth),
            diffusion=DiffusionConfig(
                config.num_train_timesteps, prediction_type=config.prediction_type
            ),
        )
    )
    if config.init_from:
        read_info(Path(config.init_from))
        load_matching(model, read_tensors(Path(config.init_from), "ema"))
    elif config.stage != "kinematic":
        model.encoder.backbone.load_imagenet()
    return model


def train(config: TrainConfig, out: Path, *, until_step: int | None = None) -> dict[str, Any]:
    """Train until `config.steps` (or stop earlier at `until_step`, or on Ctrl-C or SIGTERM).

    The folder `out` gets `checkpoint/`, `log.jsonl` and TensorBoard events. A checkpoint that is
    already there is resumed.

    Returns:
        the last step and losses.

    Raises:
        ConfigError: `out` holds a run with other settings.
        DatasetError: the training data cannot be read.
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    accelerator = Accelerator(
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
    )
    main = accelerator.is_main_process
    robot = load_robot(config.robot)
    model = build_model(config)
    model.train()
    if config.frozen_blocks:
        model.encoder.backbone.freeze_early(config.frozen_blocks)
    if config.stage == "denoiser":
        model.encoder.eval()
    ema = Ema(model, config.ema_decay)
    step = _resume(config, out, model, ema)
    optimiser = make_optimiser(model, config)
    if step:
        restore_optimiser(optimiser, model, read_tensors(out / "checkpoint", "optimiser"), step)
    objective = PoseObjective(model, config, TorchKinematics(robot))
    objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective, optimiser = accelerator.prepare(objective, optimiser)
    source = _batch_source(config, step, accelerator.process_index)
    losses: dict[str, Tensor] = {}
    last = min(config.steps, until_step or config.steps)
    with ExitStack() as stack:
        stack.callback(source.close)
        stop = stack.enter_context(StopFlag())
        log = stack.enter_context(RunLog(out, config, step)) if main else None
        stopping = False
        while step < last and not stopping:
            batch = {k: v.to(accelerator.device) for k, v in next(source).items()}
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * learning_rate_fraction(step, config)
            draw_seed = _draw_seed(config.seed, step, accelerator.process_index)
            total, losses = objective(batch, draw_seed)
            if not torch.isfinite(total):
                raise ConfigError(
                    f"the loss became {float(total)} at step {step}; lower learning_rate "
                    f"({config.learning_rate}) and start from the last checkpoint"
                )
            accelerator.backward(total)
            accelerator.clip_grad_norm_(objective.parameters(), config.gradient_clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            step += 1
            ema.update(model, step)
            stopping = stop.agreed(accelerator)
            if log is None:
                continue
            if step % config.log_every == 0 or step == last:
                log.losses(step, total, losses)
            if step % config.checkpoint_every == 0 or step == last or stopping:
                _save(out, config, model, ema, optimiser, step, losses)
            if config.validation_data and step % config.validate_every == 0:
                log.validation(step, validate(ema.apply_to(model), config))
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return {"step": step, "losses": {k: float(v.detach()) for k, v in losses.items()}}


def _resume(config: TrainConfig, out: Path, model: nn.Module, ema: Ema) -> int:
    folder = recover_checkpoint(out / "checkpoint")
    if folder is None:
        return 0
    info = read_info(folder)
    before, now = dict(info["train"]), json.loads(json.dumps(config.to_json()))
    for name in FREE_TO_CHANGE:
        before.pop(name, None)
        now.pop(name, None)
    changed = sorted(k for k in now if before.get(k) != now[k])
    if changed:
        raise ConfigError(
            f"{out} holds a run with other settings ({', '.join(changed)}); choose another --out, "
            f"and set init_from = {str(folder)!r} to start from its weights"
        )
    model.load_state_dict(read_tensors(folder, "model"))
    ema.load(read_tensors(folder, "ema"))
    return int(info["step"])


def _batch_source(config: TrainConfig, step: int, rank: int) -> Any:
    if config.stage == "kinematic":
        return _no_batches()
    table = open_table(config.data, config.robot)
    backgrounds = Backgrounds(Path(config.backgrounds)) if config.backgrounds else None
    return batches(
        table, config.input_size, config.batch_size, config.seed, step,
        rank=rank, backgrounds=backgrounds, threads=config.loader_threads,
    )  # fmt: skip


def _no_batches() -> Any:
    while True:
        empty: Batch = {}
        yield empty


def _draw_seed(seed: int, step: int, rank: int) -> int:
    return ((seed * 1_000_003 + step) * 64 + rank) % (2**63)


def _save(
    out: Path, config: TrainConfig, model: nn.Module, ema: Ema, optimiser: Any, step: int,
    losses: dict[str, Tensor],
) -> None:  # fmt: skip
    tensors = {
        "model": dict(model.state_dict()),
        "ema": ema.tensors,
        "optimiser": optimiser_tensors(optimiser, model),
    }
    info = {
        "step": step,
        "train": config.to_json(),
        "model": model.config.to_json(),  # type: ignore[operator, union-attr]
        "losses": {name: float(value.detach()) for name, value in losses.items()},
    }
    save_checkpoint(out / "checkpoint", tensors, info)
