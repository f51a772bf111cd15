"""Charts that armsight.reports.svg has not: points with error bars over any x."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from armsight.reports import svg

Point = tuple[float, float, float | None, float | None]
"""x, y, and the ends of its interval"""


def point_chart(
    series: Sequence[tuple[str, Sequence[Point]]],
    *,
    x_label: str,
    y_label: str,
    x_names: Sequence[str] = (),
    lines: bool = True,
    y_max: float | None = None,
) -> str:
    """Points with intervals; at most four series.

    Args:
        lines: join the points of a series in the order given.
        x_names: labels of x = 0, 1, 2, … where x is not a number.
        y_max: what the y axis holds at least, so that charts side by side can be compared.
    """
    points = [point for _, some in series for point in some]
    x_top = max((p[0] for p in points), default=1.0) or 1.0
    if x_names:
        x_top = max(len(x_names) - 1, 1) + 0.25
    highest = max(y_max or 0.0, highest_of(points)) or 1.0
    step = svg.tick_step(highest)
    y_top = step * -(-highest // step)
    bottom, right = svg.HEIGHT - svg.BOTTOM, svg.WIDTH - svg.RIGHT

    def x_at(x: float) -> float:
        return svg.LEFT + (right - svg.LEFT) * x / x_top

    def y_at(y: float) -> float:
        return bottom - (bottom - svg.TOP) * y / y_top

    if x_names:
        parts = [_without_x_ticks(y_top, step, y_label)]
        for i, name in enumerate(x_names):
            parts.append(svg.text(x_at(i + 0.1), bottom + 15, name, "middle"))
        parts.append(svg.text((svg.LEFT + right) / 2, svg.HEIGHT - 6, x_label, "middle"))
    else:
        whole = all(float(p[0]).is_integer() for p in points)
        parts = [svg.axes(x_top, y_top, x_label, y_label, False, whole)]
    shift = 0.1 if x_names else 0.0
    for i, (name, some) in enumerate(series, 1):
        colour = f"var(--series-{i})"
        line = " ".join(f"{x_at(x + shift):.1f},{y_at(y):.1f}" for x, y, _, _ in some)
        if lines and len(some) > 1:
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{colour}" '
                f'stroke-width="1.5"{svg.DASHES[i - 1]}/>'
            )
        for x, y, low, high in some:
            px, py = x_at(x + shift), y_at(y)
            if low is not None and high is not None:
                parts.append(
                    f'<line x1="{px:.1f}" y1="{y_at(low):.1f}" x2="{px:.1f}" '
                    f'y2="{y_at(high):.1f}" stroke="{colour}" opacity="0.6"/>'
                )
            parts.append(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}">'
                f"<title>{escape(name)}: {x:g}, {y:.2f}</title></circle>"
            )
    return svg.figure(parts, [name for name, _ in series])


def highest_of(points: Sequence[Point]) -> float:
    """The top of all points and their intervals; 0 without any."""
    return max((p[1] if p[3] is None else p[3] for p in points), default=0.0)


def _without_x_ticks(y_top: float, step: float, y_label: str) -> str:
    bottom, right = svg.HEIGHT - svg.BOTTOM, svg.WIDTH - svg.RIGHT
    parts = []
    for i in range(int(y_top / step + 1e-9) + 1):
        y = bottom - (bottom - svg.TOP) * i * step / y_top
        parts += [
            svg.line(svg.LEFT, y, right, y, "--grid"),
            svg.text(svg.LEFT - 5, y + 4, f"{i * step:g}", "end"),
        ]
    parts.append(svg.line(svg.LEFT, bottom, right, bottom, "--axis"))
    turned = f'transform="rotate(-90 11 {(svg.TOP + bottom) / 2:.0f})"'
    parts.append(svg.text(11, (svg.TOP + bottom) / 2, y_label, "middle", turned))
    return "".join(parts)
