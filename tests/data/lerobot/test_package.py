"""LeRobot's own reader opens our data sets. Optional: skips where the package is not installed.

It was seen to pass with lerobot 0.4.4 beside torch 2.13.0 for CPUs, datasets 4 and PyAV:

    pip install --no-deps lerobot==0.4.4
    pip install 'datasets>=4,<5' 'huggingface-hub<1' draccus==0.10.0 jsonlines einops deepdiff \
        packaging accelerate imageio gymnasium pandas

There is no torchvision for the CPU build of torch; LeRobot takes three small things of it, which
stand in for it here. All that concerns the format is LeRobot's own code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.data.lerobot import merge
from armsight.data.lerobot.copy import copy_with_columns
from tests.data.lerobot.package import open_with_lerobot
from tests.data.made_demonstrations import CAMERA, FPS, make_episode, write_demonstrations

pytest.importorskip("lerobot", reason="lerobot is not installed")
pytest.importorskip("datasets", reason="datasets, which lerobot needs, is not installed")
pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
LENGTHS = [10, 7, 12]
POSE = "observation.cameras.agentview.T_cam_base"


@pytest.fixture(scope="module", params=["written", "merged", "with more columns"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("package")
    written = write_demonstrations(base / "written", LENGTHS)
    if request.param == "written":
        return written
    if request.param == "merged":
        return merge([written], base / "merged")
    pose = {"dtype": "float32", "shape": [16], "names": None}
    return copy_with_columns(
        written, base / "copy", {POSE: pose}, lambda i, n: {POSE: np.full((n, 16), i)},
        of_episode=lambda i: {"verdict": f"verdict {i}"},
    )  # fmt: skip


def test_every_item(folder: Path) -> None:
    dataset = open_with_lerobot(folder)
    assert (len(dataset), dataset.num_episodes, dataset.fps) == (29, 3, 20)
    assert list(dataset.meta.tasks.index) == ["task 0", "task 1"]
    assert dataset.meta.camera_keys == [CAMERA]
    assert dataset.meta.episodes[2]["initial_state"] == 2
    item = 0
    for episode, length in enumerate(LENGTHS):
        rows, frames = make_episode(length, episode)
        for t in range(length):
            read = dataset[item]
            assert read["task"] == f"task {episode % 2}"
            assert (int(read["index"]), int(read["frame_index"])) == (item, t)
            assert float(read["timestamp"]) == pytest.approx(t / FPS)
            np.testing.assert_allclose(read["action"], rows["action"][t], rtol=1e-6)
            T = rows["observation.T_base_ee"][t]
            np.testing.assert_allclose(read["observation.T_base_ee"], T, rtol=1e-6)
            assert bool(read[f"{CAMERA}.is_rendered"]) == (t % 3 == 0)
            pixels = 255 * read[CAMERA].permute(1, 2, 0).numpy()
            assert np.abs(pixels - frames[t]).mean() < 1.5
            item += 1


def test_columns_of_a_copy(folder: Path) -> None:
    """What `armsight audit --write` adds: a vector in each frame, a text for each episode."""
    dataset = open_with_lerobot(folder)
    if POSE not in dataset.features:
        pytest.skip("only the copy has further columns")
    assert dataset[LENGTHS[0]][POSE].tolist() == [1.0] * 16
    assert dataset.meta.stats[POSE]["max"].tolist() == [2.0] * 16
    assert dataset.meta.episodes[2]["verdict"] == "verdict 2"


def test_chunks_of_actions(folder: Path) -> None:
    """What a policy is trained with: actions of several steps, two pictures."""
    times = {"action": [i / FPS for i in range(4)], CAMERA: [-3 / FPS, 0.0]}
    dataset = open_with_lerobot(folder, delta_timestamps=times)
    rows, frames = make_episode(LENGTHS[1], 1)
    read = dataset[LENGTHS[0] + 4]
    np.testing.assert_allclose(read["action"][:3], rows["action"][4:7], rtol=1e-6)
    assert read["action_is_pad"].tolist() == [False, False, False, True]
    pixels = 255 * read[CAMERA].permute(0, 2, 3, 1).numpy()
    assert np.abs(pixels - frames[[1, 4]]).mean() < 1.5


def test_some_episodes(folder: Path) -> None:
    dataset = open_with_lerobot(folder, episodes=[1])
    rows, _ = make_episode(LENGTHS[1], 1)
    assert len(dataset) == LENGTHS[1]
    np.testing.assert_allclose(dataset[0]["action"], rows["action"][0], rtol=1e-6)


def test_statistics_are_lerobots(folder: Path) -> None:
    from lerobot.datasets.compute_stats import get_feature_stats

    stats = open_with_lerobot(folder).meta.stats
    actions = np.concatenate(
        [make_episode(length, i)[0]["action"] for i, length in enumerate(LENGTHS)]
    )
    theirs = get_feature_stats(actions, axis=0, keepdims=False)
    for key in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(stats["action"][key], theirs[key], atol=1e-5)
    assert set(stats["action"]) == set(theirs)
    assert stats[CAMERA]["mean"].shape == (3, 1, 1)
