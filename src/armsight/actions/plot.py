"""A picture of an `ActionSequence` as SVG: every dimension with its uncertainty, and the path.

Drawn by matplotlib (extra `viz`).
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from armsight.actions.sequence import ActionSequence
from armsight.reports.charts import LIGHT, SERIES, css, svg, themed_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating]

MARK = "<!-- written by armsight -->"
"""In the first bytes of the file: it may be overwritten"""
WIDTH, ROW, HEAD = 980, 96, 80
"""Of the picture; height of a row of panels, and of all that is not a panel [px]"""


def draw_actions(sequence: ActionSequence) -> str:
    """The plot as one SVG document that follows the viewer's light or dark colours.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ends_known = sequence.spec.has_end_effector
    path = _path_rows(sequence)
    rows = max(len(sequence.action_names), len(path))
    with themed_figure(WIDTH, HEAD + ROW * rows) as figure:
        grid = figure.add_gridspec(rows, 2)
        for i in range(len(sequence.action_names)):
            _draw_action(figure.add_subplot(grid[i, 0]), sequence, i)
        for i, (name, values, std, unit) in enumerate(path):
            axes = figure.add_subplot(grid[i, 1])
            _panel(axes, sequence, name, unit)
            _band(axes, sequence.times, values, std, SERIES[1])
        if ends_known:
            _draw_from_above(figure.add_subplot(grid[len(path) :, 1]), sequence)
        beside = "end effector, and the gripper's opening" if ends_known else "states"
        figure.axes[0].set_title("actions")
        if path:
            figure.axes[len(sequence.action_names)].set_title(beside)
        figure.align_ylabels()
        _describe(figure, sequence)
        title = f"{sequence.task}: {len(sequence)} actions at {sequence.control_hz:g} Hz"
        figure.suptitle(title, x=0.02, ha="left", weight="bold", size=13)
        tag, rest = svg(figure).split(">", 1)
    style = f"<style>{css()} svg {{ background: var(--back); }}</style>"
    return f"{tag}>{MARK}<title>{escape(title)}</title>{style}{rest}"


def _describe(figure: Figure, sequence: ActionSequence) -> None:
    where = f"{sequence.spec.frame} frame" if sequence.spec.frame else sequence.robot
    note = (
        f"{sequence.spec.controller or 'actions'}, {where}, route {sequence.route}; time [s]; "
        "bands: ± 1 std of hypotheses; dots: keyframes"
    )
    figure.supxlabel(note, x=0.02, ha="left", color=LIGHT["muted"], size=10)


def _draw_action(axes: Axes, sequence: ActionSequence, i: int) -> None:
    one, values = sequence.spec.actions[i], sequence.actions[:, i]
    if not one.binary:
        scale = one.unit if one.command == 1 else f"1 = {one.command:g} {one.unit}"
        _panel(axes, sequence, one.name, scale)
        _band(axes, sequence.times, values, sequence.std[:, i], SERIES[0])
        return
    _panel(axes, sequence, one.name, "")
    # A command holds until the next one.
    axes.plot(sequence.times, values, color=SERIES[0], drawstyle="steps-post")
    axes.margins(y=0.075)
    axes.set_ylim(*_widened(one.low, one.high))
    names = ("-1 open", "+1 close") if sequence.spec.gripper_sign else None
    axes.set_yticks([one.low, one.high], names)


def _panel(axes: Axes, sequence: ActionSequence, name: str, unit: str) -> None:
    """Name, unit, and a dot for each keyframe."""
    axes.set_ylabel(f"{name}\n{unit}".strip(), rotation=0, ha="right", va="center")
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlim(0, float(sequence.times[-1]) if len(sequence.times) > 1 else 1.0)
    keys = sequence.times[sequence.keyframe_steps]
    axes.plot(keys, np.zeros(len(keys)), ".", color=LIGHT["axis"], markersize=3,
              transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip


def _band(axes: Axes, times: Array, values: Array, std: Array, colour: str) -> None:
    """A line and the band of one standard deviation around it."""
    axes.fill_between(times, values - std, values + std, color=colour, alpha=0.22, linewidth=0)
    axes.plot(times, values, color=colour)
    axes.set_ylim(*_widened(float((values - std).min()), float((values + std).max())))


def _widened(low: float, high: float) -> tuple[float, float]:
    pad = max(0.08 * (high - low), 0.02 * max(abs(low), abs(high)), 1e-3)
    return low - pad, high + pad


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


def _draw_from_above(axes: Axes, sequence: ActionSequence) -> None:
    """The path seen from above, x ahead (up) and y to the left, equal scales; start and end."""
    x, y = sequence.ee_position[:, 0], sequence.ee_position[:, 1]
    axes.plot(y, x, color=SERIES[1])
    for i, fill, name in ((0, LIGHT["back"], "start"), (-1, SERIES[1], "end")):
        axes.plot(y[i], x[i], "o", color=SERIES[1], markerfacecolor=fill)
        axes.annotate(name, (y[i], x[i]), (7, 0), textcoords="offset points", va="center",
                      color=LIGHT["muted"])  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.invert_xaxis()
    axes.tick_params(length=0, labelsize=8)
    axes.set_ylabel("from above\nx ↑ [m]\ny ← [m]", rotation=0, ha="right", va="center")
