"""`armsight train`: train a model from a config file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from armsight.cli.evaluate.options import progress_bar
from armsight.cli.workshop._malloc import keep_large_blocks
from armsight.cpus import available_cpus
from armsight.errors import ConfigError, MissingExtraError


@click.group()
def command() -> None:
    """Train a model."""


_config = click.option("--config", type=click.Path(path_type=Path), help="TOML file of settings.")
_out = click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder.")
_set = click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE",
                    help="Override one setting; the value is JSON, or text.")  # fmt: skip


@command.command()
@_config
@_out
@_set
def pose(config: Path | None, out: Path, overrides: tuple[str, ...]) -> None:
    """Train a pose model: joints, keypoints and depth from one image.

    Run it again to resume.
    Several GPUs: accelerate launch --multi_gpu --num_processes N -m armsight train pose ...
    """
    _train("pose", config, out, overrides)


@command.command()
@click.option("--dataset", metavar="FOLDER|HUB_ID",
              help="A LeRobot v3 data set of any robot, to train on without a config.")  # fmt: skip
@click.option("--camera-key", "camera_keys", multiple=True, metavar="NAME",
              help="With --dataset: a video to use, the main one first.  "
              "[default: all]")  # fmt: skip
@click.option("--action-key", default="action", show_default=True, metavar="NAME",
              help="With --dataset: the column of the actions.")  # fmt: skip
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=1.0,
              show_default=True, help="With --dataset: how long it may take in all.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True,
              help="With --dataset: of the split and of training.")  # fmt: skip
@_config
@_out
@_set
def actions(
    dataset: str | None,
    camera_keys: tuple[str, ...],
    action_key: str,
    hours: float,
    seed: int,
    config: Path | None,
    out: Path,
    overrides: tuple[str, ...],
) -> None:
    """Train an action model: the control steps between two keyframes of a video.

    With --dataset everything is read from the data set itself: OUT becomes weights for
    `armsight actions VIDEO --weights OUT`, scored on episodes that were held out. With --config
    the data are made by `armsight control demos`. Run it again to resume.
    """
    if dataset is None:
        _train("actions", config, out, overrides)
        return
    if config is not None:
        raise ConfigError("give --dataset or --config, not both; --set changes single settings")
    if keep_large_blocks():
        os.execv(sys.executable, [sys.executable, "-m", "armsight", *sys.argv[1:]])
    try:
        from armsight.train.recorded.hub import dataset_folder
        from armsight.train.recorded.run import default_config, train_on_dataset
    except ImportError as error:
        raise MissingExtraError(
            "Training", error.name or "torch", "pip install 'armsight[train,actions]'"
        ) from error
    settings = dict(_parse(text) for text in overrides)
    folder = dataset_folder(dataset)
    made = default_config(folder, out, hours, seed, camera_keys, action_key, settings)
    train_on_dataset(made, out, click.echo)
    click.echo(f"wrote {out}; use it with: armsight actions VIDEO --weights {out}")


@command.command()
@click.argument("description", metavar="ROBOT", type=str)
@_out
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=3.0,
              show_default=True, help="How long it may take in all.")  # fmt: skip
@click.option("--backgrounds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of pictures to put behind the robot, beside made-up ones.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=available_cpus(),
              show_default="number of cores", help="Processes that render.")  # fmt: skip
def robot(
    description: str, out: Path, hours: float, backgrounds: Path | None, workers: int
) -> None:
    """Make weights for an arm of your own: everything from its URDF to a score.

    ROBOT is a URDF or MJCF file, or a recipe (docs/train-your-own.md). OUT becomes weights for
    `armsight estimate PHOTO --robot OUT`, calibrated and scored on pictures that no training saw.
    A head and a denoiser are trained on the encoder that the package's robots share. Run it again
    to resume.
    """
    if keep_large_blocks():
        os.execv(sys.executable, [sys.executable, "-m", "armsight", *sys.argv[1:]])
    try:
        from armsight.train.robot.run import RobotRun
    except ImportError as error:
        raise MissingExtraError(
            "Training", error.name or "torch", "pip install 'armsight[robots,render,train]'"
        ) from error
    from armsight.reports.table import pose_table

    run = RobotRun(description, out, hours, backgrounds, workers, click.echo, progress_bar)
    click.echo(pose_table(run()))
    click.echo(
        f"wrote {out}; use it with: armsight estimate PHOTO --robot {out}\n"
        f"{out / 'score' / 'report.html'} shows the score and the worst pictures; "
        f"{out / 'training'} is needed to train on, and not to use the weights"
    )


def _train(task: str, config: Path | None, out: Path, overrides: tuple[str, ...]) -> None:
    if keep_large_blocks():
        os.execv(sys.executable, [sys.executable, "-m", "armsight", *sys.argv[1:]])
    try:
        from armsight.train.config import read_config
        from armsight.train.loop import train
    except ImportError as error:
        raise MissingExtraError(
            "Training", error.name or "torch", "pip install 'armsight[train]'"
        ) from error
    settings = {**dict(_parse(text) for text in overrides), "task": task}
    click.echo(json.dumps(train(read_config(config, settings), out)))


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
