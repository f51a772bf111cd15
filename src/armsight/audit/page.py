"""An audit as an HTML page, with charts and pictures (Jinja2 and matplotlib, extra `viz`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from armsight.audit import table
from armsight.audit.charts import alignment_chart, camera_sketch, lag_chart
from armsight.audit.judge import UNREADABLE, WORDS, Audit, Judgement
from armsight.files import atomic_write
from armsight.reports.page import render
from armsight.robots import Robot

FINE_SHOWN = 12
"""Fine episodes whose pictures are on the page; there may be thousands"""
UNSURE = ("arm_hardly_moves", "too_few_frames", "cannot_tell", "arm_not_in_view")
PAGE = "report.html"


def write_page(folder: Path, audit: Audit, robot: Robot) -> Path:
    """`report.html` in the report's folder, beside the overlays that it shows.

    Raises:
        MissingExtraError: Jinja2 or matplotlib is not installed.
        OutputError: it cannot be written.
    """
    shown, hidden = _shown(audit.judgements)
    counts = audit.counts()
    text = render(
        "audit/page.html",
        title=f"Audit of {audit.dataset.name or audit.dataset}",
        audit=audit,
        tiles=[(WORDS[verdict], count, grade(verdict)) for verdict, count in counts.items()],
        sketch=camera_sketch(audit.cameras, robot),
        lags=lag_chart(audit) if _any_lag(audit) else None,
        shown=[(one, alignment_chart(one) if one.frames else None) for one in shown],
        hidden=hidden,
        anchor=_anchor,
        grade=grade,
        place=table.place,
        doubt_mm=table.doubt_mm,
        ranges=table.ranges,
        alignment=table.alignment,
        lag=table.lag,
        unexplained=table.unexplained,
        zeros=lambda one: _zeros(one, audit.joint_names),
    )
    with atomic_write(folder / PAGE) as path:
        path.write_text(text, encoding="utf-8")
    return folder / PAGE


def grade(verdict: str) -> str:
    """'good', 'bad' or 'unsure': the colour of a verdict."""
    return "good" if verdict == "fine" else "unsure" if verdict in UNSURE else "bad"


def _shown(judgements: Sequence[Judgement]) -> tuple[list[Judgement], int]:
    """What has pictures on the page, those with something to look at first, and how many not."""
    odd = [one for one in judgements if one.verdict != "fine"]
    fine = [one for one in judgements if one.verdict == "fine"]
    return odd + fine[:FINE_SHOWN], max(0, len(fine) - FINE_SHOWN)


def _any_lag(audit: Audit) -> bool:
    return any(one.calibration.get("time_offset") is not None for one in audit.judgements)


def _zeros(judgement: Judgement, joint_names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Zero offset and standard deviation [deg] of each joint; a dash where it cannot be seen."""
    found = judgement.calibration
    if judgement.verdict == UNREADABLE or found.get("joint_zero_offsets") is None:
        return []
    stds = found["joint_zero_offsets_std"] or [None] * len(joint_names)
    if all(std is None for std in stds):
        return []
    return [
        (name, "–", "–")
        if std is None
        else (name, f"{np.degrees(offset):+.2f}", f"{np.degrees(std):.2f}")
        for name, offset, std in zip(joint_names, found["joint_zero_offsets"], stds, strict=True)
    ]


def _anchor(judgement: Judgement) -> str:
    return f"{judgement.row['camera_key']}-{judgement.row['episode']}"
