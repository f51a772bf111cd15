"""Charts of the study: what joins points, what stands on an axis, which columns hold names."""

from __future__ import annotations

import re

import pytest

from armsight.reports.page import table
from armsight.vlm.study.charts import point_chart

POINTS = [(1.0, 5.0, 4.0, 6.0), (2.0, 3.0, 2.0, 4.0)]


def labels(chart: str) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", chart)


@pytest.mark.parametrize("lines", [True, False])
def test_points_are_joined_where_that_means_something(lines: bool) -> None:
    chart = point_chart([("a", POINTS)], x_label="x", y_label="y", lines=lines)
    assert ("<polyline" in chart) is lines
    assert chart.count("<circle") == 2
    assert chart.count('opacity="0.6"') == 2  # their intervals


def test_what_is_counted_has_whole_ticks() -> None:
    assert labels(point_chart([("a", POINTS)], x_label="n", y_label="y"))[-4:-2] == ["1", "2"]
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


def test_a_second_column_of_names_is_set_like_the_first() -> None:
    rows = [["one", "another", "1.0"]]
    assert 'class="names"' in table(["first", "second", "difference"], rows, names=True)
    assert 'class="names"' not in table(["first", "second", "difference"], rows)
