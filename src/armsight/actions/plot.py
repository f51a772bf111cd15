"""A picture of an `ActionSequence` as SVG: every dimension with its uncertainty, and the path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from armsight.actions.sequence import ActionSequence

Array = NDArray[np.floating]

WIDTH, MARGIN, GAP = 980, 16, 14
LABEL, PANEL, TITLE = 70, 84, 68
"""Left of a panel; a panel's height; above all panels [px]"""

STYLE = """
svg { --ink: #1c2733; --soft: #6b7885; --grid: #dde3e9; --paper: #ffffff;
      --line: #1f6fb2; --band: #1f6fb2; --path: #b3541e; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6ebf0; --soft: #93a1af; --grid: #323d48; --paper: #14191f;
        --line: #6cb2ee; --band: #6cb2ee; --path: #f0975c; } }
text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); font-size: 11px; } .title { font-size: 15px; font-weight: 600; }
"""


@dataclass(frozen=True)
class Area:
    """Where in the picture something is drawn, and which values its edges have."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def points(self, xs: Sequence[float] | Array, ys: Sequence[float] | Array) -> str:
        """Coordinates of a polyline."""
        (x0, x1), (y0, y1) = self.x, self.y
        px = self.left + (np.asarray(xs, float) - x0) / (x1 - x0) * self.width
        py = self.top + self.height - (np.asarray(ys, float) - y0) / (y1 - y0) * self.height
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py, strict=True))


def draw_actions(sequence: ActionSequence) -> str:
    """The plot as one SVG document that follows the viewer's light or dark colours."""
    names = sequence.action_names
    half = (WIDTH - 2 * MARGIN - GAP) / 2
    rows = max(len(names), 0 if sequence.spec.has_end_effector else len(sequence.spec.states))
    height = TITLE + rows * (PANEL + GAP) + 26
    times = sequence.times
    span = (0.0, float(times[-1]) if len(times) > 1 else 1.0)
    keys = times[sequence.keyframe_steps]
    parts: list[str] = []
    for i, name in enumerate(names):
        values, std = sequence.actions[:, i], sequence.std[:, i]
        voted = sequence.spec.actions[i].binary
        limits = _two_ends(sequence, i) if voted else _limits(values, std)
        area = _area(0, i, half, span, limits)
        ends = _ends(sequence, i) if voted else None
        unit = "" if voted else _scale(sequence, i)
        parts.append(_panel(area, name, unit, keys, ends))
        parts.append(_band(area, times, values, std, "--line", step=voted))
    path = _path_rows(sequence)
    for i, (name, values, std, unit) in enumerate(path):
        area = _area(1, i, half, span, _limits(values, std))
        parts.append(_panel(area, name, unit, keys))
        parts.append(_band(area, times, values, std, "--path"))
    if sequence.spec.has_end_effector:
        parts.append(_top_view(sequence, half, len(path), len(names)))
    ends_known = sequence.spec.has_end_effector
    beside = "end effector, and the gripper's opening" if ends_known else "states"
    for column, heading in enumerate(("actions", beside if path else "")):
        x = MARGIN + column * (half + GAP) + LABEL + (half - LABEL) / 2
        parts.append(_text(x, TITLE - 8, heading, "middle", ""))
        rows = len(names) if column == 0 else len(path)
        y = TITLE + rows * (PANEL + GAP) + (4 if column == 0 else 0)
        parts.append(_text(x, y, f"0 to {times[-1]:.2f} s; dots: keyframes", "middle", "soft"))
    title = f"{sequence.task}: {len(sequence)} actions at {sequence.control_hz:g} Hz"
    where = f"{sequence.spec.frame} frame" if sequence.spec.frame else sequence.robot
    note = f"{sequence.spec.controller or 'actions'}, {where}, route {sequence.route}"
    parts.insert(0, _text(MARGIN, 22, title, "start", "title"))
    parts.insert(1, _text(MARGIN, 38, f"{note}; bands: ± 1 std of hypotheses", "start", "soft"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img">'
        f"<!-- written by armsight --><title>{escape(title)}</title><style>{STYLE}</style>"
        f'<rect width="100%" height="100%" fill="var(--paper)"/>{"".join(parts)}</svg>\n'
    )


def _area(
    column: int, row: int, half: float, x: tuple[float, float], y: tuple[float, float]
) -> Area:
    left = MARGIN + column * (half + GAP) + LABEL
    return Area(left, TITLE + row * (PANEL + GAP), half - LABEL, PANEL, x, y)


def _limits(values: Array, std: Array) -> tuple[float, float]:
    low, high = float((values - std).min()), float((values + std).max())
    pad = max(0.08 * (high - low), 0.02 * max(abs(low), abs(high)), 1e-3)
    return low - pad, high + pad


def _scale(sequence: ActionSequence, i: int) -> str:
    one = sequence.spec.actions[i]
    return one.unit if one.command == 1 else f"1 = {one.command:g} {one.unit}"


def _two_ends(sequence: ActionSequence, i: int) -> tuple[float, float]:
    one = sequence.spec.actions[i]
    pad = 0.075 * (one.high - one.low)
    return one.low - pad, one.high + pad


def _ends(sequence: ActionSequence, i: int) -> tuple[str, str]:
    """What the two values of a binary dimension are called."""
    one = sequence.spec.actions[i]
    if sequence.spec.gripper_sign:
        return "+1 close", "-1 open"
    return f"{one.high:g}", f"{one.low:g}"


def _path_rows(sequence: ActionSequence) -> list[tuple[str, Array, Array, str]]:
    """Name, values, standard deviation and unit of what is drawn beside the actions."""
    if not sequence.spec.has_end_effector:
        if "states" not in sequence.states:
            return []
        values, std = sequence.states["states"], sequence.states_std["states"]
        return [
            (one.name, values[:, i], std[:, i], one.unit)
            for i, one in enumerate(sequence.spec.states)
        ]
    rows = [
        (axis, sequence.ee_position[:, i], sequence.ee_position_std[:, i], "m")
        for i, axis in enumerate("xyz")
    ]
    opening = sequence.gripper_opening
    return [*rows, ("opening", opening, np.zeros(len(opening)), "m")]


def _panel(
    area: Area, name: str, unit: str, keys: Array, ends: tuple[str, str] | None = None
) -> str:
    """Frame, name, unit, limits (or other `ends`), the zero line and a dot for each keyframe."""
    low, high = area.y
    above, below = ends or (f"{high:.3g}", f"{low:.3g}")
    parts = [
        f'<rect x="{area.left:.1f}" y="{area.top:.1f}" width="{area.width:.1f}" '
        f'height="{area.height:.1f}" fill="none" stroke="var(--grid)"/>'
    ]
    if low < 0 < high:
        parts.append(f'<polyline points="{area.points(area.x, (0, 0))}" stroke="var(--grid)"/>')
    edge = area.left - 6
    parts += [
        _text(edge, area.top + area.height / 2 + 2, name, "end", ""),
        _text(edge, area.top + area.height / 2 + 17, unit, "end", "soft"),
        _text(edge, area.top + 10, above, "end", "soft"),
        _text(edge, area.top + area.height, below, "end", "soft"),
    ]
    dots = area.points(keys, np.full(len(keys), low)).split()
    parts += [
        '<circle cx="{}" cy="{}" r="1.6" fill="var(--soft)"/>'.format(*dot.split(","))
        for dot in dots
    ]
    return "".join(parts)


def _band(
    area: Area, times: Array, values: Array, std: Array, colour: str, step: bool = False
) -> str:
    """A line and the band of one standard deviation around it."""
    if step:  # a command holds until the next one
        times, values = np.repeat(times, 2)[1:], np.repeat(values, 2)[:-1]
        band = ""
    else:
        around = np.concatenate([values + std, (values - std)[::-1]])
        points = area.points(np.concatenate([times, times[::-1]]), around)
        band = f'<polygon points="{points}" fill="var({colour})" opacity="0.22"/>'
    line = area.points(times, values)
    return (
        f'{band}<polyline points="{line}" fill="none" stroke="var({colour})" stroke-width="1.6"/>'
    )


def _top_view(sequence: ActionSequence, half: float, first: int, rows: int) -> str:
    """The path seen from above, x ahead (up) and y to the left, equal scales; start and end."""
    top = TITLE + first * (PANEL + GAP) + 14
    height = (rows - first) * (PANEL + GAP) - GAP - 14
    left, width = MARGIN + half + GAP + LABEL, half - LABEL
    x, y = sequence.ee_position[:, 0], sequence.ee_position[:, 1]
    # Metres per pixel, so that the path fits into the panel either way.
    scale = 1.15 * max(float(np.ptp(y)) / width, float(np.ptp(x)) / height, 1e-4)
    (cx, cy) = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    ylim = (cy + scale * width / 2, cy - scale * width / 2)
    xlim = (cx - scale * height / 2, cx + scale * height / 2)
    area = Area(left, top, width, height, ylim, xlim)
    parts = [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        'fill="none" stroke="var(--grid)"/>',
        f'<polyline points="{area.points(y, x)}" fill="none" stroke="var(--path)" '
        'stroke-width="1.6"/>',
        _text(left + width - 4, top + 14, f"from above, {scale * width:.2f} m wide", "end", "soft"),
        _text(left - 6, top + height / 2, "x ↑", "end", ""),
        _text(left - 6, top + height / 2 + 15, "y ←", "end", ""),
    ]
    for i, (fill, name) in ((0, ("var(--paper)", "start")), (-1, ("var(--path)", "end"))):
        px, py = area.points([y[i]], [x[i]]).split(",")
        parts.append(f'<circle cx="{px}" cy="{py}" r="4" fill="{fill}" stroke="var(--path)"/>')
        parts.append(_text(float(px) + 7, float(py) + 4, name, "start", "soft"))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str, kind: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
    )
