"""`armsight actions`: videos to actions; with a subcommand's name first, what is done with many."""

from __future__ import annotations

import importlib
from typing import Any

import click

READ = "read"
COMMANDS = ("label", "score")
"""Subcommands beside the reading of one video"""


class VideoFirst(click.Group):
    """A group whose first argument may also be a video: then it is read."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [READ, *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in (READ, *COMMANDS):
            return None
        module: Any = importlib.import_module(f"armsight.cli.actions.{cmd_name}")
        found: click.Command = module.command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in COMMANDS:
            args = [READ, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        # Usage lines say `armsight actions VIDEO`, without the name of the default.
        return ("" if name == READ else name), found, rest


@click.command(cls=VideoFirst)
def command() -> None:
    """Read the actions between the frames of a video."""
