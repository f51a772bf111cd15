"""Run an audit: every episode and camera once, each row kept as soon as it is finished."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path

from armsight.audit.episode import EpisodeAuditor, Row, empty_row
from armsight.audit.plan import AuditPlan
from armsight.episodes.run import Engine, Runner
from armsight.episodes.units import Unit
from armsight.errors import OutputError
from armsight.files import atomic_write
from armsight.reports.journal import Journal

Auditor = Callable[[Unit], Row]
"""What audits an episode"""
FORMAT = "armsight-audit/1"
ROWS = "episodes.jsonl"
OVERLAYS = "overlays"


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
    runner = Runner(
        plan.dataset, partial(make_auditor, plan), empty_row, workers=workers, engine=engine
    )
    journal = None if report is None else Journal(report / ROWS, FORMAT, plan.settings(), "key")

    def keep(row: Row) -> None:
        assert report is not None
        _keep_overlay(row, report)

    try:
        return runner.run(plan.units(), journal, keep, progress)
    finally:
        if journal is not None:
            journal.close()


def overlay_path(row: Row) -> str:
    """Where a row's overlay is, relative to the report."""
    camera = "".join(c if c.isalnum() or c in "-_." else "_" for c in row["camera_key"])
    return f"{OVERLAYS}/{camera}/episode-{row['episode']:06d}.jpg"


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
