"""The plot shows what is in the sequence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from armsight import ActionModel, ActionSequence
from armsight.actions.plot import draw_actions
from tests.fake_action_weights import pictures, write_fake_action_weights

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> ActionSequence:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path_factory.mktemp("w")))
    return model.predict_action_chunk(pictures([60, 60, 200, 90, 240]), 3)


def lines(svg: str) -> list[np.ndarray]:
    """Coordinates of all curves."""
    root = ElementTree.fromstring(svg)
    return [
        np.array([list(map(float, pair.split(","))) for pair in line.get("points", "").split()])
        for line in root.iter(f"{SVG}polyline")
        if line.get("stroke-width")
    ]


def test_every_dimension_is_drawn(sequence: ActionSequence) -> None:
    svg = draw_actions(sequence)
    texts = {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert {*sequence.action_names, "x", "y", "z", "opening", "m"} <= texts
    assert {"1 = 0.05 m", "1 = 0.5 rad", "-1 open", "+1 close"} <= texts
    curves = lines(svg)
    assert len(curves) == 7 + 4 + 1
    # Up in the picture is down in coordinates; a curve follows its numbers.
    for i in (0, 1, 2):
        assert np.corrcoef(curves[i][:, 1], -sequence.actions[:, i])[0, 1] > 0.999
    assert np.corrcoef(curves[7][:, 1], -sequence.ee_position[:, 0])[0, 1] > 0.999
    # The gripper's command holds until the next one: a staircase.
    assert len(set(curves[6][:, 1])) == 2
    turns = np.flatnonzero(np.diff(sequence.actions[:, 6]))
    assert (np.diff(curves[6][:, 1]) != 0).sum() == len(turns)
    assert len(svg) < 60_000


def test_no_word_lies_over_a_curve(sequence: ActionSequence) -> None:
    root = ElementTree.fromstring(draw_actions(sequence))
    sides = ("x", "y", "width", "height")
    panels = [[float(r.get(s, 0)) for s in sides] for r in root.iter(f"{SVG}rect") if r.get("x")]
    words = [(float(w.get("x", 0)), float(w.get("y", 0))) for w in root.iter(f"{SVG}text")]
    *graphs, _ = panels  # the last one is the view from above
    assert len(graphs) == 7 + 4
    for left, top, width, height in graphs:
        assert not [1 for x, y in words if left < x < left + width and top < y < top + height]


def test_bands_are_as_wide_as_the_uncertainty(sequence: ActionSequence) -> None:
    def width(one: ActionSequence) -> float:
        band = ElementTree.fromstring(draw_actions(one)).find(f"{SVG}polygon")
        assert band is not None
        points = np.array([list(map(float, p.split(","))) for p in band.get("points", "").split()])
        half = len(points) // 2
        return float((points[half:][::-1, 1] - points[:half, 1]).mean())

    assert width(sequence) > 1
    still = replace(sequence, std=np.zeros_like(sequence.std))
    assert width(still) == pytest.approx(0, abs=0.11)


def test_the_view_from_above_has_equal_scales(sequence: ActionSequence) -> None:
    """x ahead is up, y to the left is left."""
    ee = np.zeros((len(sequence), 3))
    ee[:, 0], ee[:, 1] = np.linspace(0, 0.1, len(ee)), np.linspace(0, 0.2, len(ee))
    path = lines(draw_actions(replace(sequence, states={**sequence.states, "ee_position": ee})))[-1]
    (dx, dy) = path[-1] - path[0]
    assert dx < 0
    assert dy < 0
    assert dx / dy == pytest.approx(2, rel=0.02)


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
    assert not re.search("nan|inf", svg.split("</style>")[1])
    ElementTree.fromstring(svg)
