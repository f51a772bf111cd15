"""`armsight train`: train a model from a config file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from armsight.cli.workshop._malloc import keep_large_blocks
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
@_config
@_out
@_set
def actions(config: Path | None, out: Path, overrides: tuple[str, ...]) -> None:
    """Train an action model: the control steps between two keyframes of a video.

    Its data are made by `armsight control demos`. Run it again to resume.
    """
    _train("actions", config, out, overrides)


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
