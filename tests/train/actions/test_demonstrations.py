"""Keyframes, pairs and the steps between them come from the right rows."""

import numpy as np
import pytest

from armsight.data.lerobot import LeRobotReader
from armsight.errors import DatasetError
from armsight.robots import load_robot
from armsight.train.actions.batches import draw_action_batch, make_action_batch
from armsight.train.actions.demonstrations import (
    STEP_CHANNELS,
    Window,
    draw_window,
    pair_truth,
    read_episodes,
    step_statistics,
)
from tests.train.made_demonstrations import CAMERA, SIZE, make_demonstrations

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_demonstrations(tmp_path_factory.mktemp("demos") / "set")


@pytest.fixture(scope="module")
def episodes(folder):
    return read_episodes((str(folder),), load_robot("panda"))


def test_episodes_hold_what_the_data_set_says(folder, episodes):
    reader = LeRobotReader(folder)
    assert [episode.spacing for episode in episodes] == [1, 3, 4]
    for i, episode in enumerate(episodes):
        rows = reader.rows(i)
        np.testing.assert_array_equal(episode.steps[:, :7], rows["action"])
        np.testing.assert_allclose(episode.steps[:, 7:10], rows["observation.T_base_ee"][:, :3, 3])
        np.testing.assert_allclose(episode.steps[:, -1], 0.06, atol=1e-6)
        shown = np.flatnonzero(rows[f"{CAMERA}.is_rendered"])
        np.testing.assert_array_equal(episode.rows, shown)


def test_keypoints_lie_where_the_picture_shows_them(episodes):
    for episode in episodes:
        for frame, keypoints in zip(episode.frames, episode.keypoints_2d, strict=True):
            x, y = np.round(keypoints).astype(int).T
            inside = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
            # The video is compressed; a dot is still far brighter than the ground.
            assert np.mean(frame[y[inside], x[inside]].max(-1) > 100) > 0.9


def test_a_pair_has_both_ends_and_nothing_that_does_not_count(episodes):
    episode = episodes[0]
    steps, weight = pair_truth(episode, 5, 9, 8)
    np.testing.assert_array_equal(steps[:5], episode.steps[5:10])
    assert weight.tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert pair_truth(episode, 5, 14, 8)[1].sum() == 0
    last = len(episode.steps) - 1
    steps, weight = pair_truth(episode, last - 2, last, 8)
    assert steps.shape == (9, STEP_CHANNELS)
    assert weight.sum() == 3


def test_windows_keep_within_the_longest_stride(episodes):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        window = draw_window(episodes, 4, 8, rng)
        gaps = np.diff(window.episode.rows[window.frames])
        assert np.all(gaps >= 1)
        assert np.all(gaps <= 8)
        seen.add(int(gaps[0]))
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= seen


def test_batches_are_aligned_with_their_episodes(episodes):
    windows = [
        Window(episodes[1], np.array([2, 3, 4, 5])),
        Window(episodes[0], np.arange(0, 16, 4)),
    ]
    batch = make_action_batch(windows, 96, 8)
    assert batch["image"].shape == (8, 3, 96, 96)
    assert batch["pairs"].shape == (10, 2)
    scale = 96 / SIZE
    for p, (a, b) in enumerate(batch["pairs"].tolist()):
        window = windows[p // 5]
        assert a // 4 == b // 4 == p // 5
        first, last = (window.episode.rows[window.frames[i % 4]] for i in (a, b))
        assert batch["stride"][p] == last - first
        expected = window.episode.steps[first : last + 1]
        count = int(batch["step_weight"][p].sum())
        assert count == last - first + 1
        np.testing.assert_array_equal(batch["steps"][p, :count], expected)
        keypoints = (window.episode.keypoints_2d[window.frames[a % 4]] + 0.5) * scale - 0.5
        np.testing.assert_allclose(batch["keypoints_2d"][a], keypoints, atol=1e-4)


def test_the_same_generators_give_the_same_batch(episodes):
    def draw():
        rngs = [np.random.default_rng([7, i]) for i in range(3)]
        return draw_action_batch(episodes, 4, 64, 8, rngs, None)

    one, two = draw(), draw()
    assert all((one[name] == two[name]).all() for name in one)


def test_steps_become_about_unit_size(episodes):
    offset, scale = (np.array(values) for values in step_statistics(episodes))
    steps = np.concatenate([episode.steps for episode in episodes])
    unit = (steps - offset) / scale
    assert np.all(np.abs(unit.mean(0)[np.arange(STEP_CHANNELS) != 6]) < 1e-4)
    assert np.all(unit.std(0) < 1.01)
    assert (offset[6], scale[6]) == (0.0, 1.0)


def test_a_folder_without_episodes_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nothing"):
        read_episodes((str(tmp_path / "nothing"),), load_robot("panda"))
    with pytest.raises(DatasetError, match="control demos"):
        read_episodes((), load_robot("panda"))
