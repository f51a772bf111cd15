"""From a LeRobot data set to scored weights: train, export, score, and say what was done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from armsight.actions.model import ActionModel
from armsight.card import CARD_FILE, update_card
from armsight.errors import OutputError
from armsight.evaluate.actions.held_out import describe, score_held_out
from armsight.files import atomic_write
from armsight.models.checkpoint import load_action_model
from armsight.models.export import export_action_model
from armsight.train.config import ALL_BLOCKS, TrainConfig
from armsight.train.loop import train
from armsight.train.recorded.pictures import open_pictures
from armsight.train.recorded.scene import usual_features
from armsight.train.recorded.task import open_recordings

LONGEST_PAIR_S = 0.4
MOST_STEPS, FEWEST_STEPS = 12, 2
"""Control steps between two keyframes that the network learns"""
MAIN_SHARE, REGRESSION_SHARE = 0.8, 0.1
"""Of the hours; the rest is for pictures, export and the score"""
INFERENCE_STEPS, HYPOTHESES = 5, 4
UNENDING = 10_000_000

Say = Callable[[str], None]


def default_config(
    dataset: Path, out: Path, hours: float, seed: int, camera_keys: tuple[str, ...],
    action_key: str, settings: dict[str, Any],
) -> TrainConfig:  # fmt: skip
    """Settings that suit a few CPU cores; `settings` replace them."""
    config = TrainConfig(
        task="actions", data=(str(dataset),), seed=seed, camera_keys=camera_keys,
        action_key=action_key, picture_folder=str(out / "training"), input_size=96,
        denoiser="mlp", denoiser_width=96, denoiser_depth=3, frozen_blocks=ALL_BLOCKS,
        cached_maps=True, window=4, batch_size=8, noise_draws=4, learning_rate=1e-3,
        warmup_steps=50, ema_decay=0.995,
        steps=UNENDING, time_limit=MAIN_SHARE * hours * 3600, log_every=50, checkpoint_every=200,
        loader_threads=1,
    )  # fmt: skip
    _, _, spec = open_recordings(config)
    longest = round(LONGEST_PAIR_S * spec.rate_hz)
    config = replace(config, max_stride=min(MOST_STEPS, max(FEWEST_STEPS, longest)))
    return replace(config, **settings)


def train_on_dataset(config: TrainConfig, out: Path, say: Say) -> dict[str, Any]:
    """Weights in `out`, with their card and `score.json`; run again to resume.

    Args:
        config: see `default_config`.
        say: is told how it goes.

    Returns:
        The score.

    Raises:
        DatasetError: the data set cannot be read.
        ConfigError: `out` holds a run with other settings.
        OutputError: `out` holds something else.
    """
    if (out / CARD_FILE).is_file() and not (out / "training").is_dir():
        raise OutputError(f"{out} holds weights of something else; choose another --out")
    reader, split, spec = open_recordings(config)
    say(
        f"{spec.dataset}: {len(reader)} episodes, {spec.rate_hz:g} Hz, cameras "
        f"{', '.join(spec.cameras)}\n{split.how}"
    )
    for one in spec.actions:
        extra = ", gripper" if one.gripper else ""
        extra += ", two values" if one.binary else ""
        say(f"  {one.name}: {one.kind}{extra}, {one.low:.4g} to {one.high:.4g} ({one.unit})")
    pictures = open_pictures(reader, spec.cameras, config.input_size, out / "training")
    run = train(config, out / "training" / "main")
    checkpoint = out / "training" / "main" / "checkpoint"
    say("the same without noise (regression), to compare with ...")
    regression = replace(
        config, stage="denoiser", denoiser="mlp_regression", init_from=str(checkpoint),
        cached_batches=80, cached_per_step=4, loader_threads=1, learning_rate=1.5e-3,
        time_limit=config.time_limit * REGRESSION_SHARE / MAIN_SHARE,
    )  # fmt: skip
    train(regression, out / "training" / "regression")
    usual = None
    folders = {"main": out, "regression": out / "training" / "regression" / "weights"}
    for name, folder in folders.items():
        model, info = load_action_model(out / "training" / name / "checkpoint")
        usual = usual or usual_features(model, pictures, split.train, config.seed)
        model.usual_mean, model.usual_scale, model.usual_limit = (
            usual.mean, usual.scale, usual.limit,
        )  # fmt: skip
        card = {"split": {"how": split.how, "held_out": split.held_out}}
        export_action_model(
            model, info, folder, num_inference_steps=INFERENCE_STEPS,
            num_hypotheses=HYPOTHESES, card=card,
        )  # fmt: skip
    result = score_held_out(
        ActionModel.from_pretrained(out), reader, split.held_out, split.train,
        others={"regression": ActionModel.from_pretrained(folders["regression"])},
    )  # fmt: skip
    result["trained_steps"] = run["step"]
    _keep(out, result)
    say(describe(result, spec))
    return result


def _keep(out: Path, result: dict[str, Any]) -> None:
    """Write the score beside the weights and into their card."""
    with atomic_write(out / "score.json") as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    update_card(out, {"metrics": {"held_out_episodes": result}})
