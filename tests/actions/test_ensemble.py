"""The temporal ensemble against a brute-force oracle, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from armsight.actions.ensemble import (
    AHEAD_STEPS,
    CLOSE,
    OPEN,
    Weights,
    earlier_first,
    ensemble_std,
    equal,
    first_chunk,
    mean_rotation,
    middle_first,
    plain_votes,
    steady_votes,
    temporal_ensemble,
)
from armsight.errors import BadShapeError
from armsight.geometry import rotation_from_rotvec

Array = NDArray[np.floating]
Chunks = tuple[list[Array], list[int]]
few = settings(max_examples=40, deadline=None)
WEIGHTS: list[Weights] = [equal, middle_first, earlier_first(0.3), earlier_first(-0.2)]


@st.composite
def covering_chunks(draw: st.DrawFn) -> Chunks:
    """Chunks (L, 3) of any lengths that begin before the last one ends, in any order."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=7))
    starts, end = [draw(st.integers(-3, 3))], 0
    end = starts[0] + lengths[0]
    for length in lengths[1:]:
        starts.append(draw(st.integers(starts[0], end)))
        end = max(end, starts[-1] + length)
    order = draw(st.permutations(range(len(lengths))))
    numbers = st.floats(-1, 1, allow_subnormal=False)
    chunks = [
        np.array(draw(st.lists(st.tuples(numbers, numbers, numbers), min_size=n, max_size=n)))
        for n in lengths
    ]
    return [chunks[i] for i in order], [starts[i] for i in order]


def oracle(chunks: list[Array], starts: list[int], weights: Weights, voted: int) -> Array:
    """One step at a time, one number at a time, in plain Python."""
    first = min(starts)
    last = max(s + len(c) for c, s in zip(chunks, starts, strict=True))
    rows = []
    for step in range(first, last):
        said = [
            (start, weights(len(chunk))[step - start], chunk[step - start])
            for chunk, start in zip(chunks, starts, strict=True)
            if start <= step < start + len(chunk)
        ]
        said.sort(key=lambda one: one[0])
        total = sum(weight for _, weight, _ in said)
        row = [
            sum(weight * values[i] for _, weight, values in said) / total
            for i in range(len(said[0][2]))
        ]
        sign = row[voted] if abs(row[voted]) > 1e-12 else said[0][2][voted]
        row[voted] = 1.0 if sign > 0 else -1.0
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("weights", WEIGHTS)
@few
@given(made=covering_chunks())
def test_against_brute_force(weights: Weights, made: Chunks) -> None:
    chunks, starts = made
    result = temporal_ensemble(chunks, starts, weights, voted=(2,))
    np.testing.assert_allclose(result, oracle(chunks, starts, weights, 2), atol=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
@few
@given(made=covering_chunks())
def test_never_beyond_what_is_said(weights: Weights, made: Chunks) -> None:
    chunks, starts = made
    result = temporal_ensemble(chunks, starts, weights, voted=(2,))
    everything = np.concatenate(chunks)
    assert (result[:, :2] >= everything[:, :2].min(axis=0) - 1e-12).all()
    assert (result[:, :2] <= everything[:, :2].max(axis=0) + 1e-12).all()
    assert set(result[:, 2]) <= {OPEN, CLOSE}


@few
@given(made=covering_chunks(), scale=st.floats(0.1, 10))
def test_weights_count_by_their_ratio_only(made: Chunks, scale: float) -> None:
    chunks, starts = made
    one = temporal_ensemble(chunks, starts, middle_first)
    other = temporal_ensemble(chunks, starts, lambda n: scale * middle_first(n))
    np.testing.assert_allclose(one, other, atol=1e-12)


@few
@given(made=covering_chunks())
def test_chunks_that_agree_are_left_alone(made: Chunks) -> None:
    """Windows of one sequence give that sequence, whatever the weights."""
    chunks, starts = made
    truth = temporal_ensemble(chunks, starts)
    first = min(starts)
    windows = [truth[s - first : s - first + len(c)] for c, s in zip(chunks, starts, strict=True)]
    for weights in WEIGHTS:
        np.testing.assert_allclose(temporal_ensemble(windows, starts, weights), truth, atol=1e-12)
    np.testing.assert_allclose(first_chunk(windows, starts), truth, atol=1e-12)


def test_the_papers_overlap_averaging() -> None:
    """The shared keyframe's two actions are averaged; all others are as their pair says."""
    a, b = np.arange(4.0)[:, None], 10 + np.arange(4.0)[:, None]
    result = temporal_ensemble([a, b], [0, 3])
    assert result[:, 0].tolist() == [0, 1, 2, (3 + 10) / 2, 11, 12, 13]
    assert first_chunk([a, b], [0, 3])[:, 0].tolist() == [0, 1, 2, 10, 11, 12, 13]
    assert first_chunk([b, a], [3, 0])[:, 0].tolist() == [0, 1, 2, 10, 11, 12, 13]


def test_earlier_first_is_acts_rule() -> None:
    """Chunks that begin one step after another: weights exp(-m i), i = 0 for the oldest."""
    m, length = 0.4, 5
    rng = np.random.default_rng(0)
    chunks = [rng.normal(size=(length, 1)) for _ in range(6)]
    result = temporal_ensemble(chunks, np.arange(6), earlier_first(m))
    said = [chunks[start][4 - start] for start in range(5)]  # of step 4, the oldest first
    weights = np.exp(-m * np.arange(5))
    np.testing.assert_allclose(result[4], weights @ np.array(said) / weights.sum())


def test_gripper_votes() -> None:
    def vote(*commands: float) -> float:
        chunks = [np.array([[command]]) for command in commands]
        return float(temporal_ensemble(chunks, np.zeros(len(commands), int), voted=(0,))[0, 0])

    assert vote(0.2, 0.1) == CLOSE
    assert vote(1, -0.4, -0.4) == CLOSE
    assert vote(0.3, -0.4) == OPEN
    assert vote(1, -1) == CLOSE  # a tie: the earliest says
    assert vote(-1, 1) == OPEN
    assert vote(0.0) == OPEN


opinions = st.lists(st.floats(-1, 1), min_size=1, max_size=40)
"""What chunks say of a gripper, step by step"""


@few
@given(said=opinions, ahead=st.integers(1, 9), least=st.floats(0, 3))
def test_steady_votes_against_brute_force(said: list[float], ahead: int, least: float) -> None:
    command = CLOSE if said[0] > 0 else OPEN
    expected = []
    for step, value in enumerate(said):
        coming = sum(said[step : step + ahead])
        for other in (OPEN, CLOSE):
            if other != command and value * other > 0 and coming * other > least + 1e-9:
                command = other
                break
        expected.append(command)
    sums = [abs(sum(said[i : i + ahead])) for i in range(len(said))]
    assume(all(abs(s - least) > 1e-6 for s in sums))
    assert steady_votes(np.array(said), ahead, least).tolist() == expected


@few
@given(
    before=st.integers(AHEAD_STEPS, 20), after=st.integers(AHEAD_STEPS, 20),
    doubt=st.lists(st.floats(-1, 1), max_size=3), sure=st.floats(0.6, 1),
    sign=st.sampled_from([OPEN, CLOSE]),
)  # fmt: skip
def test_a_change_is_one_and_not_late(
    before: int, after: int, doubt: list[float], sure: float, sign: float
) -> None:
    """However three steps of doubt go: the first that says so changes the gripper, for good."""
    said = np.array([sign] * before + doubt + [-sign * sure] * after)
    votes = steady_votes(said)
    changes = np.flatnonzero(np.diff(votes)) + 1
    first = np.flatnonzero(plain_votes(said * -sign) == CLOSE)[0]
    assert changes.tolist() == [first]
    assert votes[0] == sign


def test_chatter_is_passed_over_and_a_clear_command_is_not() -> None:
    said = [-1.0] * 9 + [0.9, 0.4, -0.1, -0.2, 0.3] + [1.0] * 9 + [-1.0] * 9 + [0.3, -0.1, 0.6, 0.2]
    chunk = np.array(said)[:, None]
    votes = temporal_ensemble([chunk], [0], voted=(0,), vote=steady_votes)[:, 0]
    assert votes.tolist() == [OPEN] * 9 + [CLOSE] * 14 + [OPEN] * 9 + [OPEN] * 4
    plain = temporal_ensemble([chunk], [0], voted=(0,))[:, 0]
    assert np.count_nonzero(np.diff(plain)) == 7


@few
@given(made=covering_chunks(), spread=st.floats(0, 2))
def test_std_is_that_of_all_hypotheses_together(made: Chunks, spread: float) -> None:
    chunks, starts = made
    rng = np.random.default_rng(0)
    samples = [chunk[None] + spread * rng.normal(size=(5, *chunk.shape)) for chunk in chunks]
    means, stds = [s.mean(axis=0) for s in samples], [s.std(axis=0) for s in samples]
    result = ensemble_std(means, stds, starts)
    first = min(starts)
    for step in range(len(result)):
        said = np.concatenate(
            [
                sample[:, step + first - start]
                for sample, start in zip(samples, starts, strict=True)
                if 0 <= step + first - start < sample.shape[1]
            ]
        )
        np.testing.assert_allclose(result[step], said.std(axis=0), atol=1e-6)


def test_what_cannot_be_joined() -> None:
    one = np.zeros((2, 7))
    with pytest.raises(BadShapeError, match="no chunk says step 2"):
        temporal_ensemble([one, one], [0, 3])
    with pytest.raises(BadShapeError, match="differ in length only"):
        temporal_ensemble([one, np.zeros((2, 6))], [0, 1])
    with pytest.raises(BadShapeError, match="differ in length only"):
        temporal_ensemble([one, np.zeros((0, 7))], [0, 1])
    with pytest.raises(BadShapeError, match="2 chunks"):
        temporal_ensemble([one, one], [0])
    with pytest.raises(BadShapeError, match="0 chunks"):
        temporal_ensemble([], [])
    with pytest.raises(BadShapeError, match="greater than zero"):
        temporal_ensemble([one], [0], lambda length: np.arange(length))


def test_mean_rotation() -> None:
    rng = np.random.default_rng(0)
    turns = rotation_from_rotvec(rng.normal(size=(20, 3)))
    np.testing.assert_allclose(mean_rotation(turns), turns, atol=1e-12)
    axis = np.array([0.3, -0.5, 0.8])
    both = rotation_from_rotvec(np.stack([0.2 * axis, 0.6 * axis]))
    np.testing.assert_allclose(
        mean_rotation(both.mean(axis=0)), rotation_from_rotvec(0.4 * axis), atol=1e-9
    )
    noisy = mean_rotation(turns + 0.3 * rng.normal(size=turns.shape))
    np.testing.assert_allclose(noisy @ np.swapaxes(noisy, 1, 2), np.tile(np.eye(3), (20, 1, 1)),
                               atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(noisy), 1)
