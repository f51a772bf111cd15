"""Playing actions open loop, with and without a camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.control.rollout import HOLD_STEPS, beside, filming, rollout
from armsight.data.video import VideoReader
from armsight.errors import BadShapeError


class Counter:
    """Solved once the x commands sum up to `goal`, or `late` steps after the actions' end."""

    def __init__(self, goal: float = np.inf, late: int | None = None) -> None:
        self.goal, self.late, self.actions, self.resets = goal, late, [], []

    def reset(self, initial_state):
        self.resets.append(initial_state)
        self.actions = []

    def step(self, action):
        self.actions.append(np.array(action))
        return sum(a[0] for a in self.actions) >= self.goal - 1e-9 or (
            self.late is not None and len(self.actions) == self.late
        )

    def render(self):
        return np.full((32, 48, 3), 10 * len(self.actions), np.uint8)


@pytest.fixture
def actions() -> np.ndarray:
    made = np.full((8, 7), 0.25)
    made[:, 6] = [-1, -1, 1, 1, 1, 1, 1, -1]
    return made


def test_playing_ends_with_success(actions) -> None:
    result = rollout(simulation := Counter(goal=1.0), actions, 44)
    assert (result.success, result.num_steps, result.initial_state) == (True, 4, 44)
    assert simulation.resets == [44]
    np.testing.assert_array_equal(simulation.actions, actions[:4])


def test_the_arm_holds_still_at_the_end(actions) -> None:
    result = rollout(simulation := Counter(), actions, 0)
    assert (result.success, result.num_steps) == (False, 8 + HOLD_STEPS)
    np.testing.assert_array_equal(simulation.actions[:8], actions)
    np.testing.assert_array_equal(simulation.actions[8:], [[0, 0, 0, 0, 0, 0, -1]] * HOLD_STEPS)
    assert rollout(Counter(late=10), actions, 0).success
    assert not rollout(Counter(late=10), actions, 0, hold_steps=1).success


def test_filmed_beside_the_keyframes(tmp_path: Path, actions) -> None:
    keyframes = np.stack([np.full((64, 64, 3), v, np.uint8) for v in (0, 100, 200)])
    simulation = Counter(late=9)
    with filming(tmp_path / "new" / "film.mp4", simulation, keyframes, 4, every=2) as watch:
        rollout(simulation, actions, 0, watch=watch)
    with VideoReader(tmp_path / "new" / "film.mp4") as video:
        frames = list(video)
    assert [round(f.time * 20) for f in frames] == [0, 2, 4, 6, 8]
    assert frames[0].pixels.shape == (32, 32 + 4 + 48, 3)
    left = [int(f.pixels[16, 16].mean()) for f in frames]
    np.testing.assert_allclose(left, [0, 0, 100, 100, 200], atol=6)
    right = [int(f.pixels[16, 60].mean()) for f in frames]
    np.testing.assert_allclose(right, [0, 20, 40, 60, 80], atol=6)


def test_a_film_that_was_killed_can_be_seen(tmp_path: Path, actions) -> None:
    simulation = Counter()

    def killed(step: int) -> None:
        watch(step)
        if step == 5:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        filming(tmp_path / "film.mp4", simulation, every=1) as watch,
    ):
        rollout(simulation, actions, 0, watch=killed)
    with VideoReader(tmp_path / "film.mp4") as video:
        assert len(list(video)) == 6


def test_beside_scales_to_the_right_picture() -> None:
    both = beside(np.zeros((10, 20, 3), np.uint8), np.zeros((40, 30, 3), np.uint8))
    assert both.shape == (40, 80 + 4 + 30, 3)


@pytest.mark.parametrize("shape", [(0, 7), (5, 6), (7,), (2, 3, 7)])
def test_actions_of_a_wrong_shape(shape) -> None:
    with pytest.raises(BadShapeError, match="expected \\(N, 7\\)"):
        rollout(Counter(), np.zeros(shape), 0)


def test_actions_with_nan_are_named(actions) -> None:
    actions[3, 2] = np.nan
    with pytest.raises(BadShapeError, match="action 3 holds NaN"):
        rollout(Counter(), actions, 0)
