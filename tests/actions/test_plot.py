"""The plot shows what is in the sequence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from armsight import ActionModel, ActionSequence
from armsight.actions import plot
from armsight.actions.plot import draw_actions
from tests.fake_action_weights import pictures, write_fake_action_weights

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> ActionSequence:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path_factory.mktemp("w")))
    return model.predict_action_chunk(pictures([60, 60, 200, 90, 240]), 3)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Figures that were drawn."""
    figures: list[Any] = []
    save = plot.svg

    def keep(figure: Any) -> str:
        figures.append(figure)
        return save(figure)

    monkeypatch.setattr(plot, "svg", keep)
    return figures


def curves(figure: Any) -> list[Any]:
    """The line of each panel that is no keyframe's dot nor an end of the path."""
    return [
        next(line for line in axes.lines if line.get_linestyle() == "-") for axes in figure.axes
    ]


def test_every_dimension_is_drawn(sequence: ActionSequence, drawn: list[Any]) -> None:
    svg = draw_actions(sequence)
    texts = {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert {*sequence.action_names, "x", "y", "z", "opening", "m"} <= texts
    assert {"1 = 0.05 m", "1 = 0.5 rad", "-1 open", "+1 close"} <= texts
    lines = curves(drawn[0])
    assert len(lines) == 7 + 4 + 1
    for i in range(7):
        assert np.array_equal(lines[i].get_ydata(), sequence.actions[:, i])
    assert np.array_equal(lines[7].get_ydata(), sequence.ee_position[:, 0])
    # The gripper's command holds until the next one.
    assert lines[6].get_drawstyle() == "steps-post"
    assert len(svg) < 200_000


def test_bands_are_as_wide_as_the_uncertainty(sequence: ActionSequence, drawn: list[Any]) -> None:
    draw_actions(sequence)
    (band,) = drawn[0].axes[0].collections
    edge = band.get_paths()[0].vertices
    for i, time in enumerate(sequence.times):
        around = sequence.actions[i, 0] + sequence.std[i, 0] * np.array([-1, 1])
        assert {*around} <= {*edge[edge[:, 0] == time, 1]}


def test_the_view_from_above_has_equal_scales(sequence: ActionSequence, drawn: list[Any]) -> None:
    """x ahead is up, y to the left is left."""
    ee = np.zeros((len(sequence), 3))
    ee[:, 0], ee[:, 1] = np.linspace(0, 0.1, len(ee)), np.linspace(0, 0.2, len(ee))
    draw_actions(replace(sequence, states={**sequence.states, "ee_position": ee}))
    axes = drawn[0].axes[-1]
    path = axes.transData.transform(curves(drawn[0])[-1].get_xydata())
    dx, dy = path[-1] - path[0]  # y up
    assert dx < 0 < dy
    assert dx / dy == pytest.approx(-2, rel=0.02)


def test_sequences_that_stand_still_can_be_drawn(tmp_path: Path) -> None:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path))
    sequence = model.predict_action_chunk(pictures([128, 128]), 1)
    still = replace(
        sequence,
        actions=np.zeros((2, 7)),
        std=np.zeros((2, 7)),
        states={**sequence.states, "ee_position": np.zeros((2, 3))},
        task='<task> & "quotes"',
    )
    svg = draw_actions(still)
    assert not re.search(r"\b(nan|inf)\b", svg)
    ElementTree.fromstring(svg)
