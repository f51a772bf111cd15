"""Keyframes to overlapping pairs, even and uneven."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armsight.actions.pairs import check_stride, keyframe_steps, make_pairs
from armsight.errors import ConfigError, KeyframesError

strides = st.lists(st.integers(1, 8), min_size=1, max_size=12)


def test_the_papers_figure() -> None:
    """Stride 3: four actions a pair, shared at the keyframe in the middle."""
    pairs = make_pairs(keyframe_steps(3, 3), max_stride=8)
    assert pairs.indices.tolist() == [[0, 1], [1, 2]]
    assert pairs.starts.tolist() == [0, 3]
    assert pairs.lengths.tolist() == [4, 4]
    assert pairs.horizon == 7
    assert len(pairs) == 2


@given(strides, st.integers(-5, 100))
def test_each_step_is_said_once_and_shared_keyframes_twice(gaps: list[int], first: int) -> None:
    steps = first + np.concatenate([[0], np.cumsum(gaps)])
    pairs = make_pairs(steps, max_stride=8)
    said = np.zeros(pairs.horizon, int)
    for start, length in zip(pairs.starts, pairs.lengths, strict=True):
        said[start : start + length] += 1
    shared = set((steps[1:-1] - first).tolist())
    assert all(count == (2 if step in shared else 1) for step, count in enumerate(said))
    assert pairs.horizon == sum(gaps) + 1


@given(strides, st.integers(1, 5))
def test_longer_spans_are_all_pairs_that_the_model_knows(gaps: list[int], span: int) -> None:
    steps = np.concatenate([[0], np.cumsum(gaps)])
    pairs = make_pairs(steps, 8, span)
    expected = {
        (i, j)
        for i in range(len(steps))
        for j in range(len(steps))
        if 0 < j - i <= span and steps[j] - steps[i] <= 8
    }
    found = list(map(tuple, pairs.indices.tolist()))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found == sorted(found)
    np.testing.assert_array_equal(pairs.starts, steps[pairs.indices[:, 0]])
    np.testing.assert_array_equal(pairs.strides, np.diff(steps[pairs.indices])[:, 0])
    assert pairs.horizon == steps[-1] + 1
    with pytest.raises(ConfigError, match="span is 0"):
        make_pairs(steps, 8, 0)


@given(strides, st.integers(1, 3), st.integers(0, 8))
def test_pairs_reach_as_far_as_they_should(gaps: list[int], span: int, reach: int) -> None:
    """Pair (i, j) beyond the span: nothing between i and j bridges `reach` steps yet."""
    steps = np.concatenate([[0], np.cumsum(gaps)])
    found = {tuple(pair) for pair in make_pairs(steps, 8, span, reach).indices.tolist()}
    for i in range(len(steps)):
        for j in range(i + 1, len(steps)):
            wanted = j - i <= span or steps[j - 1] - steps[i] < reach
            assert ((i, j) in found) == (wanted and steps[j] - steps[i] <= 8)


def test_only_close_keyframes_reach_further() -> None:
    def pairs(stride: int) -> list[list[int]]:
        return make_pairs(keyframe_steps(5, stride), 8, reach=3).indices.tolist()

    assert pairs(3) == [[0, 1], [1, 2], [2, 3], [3, 4]]  # the paper's
    assert pairs(2) == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3], [2, 4], [3, 4]]
    assert [pair for pair in pairs(1) if pair[0] == 1] == [[1, 2], [1, 3], [1, 4]]


@pytest.mark.parametrize("steps", [[], [0], [[0, 3]]])
def test_fewer_than_two_keyframes(steps: list[int]) -> None:
    with pytest.raises(KeyframesError, match="give two or more frames"):
        make_pairs(steps, 8)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([0, 3, 3], "keyframe 2 is at control step 3, not after keyframe 1 at 3"),
        ([0, 6, 3], "give rising steps"),
        ([0, 9], "stride 9 is out of range; .* 1 to 8"),
        ([0.0, 3.0], "whole control steps"),
    ],
)
def test_steps_that_make_no_sense(steps: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_pairs(steps, 8)


def test_strides() -> None:
    assert check_stride(np.int64(8), 8) == 8
    for wrong in (0, -1, 9, 2.5, float("nan")):
        with pytest.raises(ConfigError, match="strides of 1 to 8"):
            check_stride(wrong, 8)  # type: ignore[arg-type]
