"""Small charts as inline SVG that follow the page's colours, in light and in dark.

Colours come from CSS variables: --series-1 and so on, --axis, --grid; text uses currentColor.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 40
DASHES = ("", ' stroke-dasharray="7 4"', ' stroke-dasharray="2 3"', ' stroke-dasharray="9 3 2 3"')
"""Lines differ in more than colour, and one below another shows through"""


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
    x_top = max((max(xs) for _, xs, _ in series if len(xs)), default=1.0) or 1.0
    highest = max((max(ys) for _, _, ys in series if len(ys)), default=1.0)
    y_step = tick_step(y_max or highest or 1.0)
    y_top = y_max or y_step * -(-highest // y_step) or 1.0

    def point(x: float, y: float) -> str:
        px = LEFT + (WIDTH - LEFT - RIGHT) * x / x_top
        py = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(y / y_top, 1.0)
        return f"{px:.1f},{py:.1f}"

    parts = [axes(x_top, y_top, x_label, y_label, percent)]
    for i, (name, xs, ys) in enumerate(series, 1):
        points = " ".join(point(x, y) for x, y in zip(xs, ys, strict=True))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="var(--series-{i})" '
            f'stroke-width="2"{DASHES[i - 1]}><title>{escape(name)}</title></polyline>'
        )
    return figure(parts, [name for name, _, _ in series] if len(series) > 1 else [])


def range_chart(rows: Sequence[tuple[str, float, float, float, float]], *, x_label: str) -> str:
    """A bar from the lower to the upper quartile for each row, its median, and a line to p95.

    Args:
        rows: label, 25th, 50th, 75th and 95th percentile.
    """
    left, row_height = 110, 26
    height = TOP + row_height * len(rows) + BOTTOM
    top = max((row[4] for row in rows), default=1.0) or 1.0
    step = tick_step(top)
    top = step * -(-top // step)

    def x(value: float) -> float:
        return left + (WIDTH - left - RIGHT) * value / top

    parts = []
    for i in range(round(top / step) + 1):
        parts.append(line(x(i * step), TOP, x(i * step), height - BOTTOM, "--grid"))
        parts.append(text(x(i * step), height - BOTTOM + 14, f"{i * step:g}", "middle"))
    for i, (label, p25, p50, p75, p95) in enumerate(rows):
        y = TOP + row_height * (i + 0.5)
        parts += [
            text(left - 6, y + 4, label, "end"),
            line(x(p75), y, x(p95), y, "--series-1"),
            f'<rect x="{x(p25):.1f}" y="{y - 7:.1f}" width="{x(p75) - x(p25):.1f}" height="14" '
            'rx="2" fill="var(--series-1)" opacity="0.45"/>',
            f'<rect x="{x(p50) - 1.5:.1f}" y="{y - 9:.1f}" width="3" height="18" '
            f'fill="var(--series-1)"><title>{escape(label)}: {p50:.2f}</title></rect>',
        ]
    parts.append(text((left + WIDTH) / 2, height - 6, x_label, "middle"))
    return figure(parts, [], height)


def interval_chart(
    rows: Sequence[tuple[str, float, float, float]], *, x_label: str, left: int = 150
) -> str:
    """A rate with its interval for each row, from 0 to 100 %.

    Args:
        rows: label, rate, lower and upper bound.
        left: room for the labels [px].
    """
    row_height = 26
    height = TOP + row_height * len(rows) + BOTTOM

    def x(value: float) -> float:
        return left + (WIDTH - left - RIGHT) * value

    parts = []
    for tick in range(5):
        parts.append(line(x(tick / 4), TOP, x(tick / 4), height - BOTTOM, "--grid"))
        anchor = "end" if tick == 4 else "middle"
        parts.append(text(x(tick / 4), height - BOTTOM + 14, f"{25 * tick} %", anchor))
    for i, (label, rate, low, high) in enumerate(rows):
        y = TOP + row_height * (i + 0.5)
        parts += [
            text(left - 6, y + 4, label, "end"),
            f'<rect x="{x(low):.1f}" y="{y - 6:.1f}" width="{x(high) - x(low):.1f}" height="12" '
            'rx="2" fill="var(--series-1)" opacity="0.4"/>',
            f'<rect x="{x(rate) - 1.5:.1f}" y="{y - 9:.1f}" width="3" height="18" '
            f'fill="var(--series-1)"><title>{escape(label)}: {100 * rate:.1f} %</title></rect>',
        ]
    parts.append(text((left + WIDTH) / 2, height - 6, x_label, "middle"))
    return figure(parts, [], height)


def axes(
    x_top: float, y_top: float, x_label: str, y_label: str, percent: bool, whole_x: bool = False
) -> str:
    """Both axes from 0, with grid lines, tick labels and names; `whole_x`: x counts something."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    y_step, x_step = tick_step(y_top), max(tick_step(x_top), 1.0 if whole_x else 0.0)
    for i in range(int(y_top / y_step + 1e-9) + 1):
        y = bottom - (bottom - TOP) * i * y_step / y_top
        # The unit stands in the label: beside each number it would reach into the label.
        label = f"{100 * i * y_step if percent else i * y_step:g}"
        parts += [line(LEFT, y, right, y, "--grid"), text(LEFT - 5, y + 4, label, "end")]
    for i in range(int(x_top / x_step + 1e-9) + 1):
        x = LEFT + (right - LEFT) * i * x_step / x_top
        anchor = "end" if x > right - 8 else "middle"
        parts.append(text(x, bottom + 15, f"{i * x_step:g}", anchor))
    parts.append(line(LEFT, bottom, right, bottom, "--axis"))
    parts.append(text((LEFT + right) / 2, HEIGHT - 6, x_label, "middle"))
    middle = (TOP + bottom) / 2
    turned = f'transform="rotate(-90 11 {middle:.0f})"'
    parts.append(text(11, middle, y_label + " [%]" * percent, "middle", turned))
    return "".join(parts)


def tick_step(top: float) -> float:
    """A round distance between about five ticks."""
    magnitude = 1.0
    while magnitude * 10 <= top:
        magnitude *= 10
    while magnitude > top:
        magnitude /= 10
    return next(magnitude * m for m in (0.2, 0.25, 0.5, 1, 2) if top / (magnitude * m) <= 6)


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A straight line in a CSS variable's colour, such as `--grid`."""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="var({colour})"/>'


def text(x: float, y: float, content: str, anchor: str, more: str = "") -> str:
    """A word at (x, y); `anchor` is start, middle or end, `more` further attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(content)}</text>'


def figure(parts: Sequence[str], legend: Sequence[str], height: int = HEIGHT) -> str:
    """The finished chart from its parts, with a legend below where there are names."""
    keys = "".join(
        f'<span class="key"><i style="background:var(--series-{i})"></i>{escape(name)}</span>'
        for i, name in enumerate(legend, 1)
    )
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>' + (
        f'<div class="legend">{keys}</div>' if keys else ""
    )
