"""Strict reading of answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.robots import load_robot
from armsight.vlm.parse import REFUSED, parse_angles, parse_disagreement

ROBOT = load_robot("panda")
low, high = np.degrees(ROBOT.joint_limits).T
within = st.tuples(*(st.floats(a + 0.01, b - 0.01) for a, b in zip(low, high, strict=True)))


def text_of(degrees: object) -> str:
    angles = dict(zip(ROBOT.joint_names, degrees, strict=True))  # type: ignore[call-overload]
    return json.dumps({"observations": "{", "joint_angles_deg": angles})


@settings(max_examples=50, deadline=None)
@given(within, st.text(alphabet="abc {}[]\n\"'`", max_size=30))
def test_angles_survive_any_prose_before_them(degrees: tuple[float, ...], prose: str) -> None:
    parsed = parse_angles(prose + text_of(degrees), ROBOT)
    np.testing.assert_allclose(np.degrees(parsed.joint_positions), degrees, atol=1e-9)
    assert parsed.violated == ()


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    parsed = parse_angles(text, ROBOT)
    assert (parsed.failure is None) == (parsed.joint_positions is not None)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"12"', "[1]"])
def test_what_is_not_a_finite_number_is_a_failure(value: str) -> None:
    text = text_of([77.5] * 7).replace("77.5", value, 1)
    parsed = parse_angles(text, ROBOT)
    assert parsed.failure == "unparsed"
    assert "panda_joint1" in str(parsed.problem)


def test_the_last_of_several_answers_counts() -> None:
    text = text_of([10, 10, 10, -90, 10, 10, 10]) + " no, rather: " + text_of([20] * 7)
    assert np.degrees(parse_angles(text, ROBOT).joint_positions[0]) == pytest.approx(20)


def test_limits_are_judged_per_joint() -> None:
    parsed = parse_angles(text_of([0, 0, 0, 45, 0, 300, 0]), ROBOT)
    assert parsed.violated == ("panda_joint4", "panda_joint6")


def test_a_refusal_is_told_from_prose() -> None:
    assert parse_angles("I'm sorry, I can't do that.", ROBOT).failure == "refused"
    assert parse_angles("It is hard to see.", ROBOT).failure == "unparsed"
    assert parse_angles("", ROBOT, "content_filter").failure == "refused"
    # An answer that is there counts, whatever is said around it.
    assert parse_angles("I can't be sure, but " + text_of([20] * 7), ROBOT).failure is None


def test_radians_are_noticed_and_whole_small_degrees_are_not() -> None:
    assert parse_angles(text_of([0.1, -0.7, 0, -2.3, 0, 1.5, 0.8]), ROBOT).doubtful
    assert not parse_angles(text_of([0, 0, 0, -5, 0, 3, 1]), ROBOT).doubtful


@pytest.mark.parametrize(("text", "value"), [("35", 0.35), ("0", 0.0), ("100", 1.0)])
def test_disagreement_is_a_share(text: str, value: float) -> None:
    found, _ = parse_disagreement(f'{{"disagreement": {text}}}')
    assert found == pytest.approx(value)


@pytest.mark.parametrize("text", ["101", "-1", '"high"', "NaN", "null"])
def test_other_disagreements_are_failures(text: str) -> None:
    found, parsed = parse_disagreement(f'{{"disagreement": {text}}}')
    assert found is None
    assert parsed.failure == "unparsed"


def test_a_refusal_of_many_lines_becomes_one() -> None:
    parsed = parse_angles("I'm sorry,\n\nbut I can't\thelp with that.", ROBOT)
    assert parsed.failure == REFUSED
    assert parsed.problem == "refused: I'm sorry, but I can't help with that."
