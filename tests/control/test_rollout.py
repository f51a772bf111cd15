"""Playing actions open loop, with and without a camera."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from armsight.control.caption import Caption
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
    assert [round(f.time * 20) for f in frames] == [0, 2, 4, 6, 8, 9]  # the end too
    assert frames[0].pixels.shape == (32, 32 + 4 + 48, 3)
    left = [int(f.pixels[16, 16].mean()) for f in frames]
    np.testing.assert_allclose(left, [0, 0, 100, 100, 200, 200], atol=6)
    right = [int(f.pixels[16, 60].mean()) for f in frames]
    np.testing.assert_allclose(right, [0, 20, 40, 60, 80, 90], atol=6)


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


def test_a_film_in_the_making_is_not_yet_there(tmp_path: Path, actions) -> None:
    """The old film stays until the new one is finished, also when nothing new can be shown."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"old")

    def look(step: int) -> None:
        watch(step)
        assert film.read_bytes() == b"old"

    with filming(film, simulation := Counter(), every=1) as watch:
        rollout(simulation, actions, 0, watch=look, hold_steps=2)
    with VideoReader(film) as video:
        assert len(list(video)) == 8 + 2 + 1
    whole = film.read_bytes()
    with pytest.raises(KeyboardInterrupt), filming(film, Counter()):
        raise KeyboardInterrupt
    assert film.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


FILMING = """
import sys, time
import numpy as np
from pathlib import Path
from armsight.cli import end_on_sigterm
from armsight.control.caption import Caption
from armsight.control.rollout import filming
from tests.control.test_rollout import Counter
end_on_sigterm()
with filming(Path(sys.argv[1]), Counter(), every=1) as watch:
    for step in range(1000):
        watch(step)
        if step == 5:
            print("filming", flush=True)
            time.sleep(60)
"""


def test_a_film_that_was_terminated_can_be_seen(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FILMING, str(tmp_path / "film.mp4")],
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"filming\n"
        assert [path.name for path in tmp_path.iterdir()] == [".film.partial.mp4"]
        process.terminate()
        assert process.wait(20) == 128 + 15
    with VideoReader(tmp_path / "film.mp4") as video:
        assert len(list(video)) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_captioned_film_says_what_is_what(tmp_path: Path, actions) -> None:
    keyframes = np.stack([np.full((64, 64, 3), v, np.uint8) for v in (0, 100, 200)])
    simulation = Counter(late=6)
    caption = Caption("the task", actions, [0, 4, 8], lambda: len(simulation.actions) == 6)
    with filming(tmp_path / "a.mp4", simulation, keyframes, 4, caption=caption) as watch:
        rollout(simulation, actions, 0, watch=watch)
    with VideoReader(tmp_path / "a.mp4") as video:
        frames = [frame.pixels for frame in video]
    assert frames[0].shape[1] == 32 + 4 + 48
    assert frames[0].shape[0] > 32 + 3 * 9
    assert (frames[-1][:-32].max(axis=(0, 1)) > 150).all()  # letters
    changed = frames[-1][:-32].astype(int) - frames[0][:-32]
    assert np.abs(changed).max() > 40  # another step, solved


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
