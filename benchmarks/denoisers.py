"""Which denoiser, which prediction type, how many steps? One table, one encoder, one data order.

    python benchmarks/denoisers.py CHECKPOINT --train SHARDS... --test SHARDS --work DIR

All denoisers learn the same pictures in the same order behind the same frozen encoder, whose pass
runs once per picture (cached_encodings.py), so that rows differ in the denoiser alone. Test rows
come from another render seed; this is checked. Errors are the network's own, before any geometry:
the absolute error of all joints but the last, averaged over a picture.

Four readings of the hypotheses: their median (the answer), their mean (what a regression would
say), one alone, and the best of them by the true angles (what they hold, if one could choose).
`minus regression` is the paired difference to the regression of the same family and start.

A `kinematic start` means kinematics alone first, without pictures: `--kinematic-steps` of them, or
what a checkpoint of that stage learned (`--kinematic`), and then the same steps on pictures as
everyone. A variant that is already in the work folder is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cached_encodings import Rows, check_disjoint, context_of, encoded_rows, truth_of
from denoiser_table import print_table, table_rows
from numpy.typing import NDArray
from torch import Tensor

from armsight.files import atomic_write
from armsight.models.checkpoint import load_matching, load_pose_model, read_tensors
from armsight.models.denoisers import REGRESSIONS, DenoiserConfig
from armsight.models.diffusion import DiffusionConfig
from armsight.models.kinematics import TorchKinematics
from armsight.models.pose_model import PoseModel
from armsight.robots import load_robot
from armsight.train.config import TrainConfig
from armsight.train.optimiser import learning_rate_fraction, make_optimiser
from armsight.train.pose.objective import PoseObjective

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    denoiser: str
    prediction_type: str = "sample"
    kinematic_start: bool = False

    @property
    def name(self) -> str:
        kind = {"sample": "x0", "epsilon": "noise"}[self.prediction_type]
        name = self.denoiser if self.denoiser in REGRESSIONS else f"{self.denoiser}, {kind}"
        return name + (", kinematic start" if self.kinematic_start else "")

    @property
    def baseline(self) -> str:
        """The regression that this one is compared with."""
        family = "mlp_regression" if self.denoiser.startswith("mlp") else "regression"
        return Variant(family, kinematic_start=self.kinematic_start).name


VARIANTS = (
    Variant("mlp_regression", kinematic_start=True),
    Variant("mlp", kinematic_start=True),
    Variant("mlp_regression"),
    Variant("mlp"),
    Variant("mlp", "epsilon"),
    Variant("film"),
    Variant("film", "epsilon"),
    Variant("regression"),
    Variant("transformer"),
    Variant("transformer", "epsilon"),
)
"""Cheap ones first"""
STEPS = (1, 2, 5, 10, 100)
MANY_STEPS = 100
"""From so many sampling steps on, fewer pictures are scored"""
SCORE_BATCH = 32
ALL = 100_000


def make_variant(base: PoseModel, variant: Variant) -> PoseModel:
    """A new denoiser with fresh input layers behind the base's encoder, which is shared."""
    config = replace(
        base.config,
        denoiser=DenoiserConfig(variant.denoiser),
        diffusion=DiffusionConfig(prediction_type=variant.prediction_type),
    )
    torch.manual_seed(0)
    model = PoseModel(config)
    model.encoder = base.encoder
    return model


def train(model: PoseModel, rows: Rows | None, config: TrainConfig) -> float:
    """Train on encoded rows, or on kinematics alone where there are none; returns the time [s]."""
    objective = PoseObjective(model, config, TorchKinematics(load_robot(config.robot)))
    optimiser = make_optimiser(model, config)
    order = _order(len(rows["camera"]), config.batch_size) if rows else None
    started = time.process_time()
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["base_lr"] * learning_rate_fraction(step, config)
        if order is None or rows is None:
            loss, _ = objective({}, step)
        else:
            which = next(order)
            truth = truth_of(rows, which)
            g = torch.Generator().manual_seed(step)
            context = context_of(model, rows, which)
            loss = objective.denoise(context, truth, truth["robot_found"], g)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if (step + 1) % 200 == 0:
            print(f"  step {step + 1} of {config.steps}: {float(loss.detach()):.4f}", flush=True)
    return time.process_time() - started


def _order(count: int, batch_size: int) -> Iterator[Tensor]:
    """Endless batches of row numbers, each epoch in another order, the same for every variant."""
    g = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(count, generator=g)
        for first in range(0, count - batch_size + 1, batch_size):
            yield order[first : first + batch_size]


@torch.no_grad()
def joint_errors(
    model: PoseModel, rows: Rows, steps: int, hypotheses: int, limit: int
) -> dict[str, Array]:
    """Absolute errors (N, J - 1) [deg] of each reading of the hypotheses, on the first rows."""
    model.eval()
    low, high = torch.tensor(model.config.joint_limits).unbind(1)
    g = torch.Generator().manual_seed(0)
    parts: dict[str, list[Tensor]] = {}
    count = 1 if model.config.denoiser.name in REGRESSIONS else hypotheses
    for which in torch.arange(min(limit, len(rows["camera"]))).split(SCORE_BATCH):
        shape = (len(which), count, model.spec.num_tokens, model.spec.dim)
        noise = torch.randn(shape, generator=g)
        q = model.sample(context_of(model, rows, which), noise, steps)["joint_positions"]
        truth = rows["joint_positions"][which, None, :-1]
        # No arm is beyond its limits; noise prediction is at first, by far.
        q = q[..., 0].clamp(low, high)[..., :-1]
        each = (q - truth).abs()
        best = each.mean(-1).argmin(1)
        readings = {
            "median": (q.median(1).values - truth[:, 0]).abs(),
            "mean": (q.mean(1) - truth[:, 0]).abs(),
            "single": each[:, 0],
            "best": each[torch.arange(len(which)), best],
        }
        for name, errors in readings.items():
            parts.setdefault(name, []).append(torch.rad2deg(errors))
    return {name: torch.cat(errors).numpy() for name, errors in parts.items()}


def start_from_kinematics(model: PoseModel, config: TrainConfig, args: argparse.Namespace) -> float:
    """Everything but the encoder learns from kinematics; returns the time [s], 0 if it was read."""
    if args.kinematic is None:
        start = replace(
            config, stage="kinematic", steps=args.kinematic_steps, batch_size=args.kinematic_batch
        )
        return train(model, None, start)
    tensors = read_tensors(args.kinematic, "ema")
    load_matching(model, {k: v for k, v in tensors.items() if not k.startswith("encoder.")})
    return 0.0


def run_variant(
    variant: Variant, base: PoseModel, train_rows: Rows, test_rows: Rows, args: argparse.Namespace
) -> dict[str, Any]:
    """Train and score one variant: seconds of training, and errors by sampling steps."""
    config = TrainConfig(
        robot=base.config.robot, stage="denoiser", init_from=str(args.checkpoint),
        data=tuple(args.train), steps=args.steps, batch_size=args.batch_size,
        learning_rate=args.learning_rate, warmup_steps=50, noise_draws=args.noise_draws,
        hide_features=0.0, denoiser=variant.denoiser, prediction_type=variant.prediction_type,
    )  # fmt: skip
    model = make_variant(base, variant)
    result: dict[str, Any] = {"kinematic_seconds": 0.0}
    if variant.kinematic_start:
        result["kinematic_seconds"] = start_from_kinematics(model, config, args)
    result["train_seconds"] = train(model, train_rows, config)
    result["errors"] = {}
    for steps in (1,) if variant.denoiser in REGRESSIONS else STEPS:
        limit = args.many_steps_limit if steps >= MANY_STEPS else args.limit
        errors = joint_errors(model, test_rows, steps, args.hypotheses, limit)
        result["errors"][str(steps)] = {name: e.round(3).tolist() for name, e in errors.items()}
    return result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help="a pose model whose encoder is used")
    parser.add_argument("--train", nargs="+", required=True, metavar="SHARDS")
    parser.add_argument("--test", required=True, metavar="SHARDS")
    parser.add_argument("--work", type=Path, default=Path("runs/denoisers"), metavar="DIR")
    parser.add_argument("--backgrounds", type=Path, metavar="DIR")
    parser.add_argument("--pictures", type=int, default=16_000, help="training pictures")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--noise-draws", type=int, default=1)
    parser.add_argument("--kinematic", type=Path, metavar="CHECKPOINT",
                        help="of stage `kinematic`, in place of the kinematic steps")  # fmt: skip
    parser.add_argument("--kinematic-steps", type=int, default=600)
    parser.add_argument("--kinematic-batch", type=int, default=256)
    parser.add_argument("--hypotheses", type=int, default=4)
    parser.add_argument("--limit", type=int, default=ALL, help="test pictures")
    parser.add_argument("--many-steps-limit", type=int, default=64,
                        help="test pictures at 100 sampling steps")  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of variants")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    check_disjoint(args.train, args.test)
    base, _ = load_pose_model(args.checkpoint)
    args.work.mkdir(parents=True, exist_ok=True)
    train_rows = encoded_rows(
        base, args.train, limit=args.pictures, work=args.work, strength=1.0,
        backgrounds=args.backgrounds,
    )  # fmt: skip
    test_rows = encoded_rows(base, [args.test], limit=ALL, work=args.work, strength=0.0)
    settings = {k: str(v) for k, v in vars(args).items() if k not in ("json", "only", "threads")}
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    results: dict[str, dict[str, Any]] = {}
    baselines = {variant.name: variant.baseline for variant in VARIANTS}
    for variant in VARIANTS:
        if args.only and variant.name not in args.only:
            continue
        path = args.work / f"{variant.name.replace(', ', '-').replace(' ', '-')}-{key}.json"
        if not path.exists():
            print(variant.name, flush=True)
            result = run_variant(variant, base, train_rows, test_rows, args)
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(result))
        results[variant.name] = json.loads(path.read_text())
        if not args.json:
            print_table(table_rows({variant.name: results[variant.name]}, baselines))
    rows = table_rows(results, baselines)
    if args.json:
        print(json.dumps({"settings": settings, "rows": rows}, indent=1))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
