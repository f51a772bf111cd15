"""The `armsight` command. Each subcommand lives in its own module and is loaded when called."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from armsight.errors import ArmsightError

# One line of help here, so that `armsight --help` does not import torch or MuJoCo.
COMMANDS = {
    "estimate": "Read an arm's joint angles and camera pose from images or a video.",
    "extrinsics": "Find where a fixed camera stood, from frames and the robot's joints.",
    "actions": "Read the actions between the frames of a video.",
    "live": "See an arm live on a local web page.",
    "serve": "Answer images over HTTP.",
    "audit": "Check a recorded data set's joint logs and cameras against its pictures.",
    "render": "Render a training or test set of a robot.",
    "render-clips": "Render photos or videos of a robot before a fixed camera.",
    "make-robot": "Make a robot data file from an MJCF or URDF model.",
    "train": "Train a model.",
    "export": "Turn a training checkpoint into runtime weights (ONNX).",
    "calibrate": "Calibrate weights on a validation set.",
    "verify": "Say whether claimed joint angles agree with an image.",
    "ask": "Ask a vision-language model for joint angles, or to check claimed ones.",
    "make-pairs": "Make a set of reference and target pictures to ask about.",
    "evaluate": "Score estimates against a data set with known answers.",
    "control": "Make demonstrations in LIBERO-Object, and play actions there.",
    "doctor": "Check whether the package works here, and what its extras would add.",
    "bench": "Measure the runtime's speed on this machine.",
}


# Commands that need the workshop's extras: rendering, training, making weights.
WORKSHOP = {"render", "render-clips", "make-robot", "make-pairs", "train", "export", "calibrate"}


INTERRUPTED = 130
"""Exit code after Ctrl-C"""


def module_of(name: str) -> str:
    """The module or package that holds a subcommand."""
    room = "armsight.cli.workshop" if name in WORKSHOP else "armsight.cli"
    return f"{room}.{name.replace('-', '_')}"


class LazyGroup(click.Group):
    """A group whose subcommands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module: Any = importlib.import_module(module_of(cmd_name))
        command: click.Command = module.command
        command.name = cmd_name  # each is a function called `command` in its module
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C is told by its own exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("armsight: interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup)
@click.version_option(package_name="armsight")
def group() -> None:
    """armsight: see an arm, know its state."""


def end_on_sigterm() -> None:
    """Let SIGTERM end the program as an exception does: half-written files are tidied up."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def main() -> None:
    """Entry point: errors that armsight raises become one line and an exit code."""
    end_on_sigterm()
    try:
        group(prog_name="armsight")
    except ArmsightError as error:
        click.echo(f"armsight: {error}", err=True)
        sys.exit(error.exit_code)
