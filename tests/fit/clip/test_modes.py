"""The likeliest path through several answers a frame, against trying all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from armsight.fit.clip.modes import Answers, likeliest_path, shortest_path, step_costs
from armsight.fit.gauss_newton import Prior


@pytest.mark.parametrize("seed", range(5))
def test_shortest_path_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 6)
    costs = [rng.random(size) for size in sizes]
    steps = [rng.random((a, b)) for a, b in itertools.pairwise(sizes)]

    def total(path: tuple[int, ...]) -> float:
        moved = sum(step[path[n], path[n + 1]] for n, step in enumerate(steps))
        return float(moved + sum(cost[k] for cost, k in zip(costs, path, strict=True)))

    best = min(itertools.product(*(range(size) for size in sizes)), key=total)
    assert tuple(shortest_path(costs, steps)) == best


def answers(q: np.ndarray, costs: np.ndarray) -> Answers:
    """Two answers a frame: joint angles q (N, 2), and their costs (N, 2)."""
    count = q.size
    return Answers(
        np.repeat(np.arange(len(q)), 2), q.reshape(-1, 1), Prior.flat(count, 1), costs.ravel()
    )


def test_a_flip_that_is_a_little_likelier_is_not_followed() -> None:
    """A joint at 0.3 rad or half a turn from it: frame by frame the flip would win in frame 2."""
    q = np.array([[0.3, 3.4]] * 5) + 0.01 * np.arange(5)[:, None]
    costs = np.array([[0, 3], [0, 3], [2, 0], [0, 3], [0, 3.0]])
    path = likeliest_path(answers(q, costs), np.arange(5) / 30)
    np.testing.assert_allclose(path.q[:, 0], q[:, 0])
    assert answers(q, costs).best().q[2, 0] == pytest.approx(3.42)


def test_frames_without_answers_are_stepped_over() -> None:
    some = answers(np.array([[0.0, 2.0]] * 4), np.zeros((4, 2)))
    kept = some[np.flatnonzero(some.frames != 1)]
    path = likeliest_path(kept, np.arange(4) / 10, before=np.array([2.1]))
    assert path.frames.tolist() == [0, 2, 3]
    assert (path.q == 2.0).all()


def test_steps_cost_more_in_less_time() -> None:
    here, there = np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 0.0]])
    slow, fast = step_costs(here, there, 1.0)[0], step_costs(here, there, 0.1)[0]
    assert slow[0] == fast[0] == 0
    assert fast[1] > slow[1] > 0
