"""Charts say what they were given: read back from the SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from armsight.errors import MissingExtraError
from armsight.reports import charts
from armsight.reports.charts import (
    SERIES,
    interval_chart,
    line_chart,
    point_chart,
    range_chart,
    require_viz,
)

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [(1.0, 5.0, 4.0, 6.0), (2.0, 3.0, 2.0, 4.0)]
BLUE = "stroke: var(--series-1)"


def labels(chart: str) -> set[str]:
    return {text.text or "" for text in ElementTree.fromstring(chart).iter(f"{SVG}text")}


def paths(chart: str, style: str) -> list[np.ndarray]:
    """Coordinates [px] of all lines and areas of that style."""
    return [
        np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d", "")), float)
        for path in ElementTree.fromstring(chart).iter(f"{SVG}path")
        if style in path.get("style", "")
    ]


def test_a_line_lies_where_its_values_are() -> None:
    svg = line_chart([("a", [0, 5, 10], [0.0, 0.5, 1.0])], x_label="x", y_label="y", y_max=1.0)
    (points,) = paths(svg, BLUE)
    steps = np.diff(points, axis=0)
    assert steps[0] == pytest.approx(steps[1])
    assert steps[0, 0] > 50
    assert steps[0, 1] < -50


def test_percent_stands_in_the_label_and_not_at_each_tick() -> None:
    svg = line_chart([("a", [0, 10], [0.0, 1.0])], x_label="x", y_label="share", y_max=1.0,
                     percent=True)  # fmt: skip
    assert {"share [%]", "0", "20", "100"} <= labels(svg)
    assert not any(text.endswith(" %") for text in labels(svg))


def test_bars_end_where_the_quartiles_are() -> None:
    svg = range_chart([("j", 1.0, 2.0, 3.0, 7.0)], x_label="x")
    (bar,) = paths(svg, "fill: var(--series-1)")
    whisker, median = sorted(paths(svg, BLUE), key=lambda p: -np.ptp(p[:, 0]))
    low, high, end, middle = *np.unique(bar[:, 0]), whisker[:, 0].max(), median[0, 0]
    assert (end - low) / (high - low) == pytest.approx((7 - 1) / (3 - 1), rel=0.01)
    assert middle - low == pytest.approx((high - low) / 2, rel=0.01)


def test_intervals_reach_from_0_to_100_percent() -> None:
    svg = interval_chart([("a", 0.5, 0.25, 1.0)], x_label="success")
    assert {"success [%]", "0", "100", "a"} <= labels(svg)
    (bar,) = paths(svg, "fill: var(--series-1)")
    (mark,) = [p for p in paths(svg, BLUE) if np.ptp(p[:, 1]) > 5]
    low, high = bar[:, 0].min(), bar[:, 0].max()
    assert (mark[0, 0] - low) / (high - low) == pytest.approx((0.5 - 0.25) / 0.75, rel=0.01)


def test_charts_bear_edge_cases() -> None:
    flat = line_chart([("a", [0.0], [0.0]), ("b", [], [])], x_label="x", y_label="y")
    assert "nan" not in flat
    assert "j<1>" in labels(range_chart([("j<1>", 0.0, 0.0, 0.0, 123456.0)], x_label="x"))
    assert range_chart([("j", 0, 0, 0, 0.0)], x_label="x")


@pytest.mark.parametrize("lines", [True, False])
def test_points_are_joined_where_that_means_something(lines: bool) -> None:
    chart = point_chart([("a", POINTS)], x_label="x", y_label="y", lines=lines)
    assert chart.count("<use") - chart.count("#000000") >= 2
    wide = [path for path in paths(chart, BLUE) if np.ptp(path[:, 0]) > 100]
    tall = [path for path in paths(chart, BLUE) if "nan" not in str(path) and len(path) == 2
            and np.ptp(path[:, 0]) == 0]  # fmt: skip
    assert len(wide) == lines
    assert len(tall) == 2  # their intervals


def test_what_is_counted_has_whole_ticks() -> None:
    assert {"0", "1", "2"} <= labels(point_chart([("a", POINTS)], x_label="n", y_label="y"))
    assert not {"0.5", "1.5"} & labels(point_chart([("a", POINTS)], x_label="n", y_label="y"))
    halves = [(x / 2, *rest) for x, *rest in POINTS]
    assert "0.2" in labels(point_chart([("a", halves)], x_label="m", y_label="y"))


def test_charts_side_by_side_can_have_one_scale() -> None:
    small, large = (
        point_chart([("a", POINTS)], x_label="n", y_label="y", y_max=top) for top in (None, 60.0)
    )
    assert "60" in labels(large)
    assert "60" not in labels(small)
    # What is higher than that is not cut off.
    assert "6" in labels(point_chart([("a", POINTS)], x_label="n", y_label="y", y_max=1.0))


def test_colours_follow_the_page() -> None:
    svg = line_chart([("a", [0, 1], [0, 1])], x_label="x", y_label="y")
    assert not any(colour in svg for colour in SERIES)
    assert charts.css().count("--series-1: ") == 2  # in light and in dark


def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"matplotlib.*pip install 'armsight\[viz\]'"):
        line_chart([("a", [0], [0])], x_label="x", y_label="y")
    with pytest.raises(MissingExtraError, match="jinja2"):
        require_viz("A report page")
