"""Charts as SVG that follow the page's colours, in light and in dark (matplotlib, extra `viz`)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from armsight.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIGHT = {
    "text": "#1c2430", "muted": "#5b6675", "back": "#ffffff", "card": "#f4f6f9",
    "line": "#d8dee6", "grid": "#e3e8ee", "axis": "#7d8896", "series-1": "#2563c9",
    "series-2": "#c2570c", "series-3": "#14804a", "series-4": "#8b3fc4", "true": "#128a3e",
    "estimate": "#c4189a", "bad": "#b3261e", "unsure": "#a15c00",
}  # fmt: skip
DARK = {
    "text": "#e4e9f0", "muted": "#9aa6b5", "back": "#12161c", "card": "#1b212a",
    "line": "#333d4a", "grid": "#28303b", "axis": "#6f7b8a", "series-1": "#6da3f7",
    "series-2": "#f19a58", "series-3": "#5cc98c", "series-4": "#bd8df0", "true": "#4fdc84",
    "estimate": "#ff7ad9", "bad": "#ff8a80", "unsure": "#f19a58",
}  # fmt: skip
SERIES = [LIGHT[f"series-{i}"] for i in (1, 2, 3, 4)]
DASHES = ("-", "--", ":", "-.")
"""Lines differ in more than colour, and one below another shows through"""
WIDTH, HEIGHT = 420, 260
"""Of a chart [px]"""

Point = tuple[float, float, float | None, float | None]
"""x, y, and the ends of its interval"""


def require_viz(what: str, *packages: str) -> None:
    """Check what a page or a chart needs, before any work is done for it.

    Raises:
        MissingExtraError: one of the packages is not installed; by default Jinja2 and matplotlib.
    """
    for package in packages or ("jinja2", "matplotlib"):
        if find_spec(package) is None:
            raise MissingExtraError(what, package, "pip install 'armsight[viz]'")


def css() -> str:
    """All colours as CSS variables, such as `--series-1`."""
    light, dark = (
        "; ".join(f"--{name}: {colour}" for name, colour in some.items()) for some in (LIGHT, DARK)
    )
    return (
        f":root {{ color-scheme: light dark; {light}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark}; }} }}"
    )


@contextmanager
def themed_figure(width: float = WIDTH, height: float = HEIGHT) -> Iterator[Figure]:
    """An empty figure of that size [px], which belongs to no window; draw and save it inside."""
    require_viz("A chart", "matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.rcsetup import cycler

    theme: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "armsight", "path.simplify": False,
        "font.size": 10, "text.color": LIGHT["text"], "axes.labelcolor": LIGHT["text"],
        "xtick.color": LIGHT["axis"], "ytick.color": LIGHT["axis"], "axes.edgecolor": LIGHT["axis"],
        "xtick.labelcolor": LIGHT["text"], "ytick.labelcolor": LIGHT["text"],
        "axes.grid": True, "axes.axisbelow": True, "grid.color": LIGHT["grid"],
        "axes.spines.top": False, "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=SERIES), "legend.frameon": False,
        **{f"axes3d.{axis}axis.panecolor": (0, 0, 0, 0) for axis in "xyz"},
    }  # fmt: skip
    with rc_context(theme):
        # SVG has 72 px to the inch.
        yield Figure(figsize=(width / 72, height / 72), layout="constrained")


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element: text as text, colours as CSS variables."""
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
    names = {colour: name for name, colour in reversed(LIGHT.items())}
    text = buffer.getvalue()
    return re.sub(
        "#[0-9a-f]{6}",
        lambda found: f"var(--{names[found[0]]})" if found[0] in names else found[0],
        text[text.index("<svg") :],
    )


def line_chart(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    y_max: float | None = None,
    percent: bool = False,
) -> str:
    """Lines over x, both axes from 0.

    Args:
        series: name, x values, y values of each line; at most four.
        y_max: top of the y axis; by default the largest value.
        percent: y is a share, shown in percent; the label gets that unit.
    """
    scale = 100.0 if percent else 1.0
    with themed_figure() as figure:
        axes = figure.add_subplot()
        for (name, xs, ys), dash in zip(series, DASHES, strict=False):
            axes.plot(xs, [scale * y for y in ys], dash, label=name, linewidth=2)
        axes.set_xlim(0, max((max(xs) for _, xs, _ in series if len(xs)), default=1.0) or 1.0)
        axes.set_ylim(0, None if y_max is None else scale * y_max)
        _label(axes, x_label, y_label + " [%]" * percent)
        if len(series) > 1:
            _legend(figure)
        return svg(figure)


def point_chart(
    series: Sequence[tuple[str, Sequence[Point]]],
    *,
    x_label: str,
    y_label: str,
    x_names: Sequence[str] = (),
    lines: bool = True,
    y_max: float | None = None,
) -> str:
    """Points with intervals, both axes from 0; at most four series.

    Args:
        lines: join the points of a series in the order given.
        x_names: labels of x = 0, 1, 2, … where x is not a number.
        y_max: what the y axis holds at least, so that charts side by side can be compared.
    """
    points = [point for _, some in series for point in some]
    with themed_figure() as figure:
        axes = figure.add_subplot()
        for i, (name, some) in enumerate(series):
            style: dict[str, Any] = {"color": SERIES[i], "markersize": 5}
            axes.plot([p[0] for p in some], [p[1] for p in some],
                      "o" + DASHES[i] * lines, label=name, **style)  # fmt: skip
            for x, _, low, high in some:
                if low is not None and high is not None:
                    axes.vlines(x, low, high, color=SERIES[i], alpha=0.6)
        if x_names:
            axes.set_xticks(range(len(x_names)), x_names)
            axes.set_xlim(-0.25, max(len(x_names) - 1, 1) + 0.25)
        else:
            axes.set_xlim(0, 1.03 * (max((p[0] for p in points), default=1.0) or 1.0))
            if all(float(p[0]).is_integer() for p in points):
                axes.locator_params(axis="x", integer=True)
        axes.set_ylim(0, 1.05 * (max(y_max or 0.0, highest_of(points)) or 1.0))
        _label(axes, x_label, y_label)
        _legend(figure)
        return svg(figure)


def highest_of(points: Sequence[Point]) -> float:
    """The top of all points and their intervals; 0 without any."""
    return max((p[1] if p[3] is None else p[3] for p in points), default=0.0)


def range_chart(rows: Sequence[tuple[str, float, float, float, float]], *, x_label: str) -> str:
    """A bar from the lower to the upper quartile for each row, its median, and a line to p95.

    Args:
        rows: label, 25th, 50th, 75th and 95th percentile.
    """
    bars = [(label, p50, p25, p75, p95) for label, p25, p50, p75, p95 in rows]
    return _bar_chart(bars, x_label, None)


def interval_chart(rows: Sequence[tuple[str, float, float, float]], *, x_label: str) -> str:
    """A rate with its interval for each row, from 0 to 100 %.

    Args:
        rows: label, rate, lower and upper bound.
    """
    bars = [
        (label, 100 * rate, 100 * low, 100 * high, 100 * high) for label, rate, low, high in rows
    ]
    return _bar_chart(bars, f"{x_label} [%]", 100.0)


def _bar_chart(
    rows: Sequence[tuple[str, float, float, float, float]], x_label: str, x_max: float | None
) -> str:
    """A row each: label, mark, both ends of a bar, and the end of a line that goes on from it."""
    with themed_figure(height=60 + 26 * len(rows)) as figure:
        axes = figure.add_subplot()
        for y, (_, mark, low, high, end) in enumerate(rows):
            axes.barh(y, high - low, 0.5, low, color=SERIES[0], alpha=0.45)
            axes.hlines(y, high, end, color=SERIES[0])
            axes.vlines(mark, y - 0.33, y + 0.33, color=SERIES[0], linewidth=3)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.use_sticky_edges = False
        axes.set_xlim(0, x_max)
        axes.grid(visible=False, axis="y")
        _label(axes, x_label, "")
        return svg(figure)


def _label(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.tick_params(length=0)


def _legend(figure: Figure) -> None:
    """Names below the chart, in as many columns as they have room for."""
    labels = figure.axes[0].get_legend_handles_labels()[1]
    columns = 2 if max(map(len, labels), default=0) < 28 else 1
    figure.legend(loc="outside lower left", ncols=columns, handlelength=2.6)
