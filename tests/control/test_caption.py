"""Captions of films: the right words at the right step, and no more than has room."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.control.caption import BACK, Caption, add_caption

ACTIONS = np.zeros((7, 7))
ACTIONS[:, 6] = [-1, -1, -1, -1, 1, 1, 1]
ACTIONS[2, :3] = [0.5, -0.25, 1]


def test_words() -> None:
    done = False
    caption = Caption("pick up the milk, initial state 40", ACTIONS, [0, 3, 6], lambda: done)
    assert caption.lines(0)[0] == ("input: keyframe 1 of 3", "simulator: step 0 of 7")
    (left, right), title, action = caption.lines(2)
    assert (left, right) == ("input: keyframe 1 of 3", "simulator: step 2 of 7")
    assert title == "pick up the milk, initial state 40"
    assert action == "move +0.50 -0.25 +1.00  turn +0.00 +0.00 +0.00  gripper open"
    assert caption.lines(3)[0][0] == "input: keyframe 2 of 3"
    assert caption.lines(4)[2].endswith("gripper close")
    assert caption.lines(7)[2] == "no more actions: holding still"
    done = True
    assert caption.lines(7)[0][1] == "simulator: step 7 of 7, solved"


@pytest.mark.parametrize(("width", "split"), [(516, 260), (516, 0), (84, 36), (20, 0)])
def test_the_picture_stays_and_each_side_keeps_to_itself(width: int, split: int) -> None:
    picture = np.full((40, width, 3), 200, np.uint8)
    caption = Caption("a task with a name that is far too long for any film " * 3, ACTIONS, [0, 6])
    made = add_caption(picture, caption, 2, split)
    np.testing.assert_array_equal(made[-40:], picture)
    assert made.shape[1] == width
    bar = made[:-40]
    assert (bar == BACK).all(axis=-1).mean() > 0.5
    if width > 100:
        first = ~(bar[: len(bar) // 3] == BACK).all(axis=-1)
        assert first[:, split + 4 :].any()
        assert first[:, : max(split - 4, 0)].any() == bool(split)
