"""Which denoiser, which prediction type, how many steps? One table, one encoder, one data order.

    python benchmarks/denoisers.py CHECKPOINT --train SHARDS... --test SHARDS --steps 600

All denoisers are trained side by side on the same batches behind the same frozen encoder, so
that rows differ in the denoiser alone. Errors are the network's own: the median of its
hypotheses, before any geometry. `transformer, kinematic start` gets as many extra steps on
kinematics alone first, without images.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armsight.evaluate.intervals import bootstrap_interval, mean_of
from armsight.models.checkpoint import load_pose_model
from armsight.models.denoisers import DenoiserConfig
from armsight.models.diffusion import DiffusionConfig
from armsight.models.kinematics import TorchKinematics
from armsight.models.pose_model import PoseModel
from armsight.models.state_model import measure
from armsight.robots import load_robot
from armsight.train.batches import batches, make_batch
from armsight.train.config import TrainConfig
from armsight.train.objective import PoseObjective
from armsight.train.optimiser import learning_rate_fraction, make_optimiser
from armsight.train.sources import open_table

VARIANTS = {
    "transformer, x0": ("transformer", "sample"),
    "transformer, noise": ("transformer", "epsilon"),
    "transformer, x0, kinematic start": ("transformer", "sample"),
    "film, x0": ("film", "sample"),
    "film, noise (PoseDiff's)": ("film", "epsilon"),
    "regression": ("regression", "sample"),
}
STEPS = (1, 2, 5, 10, 100)
HYPOTHESES = 16


def make_variant(base: PoseModel, denoiser: str, prediction_type: str) -> PoseModel:
    """A new denoiser behind the base's encoder; the encoder itself is shared."""
    config = replace(
        base.config,
        denoiser=DenoiserConfig(denoiser),
        diffusion=DiffusionConfig(prediction_type=prediction_type),
    )
    torch.manual_seed(0)
    model = PoseModel(config)
    model.encoder = base.encoder
    return model


def train_all(models: dict[str, PoseModel], args: argparse.Namespace) -> dict[str, float]:
    """Train the variants side by side; returns the time of each [s], without the encoder's."""
    table = open_table(tuple(args.train), args.robot)
    kinematics = TorchKinematics(load_robot(args.robot))
    base = TrainConfig(
        stage="denoiser", data=tuple(args.train), steps=args.steps, batch_size=args.batch_size,
        learning_rate=1e-3, warmup_steps=50, hide_features=0.0, noise_draws=args.noise_draws,
    )  # fmt: skip
    runs: dict[str, Any] = {}
    for name, model in models.items():
        config = replace(base, denoiser=VARIANTS[name][0])
        runs[name] = (PoseObjective(model, config, kinematics), make_optimiser(model, config))
        if "kinematic" in name:
            train_on_kinematics(model, replace(config, stage="kinematic"), kinematics)
    encoder = next(iter(models.values())).encoder.eval()
    size = next(iter(models.values())).config.input_size
    seconds = dict.fromkeys(models, 0.0)
    source = batches(table, size, base.batch_size, base.seed, 0)
    for step in range(base.steps):
        batch = next(source)
        with torch.no_grad():
            encoding = encoder(batch["image"].float())
        for name, (objective, optimiser) in runs.items():
            started = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * learning_rate_fraction(step, base)
            context = objective.model.context(measure(encoding, batch["camera"]), encoding)
            g = torch.Generator().manual_seed(step)
            loss = objective.denoise(context, batch, batch["robot_found"], g)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(objective.model.parameters(), base.gradient_clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            seconds[name] += time.perf_counter() - started
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}/{base.steps}", flush=True)
    source.close()
    return seconds


def train_on_kinematics(model: PoseModel, config: TrainConfig, kin: TorchKinematics) -> None:
    objective, optimiser = PoseObjective(model, config, kin), make_optimiser(model, config)
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["base_lr"] * learning_rate_fraction(step, config)
        total, _ = objective({}, step)
        total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


@torch.no_grad()
def joint_errors(
    models: dict[str, PoseModel], args: argparse.Namespace
) -> dict[tuple[str, int], Tensor]:
    """(variant, sampling steps) -> (N, J) absolute errors [deg] on the test rows."""
    table = open_table((args.test,), args.robot)
    errors: dict[tuple[str, int], list[Tensor]] = {}
    g = torch.Generator().manual_seed(0)
    found = np.flatnonzero(table.labels["robot_found"])[: args.limit]
    for first in range(0, len(found), 32):
        rows = found[first : first + 32]
        size = next(iter(models.values())).config.input_size
        rngs = [np.random.default_rng(0) for _ in rows]
        batch = make_batch(table, rows, size, rngs, None, strength=0.0)
        encoding = next(iter(models.values())).encoder(batch["image"].float())
        for name, model in models.items():
            context = model.context(measure(encoding, batch["camera"]), encoding)
            regression = VARIANTS[name][0] == "regression"
            count = 1 if regression else HYPOTHESES
            shape = (len(rows), count, model.spec.num_tokens, model.spec.dim)
            noise = torch.randn(shape, generator=g)
            for steps in (1,) if regression else STEPS:
                q = model.sample(context, noise, steps)["joint_positions"][..., 0]
                error = (q.median(1).values - batch["joint_positions"]).abs()
                errors.setdefault((name, steps), []).append(torch.rad2deg(error))
    return {key: torch.cat(parts) for key, parts in errors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--noise-draws", type=int, default=1)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    base, _ = load_pose_model(args.checkpoint)
    models = {name: make_variant(base, *which) for name, which in VARIANTS.items()}
    seconds = train_all(models, args)
    rows = []
    for model in models.values():
        model.eval()
    for (name, steps), errors in joint_errors(models, args).items():
        per_image = errors[:, :-1].mean(1).numpy()  # all joints but the last: 1 to 6 of the Panda
        low, high = bootstrap_interval(per_image, mean_of)
        rows.append(
            {"denoiser": name, "sampling_steps": steps, "images": len(per_image),
             "joint_mean_deg": float(per_image.mean()), "joint_median_deg":
             float(errors[:, :-1].median()), "low": low, "high": high,
             "train_seconds": seconds[name]}
        )  # fmt: skip
    if args.json:
        print(json.dumps({"steps": args.steps, "rows": rows}, indent=1))
        return
    print(f"{'denoiser':34} steps  mean joint error 1-6 [deg]  95 % interval  median")
    for row in rows:
        print(
            f"{row['denoiser']:34} {row['sampling_steps']:5}  {row['joint_mean_deg']:26.2f}  "
            f"{row['low']:.2f} to {row['high']:.2f}  {row['joint_median_deg']:.2f}"
        )


if __name__ == "__main__":
    main()
