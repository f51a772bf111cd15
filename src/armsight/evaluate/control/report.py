"""The report of a control evaluation: a table for the terminal, JSON, one HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from armsight.control.rollout import HOLD_STEPS
from armsight.evaluate.control.plan import ControlPlan, PlayedEpisode
from armsight.evaluate.control.run import video_path
from armsight.evaluate.poses.pose import write_json
from armsight.files import atomic_write
from armsight.reports.charts import interval_chart, line_chart
from armsight.reports.journal import Line
from armsight.reports.page import charts, page, paragraph, pictures, section, table, tiles
from armsight.reports.table import columns, shown

if TYPE_CHECKING:
    from markupsafe import Markup

Figures = dict[str, Any]

OFFLINE_TEXT = (
    "Strictly offline: all actions of an episode are computed from the keyframes before the first "
    f"step, then played open loop, with {HOLD_STEPS} steps without a move behind them."
)
INTERVAL_TEXT = (
    "In brackets: 95 % intervals. For a task Wilson's; over tasks a bootstrap that resamples whole "
    "tasks, and never narrower than Wilson's."
)
JERK_TEXT = "Jerk: mean norm of the arm actions' second differences, in units of the action"
PAIRED_TEXT = (
    "Over the same episodes: how many only one of the two rows solves, the difference of their "
    "success in percentage points [its interval], and McNemar's exact test."
)
PAIRED_HEAD = ["row against row", "episodes", "only the first", "only the second",
               "difference", "p", "jerk difference"]  # fmt: skip
LARGEST_EMBEDDED = 600_000
"""Bytes of a film that the page holds itself"""


def write_control_report(plan: ControlPlan, result: dict[str, Any], lines: Sequence[Line]) -> Path:
    """Write results.json and report.html to the plan's folder; the page's path.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_json(plan.folder / "results.json", {**result, "episodes": list(lines)})
    path = plan.folder / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(control_page(plan, result), encoding="utf-8")
    return path


def rate(figures: Figures | None) -> str:
    """'83.0 % [74.4, 89.1]', or '–' without episodes."""
    if not figures or figures["success_rate"] is None:
        return "–"
    low, high = figures["interval"]
    return f"{100 * figures['success_rate']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def percent(figures: Figures | None) -> str:
    """'83 [74, 89]', or '–' without episodes: whole percents, where many stand side by side."""
    if not figures or figures["success_rate"] is None:
        return "–"
    rate, low, high = (100 * x for x in (figures["success_rate"], *figures["interval"]))
    return f"{rate:.0f} [{low:.0f}, {high:.0f}]"


def short(task: str) -> str:
    """The object of a pick-and-place task, or the whole name."""
    words = task.removeprefix("pick_up_the_").removesuffix("_and_place_it_in_the_basket")
    return words.replace("_", " ")


def control_table(result: dict[str, Any]) -> str:
    """The main figures for a terminal."""
    head = ["row", "episodes", "success", "the paper's five", "jerk", "s/video"]
    lines = columns([head, *_summary(result)])
    per_task = [["task", "episodes", f"success ({result['default_row']})"]]
    per_task += [
        [short(task), str(figures["episodes"]), rate(figures)]
        for task, figures in result["per_task"].items()
    ]
    lines += ["", *columns(per_task)]
    if compared := _compared(result):
        lines += ["", *columns([PAIRED_HEAD, *compared])]
    if result["strides"]:
        strides = [["stride", f"success ({result['default_row']})"]]
        strides += [[stride, rate(figures)] for stride, figures in result["strides"].items()]
        lines += ["", *columns(strides)]
    demos = result["demonstrations"]
    if demos["recorded"]:
        lines += ["", _demonstrations(demos)]
    return "\n".join([*lines, f"{JERK_TEXT}.", INTERVAL_TEXT])


def _summary(result: dict[str, Any]) -> list[list[str]]:
    """A line of cells for each row."""
    found = []
    for name, row in result["rows"].items():
        if row["status"] != "played":
            found.append([name, "0", row["status"], "", "", ""])
            continue
        found.append([
            name,
            str(row["overall"]["episodes"]),
            rate(row["overall"]),
            rate(row["paper_tasks"]),
            shown(row["mean_jerk"], 3),
            shown(row["seconds_per_video"], 2),
        ])  # fmt: skip
    return found


def _compared(result: dict[str, Any]) -> list[list[str]]:
    """A line of cells for each pair of rows."""
    found = []
    for pair in result["comparisons"]:
        change, low, high = (100 * x for x in (pair["difference"], *pair["interval"]))
        found.append([
            f"{pair['first']} against {pair['second']}",
            str(pair["episodes"]),
            str(pair["only_first"]),
            str(pair["only_second"]),
            f"{change:+.1f} [{low:+.1f}, {high:+.1f}]",
            f"{pair['p_value']:.2g}",
            shown(pair["jerk_difference"], 3),
        ])  # fmt: skip
    return found


def _demonstrations(demos: Figures) -> str:
    return (
        f"{demos['recorded']} demonstrations recorded, {demos['repeated']} of them in more than "
        f"one try, {demos['failed']} without success (all rows lose those)."
    )


def control_page(plan: ControlPlan, result: dict[str, Any]) -> str:
    """The HTML page."""
    settings = result["settings"]
    title = f"Video to actions in {settings.get('suite', 'simulation')}"
    states = settings["initial_states"]
    return page(
        title,
        [
            paragraph(
                f"{len(settings['tasks'])} tasks, initial states {min(states)} to {max(states)} "
                f"({len(states)}), keyframes: {settings['keyframes']}, stride {plan.stride}, seed "
                f"{settings['seed']}. armsight {result['armsight']}."
            ),
            paragraph(OFFLINE_TEXT),
            tiles(_tiles(result)),
            section("Rows", *_rows(result)),
            section("Row against row", *_paired(result)),
            section("Per task", *_per_task(result)),
            section("Strides", *_strides(result)),
            section("Failures", *_failures(plan, result)),
        ],
    )


def _tiles(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    default, row = result["overall"], result["rows"].get(result["default_row"], {})
    found = []
    for label, figures in (("success", default), ("the paper's five", result["paper_tasks"])):
        if figures["episodes"]:
            value, _, interval = rate(figures).partition(" [")
            found.append((value, f"{label} ({result['default_row']})", f"[{interval}"))
    if seconds := row.get("seconds_per_video"):
        steps = row["mean_num_actions"]
        found.append((f"{seconds['value']:.2f} s", "keyframes to actions",
                      f"{steps['value']:.0f} actions a video"))  # fmt: skip
    return found


def _rows(result: dict[str, Any]) -> list[Markup]:
    head = ["row", "episodes", "success", "the paper's five", "jerk", "s/video", "what it is"]
    body = [
        [*cells, result["rows"][cells[0]]["what"]] for cells in _summary(result)
    ]  # what a row is stands last, since it is long
    bars = [
        (name, row["overall"]["success_rate"], *row["overall"]["interval"])
        for name, row in result["rows"].items()
        if row["overall"]["episodes"]
    ]
    parts = [
        table(head, body, result["default_row"], prose=True),
        paragraph(f"{INTERVAL_TEXT} {JERK_TEXT}."),
    ]
    if bars:
        chart = interval_chart(bars, x_label="success")
        parts.append(charts([(chart, "Success of each row, with its interval")]))
    if result["demonstrations"]["recorded"]:
        parts.append(paragraph(_demonstrations(result["demonstrations"])))
    return parts


def _per_task(result: dict[str, Any]) -> list[Markup]:
    played = {name: row for name, row in result["rows"].items() if row["overall"]["episodes"]}
    body = [
        [short(task), *(percent(row["per_task"].get(task)) for row in played.values())]
        for task in result["settings"]["tasks"]
    ]
    return [table(["task", *played], body), paragraph("Success in percent [its interval].")]


def _paired(result: dict[str, Any]) -> list[Markup]:
    compared = _compared(result)
    return [table(PAIRED_HEAD, compared), paragraph(PAIRED_TEXT)] if compared else []


def _strides(result: dict[str, Any]) -> list[Markup]:
    known = {int(s): f for s, f in result["strides"].items() if f["episodes"]}
    if len(known) < 2:
        return []
    xs = [float(stride) for stride in known]
    series = [
        ("success", xs, [figures["success_rate"] for figures in known.values()]),
        ("lower end of the interval", xs, [figures["interval"][0] for figures in known.values()]),
        ("upper end", xs, [figures["interval"][1] for figures in known.values()]),
    ]
    svg = line_chart(series, x_label="stride [control steps]", y_label="success", y_max=1.0,
                     percent=True)  # fmt: skip
    body = [[str(s), str(figures["episodes"]), rate(figures)] for s, figures in known.items()]
    return [
        charts([(svg, f"Success of {result['default_row']} against the keyframes' distance")]),
        table(["stride", "episodes", "success"], body),
    ]


def _failures(plan: ControlPlan, result: dict[str, Any]) -> list[Markup]:
    body, films = [], []
    for failure in result["failures"]:
        unit = PlayedEpisode(
            failure["task"], failure["initial_state"], plan.default_row, plan.stride
        )
        reason = failure["error"] or "played to the end without success"
        body.append([short(unit.task), str(unit.initial_state), reason])
        if (film := video_path(plan, unit)).is_file():
            caption = f"{short(unit.task)}, initial state {unit.initial_state}"
            films.append(
                (_source(film, plan.folder), f"{caption}: keyframes, and what was executed")
            )
    header = ["task", "initial state", "what became of it"]
    return [table(header, body, prose=True), pictures(films, films=True)]


def _source(film: Path, folder: Path) -> str:
    """Inside of the page, so that it needs no other file; a large film stays beside it."""
    if film.stat().st_size > LARGEST_EMBEDDED:
        return film.relative_to(folder).as_posix()
    return "data:video/mp4;base64," + base64.b64encode(film.read_bytes()).decode()
