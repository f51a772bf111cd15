"""Success rates of a control evaluation, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.evaluate.control.paired import comparisons
from armsight.evaluate.control.plan import ROWS, ControlPlan
from armsight.reports.figures import Figures, mean
from armsight.reports.intervals import clustered_rate_interval, wilson_interval
from armsight.reports.journal import Line

Array = NDArray[np.floating]

PAPER_TASKS = ("alphabet_soup", "cream_cheese", "salad_dressing", "ketchup", "tomato_sauce")
"""The five that PoseDiff reports, with a mean of 62 %"""


def mean_jerk(actions: ArrayLike) -> float:
    """Mean norm of the arm actions' second differences, in units of the action.

    An action commands a displacement for one control step, which is a velocity; its second
    difference is a jerk. Zero for fewer than three actions.
    """
    arm = np.asarray(actions, dtype=float)[:, :6]
    if len(arm) < 3:
        return 0.0
    return float(np.linalg.norm(np.diff(arm, 2, axis=0), axis=1).mean())


def control_result(plan: ControlPlan, lines: Sequence[Line]) -> dict[str, Any]:
    """All figures, JSON-ready; the default row's `overall` and `per_task` also at the top."""
    main = [line for line in lines if line["stride"] in (0, plan.stride)]
    rows: dict[str, Any] = {}
    for row in plan.rows:
        of_row = [line for line in main if line["row"] == row]
        rows[row] = {
            "what": ROWS[row],
            "status": plan.why_not(row) or "played",
            **success(of_row),
            **effort(of_row),
        }
    default = success([line for line in main if line["row"] == plan.default_row])
    demos = {(x["task"], x["initial_state"]): x for x in lines if "demonstration" in x}
    return {
        "default_row": plan.default_row,
        **default,
        "rows": rows,
        "comparisons": comparisons(main),
        "strides": {
            str(stride): success(
                [x for x in lines if x["row"] == plan.default_row and x["stride"] == stride]
            )["overall"]
            for stride in sorted({*plan.strides, plan.stride})
            if plan.strides and plan.default_row not in ("replay", "no_action")
        },
        "demonstrations": {
            "recorded": len(demos),
            "failed": sum(not line["demonstration"] for line in demos.values()),
            "repeated": sum(line["attempts"] > 1 for line in demos.values()),
        },
        "failures": [
            {name: line[name] for name in ("task", "initial_state", "steps", "error")}
            for line in main
            if line["row"] == plan.default_row and not line["success"]
        ],
        "settings": {
            "tasks": list(plan.tasks),
            "initial_states": list(plan.initial_states),
            "stride": plan.stride,
            "num_hypotheses": plan.num_hypotheses or "default",
            "weights": plan.weights,
            "regression_weights": plan.regression_weights,
            "pose_weights": plan.pose_weights,
            **plan.settings(),
        },
        "armsight": version("armsight"),
    }


def success(lines: Sequence[Line]) -> dict[str, Any]:
    """`overall`, `per_task` and `paper_tasks`: rates, episodes, 95 % intervals."""
    by_task: dict[str, list[bool]] = {}
    for line in lines:
        by_task.setdefault(line["task"], []).append(bool(line["success"]))
    paper = {
        task: found
        for task, found in by_task.items()
        if any(f"_{name}_" in f"_{task}_" for name in PAPER_TASKS)
    }
    return {
        "overall": overall(by_task),
        "per_task": {task: _rate(found) for task, found in by_task.items()},
        "paper_tasks": overall(paper),
    }


def overall(by_task: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    """Rate over all episodes; its interval is clustered by task, and no narrower than Wilson's.

    Episodes of one task succeed and fail together. Where all tasks happen to do equally well,
    resampling them shows no spread at all, and Wilson's interval says how little is known.
    """
    figures = _rate([found for task in by_task.values() for found in task])
    wilson = figures["interval"]
    clustered = clustered_rate_interval(list(by_task.values()))
    if clustered is not None and wilson is not None:
        figures["interval"] = [min(wilson[0], clustered[0]), max(wilson[1], clustered[1])]
    return {**figures, "wilson": wilson, "clustered": clustered and list(clustered)}


def _rate(found: Sequence[bool]) -> dict[str, Any]:
    """Figures of one group; no rate and no interval without episodes."""
    if not found:
        return {"success_rate": None, "successes": 0, "episodes": 0, "interval": None}
    return {
        "success_rate": sum(found) / len(found),
        "successes": sum(found),
        "episodes": len(found),
        "interval": list(wilson_interval(sum(found), len(found))),
    }


def effort(lines: Sequence[Line]) -> dict[str, Any]:
    """Mean jerk of the actions, and seconds from keyframes to them, over episodes."""

    def mean_of(name: str) -> Figures | None:
        values = [line[name] for line in lines if line[name] is not None]
        return mean(np.array(values, dtype=float))

    return {
        "mean_jerk": mean_of("jerk"),
        "seconds_per_video": mean_of("seconds"),
        "mean_num_actions": mean_of("num_actions"),
        "errors": sum(line["error"] is not None for line in lines),
    }
