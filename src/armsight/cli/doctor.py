"""`armsight doctor`: is this machine fit for simulated control?"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict

import click

from armsight.outputs.documents import dumps


@click.command(name="doctor")
@click.option("--suite", default="libero_object", show_default=True, help="Which tasks.")
@click.option("--task", default="cream_cheese", show_default=True,
              help="Number, name or object of the task to simulate.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(suite: str, task: str, as_json: bool) -> None:
    """Check rendering, image orientation, gripper sign, versions and exact replay.

    Each line is OK or FAIL, with what to do. The exit code is 0 if all is well, else 1. Takes
    about half a minute.
    """
    from armsight.control.doctor import examine, installed
    from armsight.control.suite import check_suite

    check_suite(suite)
    checks = []
    for check in examine(task, suite):
        checks.append(check)
        if not as_json:
            click.echo(f"{'OK  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            if not check.ok:
                click.echo(textwrap.indent(check.fix, "      -> "))
    ok = all(check.ok for check in checks)
    if as_json:
        document = {"ok": ok, "checks": [asdict(c) for c in checks], "versions": installed()}
        click.echo(dumps(document))
    sys.exit(0 if ok else 1)
