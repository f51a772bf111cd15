"""Row against row of a control evaluation, over the episodes that both have played.

Two rows' own intervals say little about which is better: both lose the same hard episodes. What
tells them apart are the episodes that only one of them solves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from armsight.reports.figures import mean
from armsight.reports.intervals import (
    clustered_rate_interval,
    paired_difference_interval,
    sign_test,
)
from armsight.reports.journal import Line

COMPARED = (
    ("direct", "direct_no_averaging"),
    ("track", "track_no_averaging"),
    ("track", "direct"),
    ("track", "regression"),
)
"""What averaging brings, by either route; then routes, and diffusion against regression"""


def comparisons(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Every pair of COMPARED of which both were played, JSON-ready.

    Args:
        lines: of one stride.
    """
    rows: dict[str, list[Line]] = {}
    for line in lines:
        rows.setdefault(line["row"], []).append(line)
    found = [
        {"first": first, "second": second, **compare(rows[first], rows[second])}
        for first, second in COMPARED
        if first in rows and second in rows
    ]
    return [figures for figures in found if figures["episodes"]]


def compare(first: Sequence[Line], second: Sequence[Line]) -> dict[str, Any]:
    """Two rows over their common episodes.

    Returns:
        `episodes`, `both`, `only_first`, `only_second`; `difference` of the success rates, first
        minus second, with its 95 % `interval` (Tango's, or that of resampled tasks where it is
        wider); `p_value` of McNemar's exact test; `jerk_difference`, first minus second.
    """
    others = {(line["task"], line["initial_state"]): line for line in second}
    pairs = [
        (line, others[name])
        for line in first
        if (name := (line["task"], line["initial_state"])) in others
    ]
    by_task: dict[str, list[float]] = {}
    for one, other in pairs:
        by_task.setdefault(one["task"], []).append(float(one["success"]) - other["success"])
    changes = [change for task in by_task.values() for change in task]
    only_first, only_second = changes.count(1.0), changes.count(-1.0)
    low, high = paired_difference_interval(only_first, only_second, len(pairs))
    clustered = clustered_rate_interval(list(by_task.values()))
    if clustered is not None:
        low, high = min(low, clustered[0]), max(high, clustered[1])
    jerks = [(a["jerk"], b["jerk"]) for a, b in pairs]
    known = [a - b for a, b in jerks if a is not None and b is not None]
    return {
        "episodes": len(pairs),
        "both": sum(bool(a["success"] and b["success"]) for a, b in pairs),
        "only_first": only_first,
        "only_second": only_second,
        "difference": sum(changes) / len(pairs) if pairs else None,
        "interval": [low, high],
        "p_value": sign_test(only_first, only_second),
        "jerk_difference": mean(np.array(known, dtype=float)),
    }
