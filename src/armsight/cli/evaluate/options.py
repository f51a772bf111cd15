"""Options and output that all of `armsight evaluate` share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

METHOD_NAMES = ("default", "no-outline", "diffusion-only", "keypoints-only", "ready-pose")

Command = Callable[..., Any]


def method_options(function: Command) -> Command:
    """How answers are made: robot, weights, method, workers."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--robot", default="panda", show_default=True, help="Name, data file, URDF or MJCF."
        ),
        click.option("--weights", help="Name or folder of the weights; by default the robot's."),
        click.option(
            "--method", type=click.Choice(METHOD_NAMES), default="default", show_default=True,
            help="no-outline: keypoints are fitted, edges are not; diffusion-only: no refinement; "
            "keypoints-only: least squares without the diffusion model; ready-pose: an answer "
            "without looking.",
        ),
        click.option(
            "--num-hypotheses", type=click.IntRange(min=1), help="Samples of the diffusion model."
        ),
        click.option(
            "--workers", type=click.IntRange(min=1), default=1, show_default=True,
            help="Processes; each loads the weights, and uses one thread if there are several.",
        ),
        click.option("--limit", type=click.IntRange(min=1), help="Only the first so many frames."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    ]  # fmt: skip
    for add_option in reversed(options):
        function = add_option(function)
    return function


def progress_bar(length: int, label: str) -> Any:
    """A bar on standard error, so that standard output holds the answer alone."""
    return click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True)


def print_result(result: dict[str, Any], text: str, as_json: bool, written: Path | None) -> None:
    """One JSON document or a table on standard output."""
    click.echo(json.dumps(result, allow_nan=False) if as_json else text)
    if written is not None:
        click.echo(f"wrote {written}", err=True)
