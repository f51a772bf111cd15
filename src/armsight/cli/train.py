"""`armsight train`: train a model from a config file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from armsight.cli._malloc import keep_large_blocks
from armsight.errors import ConfigError, MissingExtraError


@click.group()
def command() -> None:
    """Train a model."""


@command.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of settings.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE",
              help="Override one setting; the value is JSON, or text.")  # fmt: skip
def pose(config: Path | None, out: Path, overrides: tuple[str, ...]) -> None:
    """Train a pose model; run it again to resume.

    Several GPUs: accelerate launch --multi_gpu --num_processes N -m armsight train pose ...
    """
    if keep_large_blocks():
        os.execv(sys.executable, [sys.executable, "-m", "armsight", *sys.argv[1:]])
    try:
        from armsight.train.config import read_config
        from armsight.train.loop import train
    except ImportError as error:
        raise MissingExtraError(
            "Training", error.name or "torch", "pip install 'armsight[train]'"
        ) from error
    result = train(read_config(config, dict(_parse(text) for text in overrides)), out)
    click.echo(json.dumps(result))


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
