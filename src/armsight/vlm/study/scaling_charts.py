"""Charts of the study: error against each knob, cost and latency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from armsight.reports.charts import Point, highest_of, point_chart
from armsight.reports.figures import Figures
from armsight.reports.page import paragraph
from armsight.reports.table import shown

if TYPE_CHECKING:
    from markupsafe import Markup

PER_CHART = 4
X_LABELS = {
    "samples": "samples per target",
    "effort": "reasoning effort",
    "references": "reference pictures",
    "model size": "billions of parameters",
}


def scaling_charts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Charts and captions of results.json's `scaling`."""
    figures = []
    for knob, lines in result["scaling"].items():
        names: list[str] = []
        if knob == "effort":
            names = list(dict.fromkeys(p["x"] for line in lines for p in line["points"]))
        series: list[tuple[str, list[Point]]] = [
            (
                line["label"],
                [
                    (float(names.index(p["x"]) if names else p["x"]), p["mean_deg"], p["low"],
                     p["high"])
                    for p in line["points"]
                ],
            )
            for line in lines
        ]  # fmt: skip
        top = highest_of([point for _, points in series for point in points])
        for some in _in_charts(series):
            chart = point_chart(
                some, x_label=X_LABELS[knob], y_label="mean joint error [deg]", x_names=names,
                y_max=top,
            )  # fmt: skip
            figures.append((chart, f"Error against {X_LABELS[knob]}"))
    return figures


def price_charts(rows: Sequence[Figures]) -> list[tuple[str, str]]:
    """Charts and captions of the table's rows."""
    figures = []
    for key, label in (
        ("cost_usd_per_target", "USD per target"),
        ("seconds_per_target", "seconds per target (median; samples in parallel)"),
    ):
        series: dict[str, list[Point]] = {}
        for row in rows:
            if row["model"] and row[key] is not None and "mean_deg" in row:
                mean = row["mean_deg"]
                series.setdefault(row["model"], []).append(
                    (row[key], mean["value"], mean["low"], mean["high"])
                )
        ordered = [(name, sorted(points)) for name, points in series.items()]
        top = highest_of([point for _, points in ordered for point in points])
        for some in _in_charts(ordered):
            # Each point is another way of asking: no line leads from one to the next.
            chart = point_chart(some, x_label=label, y_label="mean joint error [deg]", lines=False,
                                y_max=top)  # fmt: skip
            figures.append((chart, f"Error against {label}"))
    return figures


def to_compare(rows: Sequence[Figures]) -> Markup:
    """The errors of the rows that no knob changes."""
    told = [
        f"{row['name'].removeprefix('baseline: ')} {shown(row['mean_deg'])}"
        for row in rows
        if row["baseline"] and "mean_deg" in row
    ]
    return paragraph(f"To compare, mean joint error [deg]: {'; '.join(told)}.")


def _in_charts(
    series: Sequence[tuple[str, list[Point]]],
) -> Iterator[Sequence[tuple[str, list[Point]]]]:
    for start in range(0, len(series), PER_CHART):
        yield series[start : start + PER_CHART]
