"""`armsight evaluate`: score answers against what is known to be true."""

from __future__ import annotations

import click

from armsight.cli.evaluate.control import control
from armsight.cli.evaluate.occlusion import occlusion
from armsight.cli.evaluate.pose import pose
from armsight.cli.evaluate.presence import presence
from armsight.cli.evaluate.vlm import vlm


@click.group(name="evaluate")
def command() -> None:
    """Score estimates against a data set with known answers."""


# A new kind of evaluation is a click command in its own module and one line here.
command.add_command(pose)
command.add_command(occlusion)
command.add_command(presence)
command.add_command(vlm)
command.add_command(control)
