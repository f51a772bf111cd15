"""The study's report folder: report.html, results.json, results.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from armsight.files import atomic_write
from armsight.reports.charts import line_chart
from armsight.reports.figures import Figures
from armsight.reports.page import charts, page, paragraph, section, table
from armsight.reports.table import columns, percent, shown
from armsight.vlm.parse import FAILURES
from armsight.vlm.study.items import SHIFTS_DEG
from armsight.vlm.study.pairs import PairSet
from armsight.vlm.study.scaling_charts import price_charts, scaling_charts, to_compare
from armsight.vlm.study.variants import Variant

if TYPE_CHECKING:
    from markupsafe import Markup

HTML, JSON, CSV = "report.html", "results.json", "results.csv"
INTERVALS = (
    "In brackets: 95 % intervals, bootstrap over clusters of targets that share their first "
    "reference picture."
)
HOW_TO_READ = (
    "mean: absolute error over all joints and targets. answered only: without the targets that got "
    "no answer. within 5°: share of joint angles. ADD-AUC: area under the ADD curve up to 100 mm "
    "in percent, over link origins with the true camera pose; – without one. seconds: median over "
    "targets, samples asked side by side."
)
FAILURES_MEAN = (
    "Of all samples that were asked for. refused: the model declined. unparsed: no joint angles "
    "could be read, also after one attempt at repair. error: the server failed. repaired: asked a "
    "second time for a usable answer. limits violated: a joint was beyond its limits, and clipped."
)


def write_report(
    folder: Path, result: dict[str, Any], variants: Sequence[Variant], pairs: PairSet
) -> None:
    """Write the three files.

    Raises:
        OutputError: one cannot be written.
    """
    with atomic_write(folder / JSON) as path:
        path.write_text(json.dumps(result, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    with atomic_write(folder / CSV) as path, path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(csv_rows(variants, pairs, result["prompt_version"]))
    with atomic_write(folder / HTML) as path:
        path.write_text(html(result), encoding="utf-8")


def csv_rows(
    variants: Sequence[Variant], pairs: PairSet, prompt_version: str
) -> Iterator[list[Any]]:
    """A line for each row of the table and target, joint errors in degrees."""
    names = pairs.robot.joint_names
    yield ["method", "model", "effort", "references", "samples", "merge", "refine",
           "prompt_version", "target", "group", "reference", "answered", "mean_error_deg",
           "mean_error_rad", *(f"{name}_error_deg" for name in names), "add_mm", "cost_usd",
           "seconds"]  # fmt: skip
    for v in variants:
        if v.note:
            continue
        errors, add = v.errors_deg(pairs).mean(axis=1), v.add_m(pairs)
        lost = np.asarray(v.lost.any(axis=1))
        for i, pair in enumerate(pairs.pairs):
            known = pair.target.T_cam_base is not None and np.isfinite(add[i]).all()
            yield [
                v.name, v.model, v.effort or "", v.references or "", v.samples or "", v.merge,
                v.refine or "", prompt_version if v.model else "", pair.name, pair.target.group,
                pair.references[0].name, int(not lost[i]), f"{errors[i].mean():.4f}",
                f"{np.radians(errors[i].mean()):.6f}", *(f"{e:.4f}" for e in errors[i]),
                f"{1000 * add[i].mean():.2f}" if known else "",
                "" if v.cost is None else f"{v.cost[i]:.6f}",
                "" if v.seconds is None else f"{v.seconds[i]:.3f}",
            ]  # fmt: skip


def html(result: dict[str, Any]) -> str:
    """The page."""
    rows = result["table"]
    missing = [f"{row['name']}: {row['note']}" for row in rows if row["note"]]
    body = [
        paragraph(
            f"{result['targets']} targets of {result['robot']} from {result['dataset']} "
            f"({', '.join(f'{n} {g}' for g, n in result['groups'].items())}), prompt "
            f"{result['prompt_version']}, pictures at most {result['image_size']} px."
        ),
        *[paragraph(f"Note: {note}.", "small") for note in [*missing, *result["notes"]]],
        section(
            "All targets",
            paragraph(
                INTERVALS + f" A target without an answer has {result['failures_count_as']}."
            ),
            paragraph(HOW_TO_READ),
            table(HEADER, [cells(row, row) for row in rows]),
        ),
    ]
    # What a reader came for first, its details below.
    scaling = charts(scaling_charts(result))
    body.append(section("Scaling", *([to_compare(rows), scaling] if scaling else [])))
    body.append(section("Cost and latency", charts(price_charts(rows))))
    body.append(section("Verifier: are claimed angles right?", *_verifiers(result)))
    for group in result["groups"] if len(result["groups"]) > 1 else ():
        some = [cells(row, row["groups"][group]) for row in rows if "groups" in row]
        body.append(section(f"Targets: {group}", table(GROUP_HEADER, some)))
    if failures := _failure_table(rows):
        body.append(section("Answers that failed", paragraph(FAILURES_MEAN), failures))
    joints = list(result["joint_names"])
    per_joint = [
        [row["name"], *(shown(row["per_joint_deg"][name]) for name in joints)]
        for row in rows
        if "per_joint_deg" in row
    ]
    body.append(section("Mean error of each joint [deg]", table(["method", *joints], per_joint)))
    if result["paired"]:
        body.append(
            section(
                "Paired differences in mean joint error [deg]",
                paragraph("First minus second on the same targets; below 0: the first is better."),
                table(
                    ["first", "second", "difference", "interval excludes 0"],
                    [
                        [
                            d["a"],
                            d["b"],
                            shown(d["difference_deg"]),
                            "yes" if d["excludes_zero"] else "",
                        ]
                        for d in result["paired"]
                    ],
                    names=True,
                ),
            )
        )
    return page("What vision-language models know of joint angles", body)


HEADER = [
    "method", "mean [deg]", "median of targets [deg]", "answered only [deg]", "unanswered",
    "cost [USD]", "seconds", "within 5°", "within 10°", "within 20°", "ADD-AUC 100 mm",
    "mean [rad]",
]  # fmt: skip
SPENT = slice(5, 7)
"""Columns that groups of targets do not have"""
GROUP_HEADER = HEADER[: SPENT.start] + HEADER[SPENT.stop :]


def cells(row: Figures, figures: Figures) -> list[str]:
    """One row of the main table, for all targets or for a group of them."""
    if "mean_deg" not in figures:
        return [row["name"], *["–"] * (len(HEADER) - 1)]
    cost, seconds = row["cost_usd"], row["seconds_per_target"]
    found = [
        row["name"], shown(figures["mean_deg"]), shown(figures["median_deg"]),
        shown(figures["mean_answered_deg"]), f"{figures['unanswered']} of {figures['targets']}",
        "–" if cost is None else f"{cost:.4f}", "–" if seconds is None else f"{seconds:.2f}",
        *(percent(figures[f"within_{limit}"]) for limit in (5, 10, 20)),
        shown(figures["add_auc"]), shown(figures["mean_rad"], 3),
    ]  # fmt: skip
    if row is not figures:
        del found[SPENT]
    return found


def text_table(result: dict[str, Any]) -> str:
    """For a terminal."""
    header = ["method", "mean error [deg]", "within 10°", "ADD-AUC", "failed samples", "USD"]
    rows = [header]
    for row in result["table"]:
        if "mean_deg" not in row:
            rows.append([row["name"], *["–"] * (len(header) - 1)])
            continue
        cost = "–" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}"
        failed = f"{sum(row['failures'].values())} of {row['asked']}" if row["asked"] else "–"
        rows.append(
            [row["name"], shown(row["mean_deg"]), percent(row["within_10"]),
             shown(row["add_auc"]), failed, cost]
        )  # fmt: skip
    lines = columns(rows)
    for verifier in result["verifiers"]:
        lines += ["", f"verifier {verifier['judge']}: AUC by shift of one joint"]
        for degrees in SHIFTS_DEG:
            lines.append(
                f"  {degrees:>2} deg: {shown(verifier['shift_deg'][str(degrees)]['auc'], 3)}"
            )
    lines += ["", INTERVALS]
    missing = [f"{row['name']}: {row['note']}" for row in result["table"] if row["note"]]
    return "\n".join([*lines, *(f"note: {note}" for note in [*missing, *result["notes"]])])


def _failure_table(rows: Sequence[Figures]) -> Markup:
    header = ["method", "samples", *FAILURES, "repaired", "limits violated"]
    return table(
        header,
        [
            [row["name"], str(row["asked"]), *(str(row["failures"].get(k, 0)) for k in FAILURES),
             str(row["repairs"]), str(row["violations"])]
            for row in rows
            # The median's and the medoid's row have the same samples.
            if row["asked"] and not row["baseline"] and row["merge"] != "medoid"
        ],
    )  # fmt: skip


def _verifiers(result: dict[str, Any]) -> list[Markup]:
    if not result["verifiers"]:
        return []
    header = ["verifier", "shift of one joint", "wrong claims", "AUC", *result["joint_names"]]
    rows, figures = [], []
    for verifier in result["verifiers"]:
        series = []
        for degrees in SHIFTS_DEG:
            part = verifier["shift_deg"][str(degrees)]
            joints = [shown(part["per_joint"][name], 2) for name in result["joint_names"]]
            rows.append([verifier["judge"], f"{degrees}°", str(part["claims"]),
                         shown(part["auc"], 3), *joints])  # fmt: skip
            if part["roc"]:
                alarms = [100 * share for share in part["roc"]["false_alarms"]]
                series.append((f"{degrees}°", alarms, part["roc"]["found"]))
        if series:
            chart = line_chart(
                series, x_label="false alarms on true claims [%]", y_label="wrong claims found",
                y_max=1.0, percent=True,
            )  # fmt: skip
            figures.append((chart, f"ROC of {verifier['judge']}"))
    text = (
        "AUC: chance that a wrong claim scores above a true one. Intervals: bootstrap over "
        "images, where there are several. Columns of joints: the claims in which that joint is "
        "shifted. 0.5 is chance. A missing verdict counts against the verifier."
    )
    return [paragraph(text), table(header, rows), charts(figures)]
