"""`armsight estimate DATASET --out COPY`: a data set in, a copy with estimates out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from armsight.annotate.plan import EstimatePlan, make_plan
from armsight.annotate.run import estimate_dataset, work_folder
from armsight.cli import INTERRUPTED
from armsight.cli._progress import counting
from armsight.cli._report import printable
from armsight.episodes.run import ENGINES, Row
from armsight.errors import ConfigError
from armsight.outputs.documents import dumps


def run_dataset(
    dataset: Path, out: Path, *, workers: int, engine: str, as_json: bool, **options: Any
) -> int:
    """Estimate every frame, write the copy, and say how it went; the exit code.

    Args:
        options: as for `make_plan`.
    """
    plan = make_plan(dataset, **options)
    chosen = next(name for name in ENGINES if name == engine)
    done: list[int] = [0]
    rows: list[Row] | None = None
    try:
        with counting(len(plan.units()), f"reading {plan.robot} in episodes") as tell:

            def progress(finished: int, total: int) -> None:
                done[0] = finished
                tell(finished)

            rows = estimate_dataset(plan, out, workers=workers, engine=chosen, progress=progress)
    except KeyboardInterrupt:
        click.echo(
            f"armsight: interrupted; {done[0]} episodes are kept in {work_folder(out)}: the same "
            "command goes on from there",
            err=True,
        )
    if as_json:
        click.echo(dumps(_document(plan, out, rows)))
    elif rows is not None:
        click.echo(printable(_table(rows, out)))
    for row in rows or ():
        if row["error"]:
            click.echo(printable(f"armsight: {row['key']}: {row['error']}"), err=True)
    if rows is None:
        return INTERRUPTED
    return next((int(row["exit_code"]) for row in rows if row["error"]), 0)


def _document(plan: EstimatePlan, out: Path, rows: Sequence[Row] | None) -> dict[str, Any]:
    shown = ("episode", "camera_key", "num_frames", "num_read", "num_robot_found",
             "intrinsics_source", "seconds", "notes", "error")  # fmt: skip
    return {
        "dataset": str(plan.dataset),
        "robot": plan.robot,
        "joint_names": list(plan.joint_names),
        "out": None if rows is None else str(out),
        "interrupted": rows is None,
        "episodes": [{name: row.get(name) for name in shown} for row in rows or ()],
    }


def _table(rows: Sequence[Row], out: Path) -> str:
    lines = [
        f"{row['key']}: {row['num_read']} of {row['num_frames']} frames, arm found in "
        f"{row['num_robot_found']}" + "".join(f"\n  note: {note}" for note in row["notes"])
        for row in rows
    ]
    return "\n".join([*lines, f"wrote {out}"])


def check_alone(images: Sequence[str], out: Path, more: bool) -> None:
    """See that nothing is asked for beside a data set.

    Args:
        more: options were given that data sets do not have.

    Raises:
        ConfigError: something is, or there is no folder for the copy.
    """
    if len(images) > 1 or out == Path() or more:
        raise ConfigError(
            "a data set is read alone, and written to a copy: name it and --out COPY, without "
            "other images, --box and --rerun"
        )
