"""Run an audit: every episode and camera once, each row kept as soon as it is finished."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from armsight.audit.episode import EpisodeAuditor, Row, empty_row
from armsight.audit.plan import AuditPlan, Unit, episode_digest
from armsight.data.lerobot.reader import LeRobotReader
from armsight.errors import OutputError
from armsight.files import atomic_write
from armsight.parallel import WorkerDiedError, Workers
from armsight.reports.journal import Journal

Auditor = Callable[[Unit], Row]
"""What audits an episode"""
Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")
FORMAT = "armsight-audit/1"
ROWS = "episodes.jsonl"
OVERLAYS = "overlays"
KEPT = "finished episodes"
DIED = (
    "the process that audited this episode ended unexpectedly; perhaps the memory was short. Run "
    "the same command with fewer --workers"
)


def run_audit(
    plan: AuditPlan,
    report: Path | None = None,
    *,
    workers: int = 1,
    engine: Engine = "local",
    make_auditor: Callable[[AuditPlan], Auditor] = EpisodeAuditor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Row]:
    """Audit what is not in the report's folder yet; all rows of the plan's units, in order.

    Args:
        report: folder for the rows and the overlays; a run that was killed goes on from there.
        make_auditor: called once in each process; must be picklable.
        progress: called with the number of finished and of all units.

    Raises:
        ConfigError: the folder holds rows that were made with other settings.
        DatasetError: the data set's metadata cannot be read.
        MissingExtraError: a package is missing.
        OutputError: the folder cannot be written, or another audit is writing to it.
    """
    units = plan.units()
    reader = LeRobotReader(plan.dataset)
    journal = None if report is None else Journal(report / ROWS, FORMAT, plan.settings(), "key")
    rows = {} if journal is None else dict(journal.lines)
    try:
        todo = [
            unit
            for unit in units
            if rows.get(unit.key, {}).get("digest") != episode_digest(reader, unit)
        ]
        done = len(units) - len(todo)
        progress(done, len(units))
        for row in _audited(partial(make_auditor, plan), todo, workers, engine, reader):
            if report is not None and journal is not None:
                # The picture first: a row in the journal is not looked at again.
                _keep_overlay(row, report)
                journal.add(row)
            rows[row["key"]] = row
            done += 1
            progress(done, len(units))
    finally:
        if journal is not None:
            journal.close()
    return [rows[unit.key] for unit in units]


def overlay_path(row: Row) -> str:
    """Where a row's overlay is, relative to the report."""
    camera = "".join(c if c.isalnum() or c in "-_." else "_" for c in row["camera_key"])
    return f"{OVERLAYS}/{camera}/episode-{row['episode']:06d}.jpg"


def _audited(
    make: Callable[[], Auditor],
    units: Sequence[Unit],
    workers: int,
    engine: Engine,
    reader: LeRobotReader,
) -> Iterator[Row]:
    if not units:
        return
    if engine == "ray":
        from armsight.audit.ray_engine import run_on_ray

        yield from run_on_ray(make, units, workers)
        return
    left = list(units)
    while left:
        try:
            with Workers(make, workers, KEPT) as pool:
                for row in pool.run(left):
                    left = [unit for unit in left if unit.key != row["key"]]
                    yield row
        except WorkerDiedError:
            # Tasks are begun in order, so that whoever died is among the first: these go alone.
            suspects, left = left[: 2 * workers + 1], left[2 * workers + 1 :]
            yield from (_audited_apart(make, unit, reader) for unit in suspects)


def _audited_apart(make: Callable[[], Auditor], unit: Unit, reader: LeRobotReader) -> Row:
    """An episode in a process of its own; a row with an error where it dies."""
    try:
        with Workers(make, 1, KEPT, apart=True) as pool:
            return next(pool.run([unit]))
    except WorkerDiedError:
        # Without a digest the row is not kept as finished: the next run tries it again.
        return empty_row(reader, unit) | {"digest": "", "seconds": 0.0, "error": DIED}


def _keep_overlay(row: Row, report: Path) -> None:
    """Write the row's picture to its file, and its name into the row."""
    jpeg = row.pop("overlay_jpeg", None)
    row["overlay"] = None
    if jpeg is None:
        return
    row["overlay"] = overlay_path(row)
    with atomic_write(report / row["overlay"]) as path:
        try:
            path.write_bytes(base64.b64decode(jpeg))
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
