"""The training loop: one process or several, stoppable and resumable at any time.

Every random draw is a function of (seed, step, rank), so a resumed run goes on along the same
loss curve as one that was never stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from armsight.errors import ConfigError
from armsight.models.checkpoint import (
    read_info,
    read_tensors,
    recover_checkpoint,
    save_checkpoint,
)
from armsight.train.config import TrainConfig
from armsight.train.ema import Ema
from armsight.train.optimiser import (
    learning_rate_fraction,
    make_optimiser,
    optimiser_tensors,
    restore_optimiser,
)
from armsight.train.pose.encoded import remember, remembered_batches
from armsight.train.run_log import RunLog
from armsight.train.stop import StopFlag
from armsight.train.task import TrainingTask, backbone_of, build_model, encoder_of
from armsight.train.tasks import find_task

if TYPE_CHECKING:
    from accelerate import Accelerator

FREE_TO_CHANGE = (
    "num_threads",
    "loader_threads",
    "log_every",
    "checkpoint_every",
    "validate_every",
    "render_workers",
    "time_limit",
    "picture_folder",
)
"""Settings that do not change a run's course; all others must be the same on resume."""


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
    accelerator = _accelerator(config)
    main = accelerator.is_main_process
    task = find_task(config)
    with accelerator.main_process_first():  # one renames, the others find it done
        folder = recover_checkpoint(out / "checkpoint")
    run = _begin(task, config, out, folder, announce=main)
    model, ema, step = run.model, run.ema, run.step
    objective = task.objective(model, config)
    objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective, optimiser = accelerator.prepare(objective, run.optimiser)
    rank = accelerator.process_index
    last = min(config.steps, until_step or config.steps)
    source = _batches(task, model, config, rank, step, last)
    losses: dict[str, Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(closing(source))
        stop = stack.enter_context(StopFlag())
        log = stack.enter_context(RunLog(out, config, step)) if main else None
        stopping = False
        # Waits for the first pictures, where they are being rendered.
        batch = _on_device(next(source), accelerator.device) if step < last else {}
        begun = time.monotonic() - run.trained_s
        while step < last and not stopping:
            elapsed_s = time.monotonic() - begun
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * learning_rate_fraction(step, config, elapsed_s)
            total, losses = objective(batch, _draw_seed(config.seed, step, rank))
            accelerator.backward(total)
            accelerator.clip_grad_norm_(objective.parameters(), config.gradient_clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            step += 1
            ema.update(model, step)
            if config.time_limit and elapsed_s >= config.time_limit:
                stop.asked = True
            stopping = stop.agreed(accelerator)
            ending = step == last or stopping
            if not ending:
                batch = _on_device(next(source), accelerator.device)
            saving = step % config.checkpoint_every == 0 or ending
            if saving or step % config.log_every == 0:
                # Not at every step: to look at a number, the processor waits for a GPU.
                _check_finite(total, step, config)
            if log is None:
                continue
            if step % config.log_every == 0 or ending:
                log.losses(step, total, losses)
            if saving:
                trained_s = time.monotonic() - begun
                _save(out, config, model, ema, optimiser, step, losses, trained_s)
            if config.validation_data and step % config.validate_every == 0:
                log.validation(step, task.validate(ema.apply_to(model).cpu(), config))
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return {"step": step, "losses": {k: float(v.detach()) for k, v in losses.items()}}


def _accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and precision."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if accelerator.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return accelerator


@dataclass(frozen=True)
class _Run:
    """What is trained, new or as a checkpoint left it."""

    model: Any
    ema: Ema
    optimiser: Any
    step: int
    trained_s: float


def _begin(
    task: TrainingTask, config: TrainConfig, out: Path, checkpoint: Path | None, *, announce: bool
) -> _Run:
    """A new run, or the one in `checkpoint`."""
    saved = read_info(checkpoint) if checkpoint else None
    if saved:
        _check_same(config, saved, out)
    model = build_model(task, config, saved, announce=announce)
    model.train()
    if config.frozen_blocks:
        backbone_of(model).freeze_early(config.frozen_blocks)
    if config.stage == "denoiser":
        encoder_of(model).eval()
    ema = Ema(model, config.ema_decay)
    step, trained_s = 0, 0.0
    if saved and checkpoint:
        step, trained_s = int(saved["step"]), float(saved.get("trained_s", 0.0))
        model.load_state_dict(read_tensors(checkpoint, "model"))
        ema.load(read_tensors(checkpoint, "ema"))
    optimiser = make_optimiser(model, config)
    if step:
        restore_optimiser(optimiser, model, read_tensors(out / "checkpoint", "optimiser"), step)
    return _Run(model, ema, optimiser, step, trained_s)


def _batches(
    task: TrainingTask, model: Any, config: TrainConfig, rank: int, step: int, last: int
) -> Generator[Any, None, None]:
    """The batches from `step` on, perhaps from memory."""
    if not config.cached_batches or step >= last:
        return task.batches(config, step, rank)
    # Before anything listens to Ctrl-C: until here there is nothing to lose.
    units = remember(encoder_of(model), task.batches(config, 0, rank), config, rank)
    return remembered_batches(units, config, step, rank)


def _on_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch, or one of several robots by name, on the training device."""
    return {
        name: _on_device(value, device) if isinstance(value, dict) else value.to(device)
        for name, value in batch.items()
    }


def _check_finite(total: Tensor, step: int, config: TrainConfig) -> None:
    if not torch.isfinite(total):
        raise ConfigError(
            f"the loss became {float(total)} by step {step}; lower learning_rate "
            f"({config.learning_rate}) and start from the last checkpoint"
        )


def _check_same(config: TrainConfig, saved: dict[str, Any], out: Path) -> None:
    # Settings that came later than the checkpoint had their defaults.
    before = {**json.loads(json.dumps(TrainConfig(stage="kinematic").to_json())), **saved["train"]}
    now = json.loads(json.dumps(config.to_json()))
    changed = sorted(k for k in now if k not in FREE_TO_CHANGE and before[k] != now[k])
    if changed:
        raise ConfigError(
            f"{out} holds a run with other settings ({', '.join(changed)}); choose another --out, "
            f"and set init_from = {str(out / 'checkpoint')!r} to start from its weights"
        )


def _draw_seed(seed: int, step: int, rank: int) -> int:
    return ((seed * 1_000_003 + step) * 64 + rank) % (2**63)


def _save(
    out: Path, config: TrainConfig, model: nn.Module, ema: Ema, optimiser: Any, step: int,
    losses: dict[str, Tensor], trained_s: float,
) -> None:  # fmt: skip
    tensors = {
        "model": dict(model.state_dict()),
        "ema": ema.tensors,
        "optimiser": optimiser_tensors(optimiser, model),
    }
    info = {
        "step": step,
        "trained_s": trained_s,
        "train": config.to_json(),
        "model": model.config.to_json(),  # type: ignore[operator, union-attr]
        "losses": {name: float(value.detach()) for name, value in losses.items()},
    }
    save_checkpoint(out / "checkpoint", tensors, info)
