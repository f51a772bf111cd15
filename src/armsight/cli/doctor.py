"""`armsight doctor`: does the package work here, and what would its extras add?"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Protocol

import click

from armsight.bench.checkup import Extra, checkup, extras
from armsight.outputs.documents import dumps


class Check(Protocol):
    """What a check found."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def detail(self) -> str: ...
    @property
    def fix(self) -> str: ...


@click.command(name="doctor")
@click.argument("what", required=False, type=click.Choice(["control"]))
@click.option("--suite", default="libero_object", show_default=True, help="Which tasks.")
@click.option("--task", default="cream_cheese", show_default=True,
              help="Number, name or object of the task to simulate.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(what: str | None, suite: str, task: str, as_json: bool) -> None:
    """Check whether the package works here, and say what each extra would add.

    With `control` also whether simulated control does: rendering, image orientation, gripper sign,
    versions and exact replay, in about half a minute. --suite and --task are for that.

    Each line is OK, FAIL with what to do, or -- for an extra that is not installed. The exit code
    is 1 if anything fails, else 0; what is not installed fails only where it is asked for.
    """
    checks: Iterator[Check] = checkup()
    if what == "control":
        from armsight.control.doctor import examine
        from armsight.control.suite import check_suite

        check_suite(suite)
        checks = iter(examine(task, suite))
    done: list[Any] = []
    for check in checks:
        done.append(check)
        if not as_json:
            click.echo(f"{'OK  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            if not check.ok and check.fix:
                click.echo(textwrap.indent(check.fix, "      -> "))
    ok = all(check.ok for check in done)
    document: dict[str, Any] = {"ok": ok, "checks": [asdict(check) for check in done]}
    if what == "control":
        from armsight.control.doctor import installed

        document["versions"] = installed()
    else:
        found = extras()
        document["extras"] = [{**asdict(extra), "install": extra.install} for extra in found]
        if not as_json:
            click.echo("\n".join(map(_line, found)))
    if as_json:
        click.echo(dumps(document))
    sys.exit(0 if ok else 1)


def _line(extra: Extra) -> str:
    """What an extra brings, or would bring."""
    if extra.installed:
        return f"OK    extra {extra.name}: {extra.adds}"
    missing = [name for name, version in extra.packages.items() if version is None]
    there = len(extra.packages) - len(missing)
    lacks = f" (lacks {', '.join(missing)})" if there else ""
    return f"--    extra {extra.name}{lacks} would add {extra.adds}: {extra.install}"
