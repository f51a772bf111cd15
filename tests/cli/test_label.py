"""`armsight actions label`: what the data set holds, whose labels it says they are, resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from armsight import ActionModel
from armsight.cli.actions import command
from armsight.data.video import VideoWriter
from tests.fake_action_weights import pictures, write_fake_action_weights

pytest.importorskip("pyarrow")
GREYS = [60, 90, 150, 120, 180, 240, 200]
CAMERA = "observation.images.agentview"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_action_weights(tmp_path_factory.mktemp("weights"))


def film(path: Path, greys: list[int], fps: float = 20.0) -> Path:
    with VideoWriter(path, fps) as video:
        for i, frame in enumerate(pictures(greys, 64, 48)):
            video.write(frame, i / fps)
    return path


def label(*arguments: Any) -> Result:
    return CliRunner().invoke(command, ["label", *map(str, arguments)], catch_exceptions=False)


def test_a_dense_video_keeps_its_pictures(tmp_path: Path, weights: Path) -> None:
    from armsight.data.lerobot import LeRobotReader

    video = film(tmp_path / "pick_up_the_milk.mp4", GREYS)
    result = label(video, "--weights", weights, "--every", 3, "--stride", 3, "--into",
                   tmp_path / "set")  # fmt: skip
    assert result.exit_code == 0, result.output
    reader = LeRobotReader(tmp_path / "set")
    rows, frames = reader.rows(0), reader.frames(0, CAMERA)
    model = ActionModel.from_pretrained(weights)
    wanted = model.predict_action_chunk(pictures(GREYS[::3], 64, 48), 3)
    np.testing.assert_allclose(rows["action"], wanted.actions, atol=0.05)  # the film's codec
    np.testing.assert_allclose(rows["observation.state"][:, :3], wanted.ee_position, atol=0.02)
    assert rows[f"{CAMERA}.is_new"].all()
    assert np.abs(frames.mean(axis=(1, 2, 3)) - GREYS).max() < 4
    assert reader.tasks == ["pick up the milk"]
    said = json.loads((tmp_path / "set" / "meta" / "info.json").read_text())
    assert said["armsight"]["pseudo_labels"]["weights"] == "libero_object"
    assert said["armsight"]["action_spec"]["controller"] == "OSC_POSE"
    assert said["fps"] == 20
    assert reader.episodes[0]["pseudo_labelled"] is True
    assert reader.episodes[0]["source"] == str(video)


def test_keyframes_alone_are_shown_until_the_next(tmp_path: Path, weights: Path) -> None:
    from armsight.data.lerobot import LeRobotReader

    film(tmp_path / "a.mp4", GREYS[:3], 20 / 3)
    label(tmp_path / "a.mp4", "--weights", weights, "--stride", 3, "--into", tmp_path / "set")
    reader = LeRobotReader(tmp_path / "set")
    assert np.flatnonzero(reader.rows(0)[f"{CAMERA}.is_new"]).tolist() == [0, 3, 6]
    shown = reader.frames(0, CAMERA).mean(axis=(1, 2, 3))
    assert np.abs(shown - np.repeat(GREYS[:3], [3, 3, 1])).max() < 4


def test_it_goes_on_and_names_what_it_leaves_out(tmp_path: Path, weights: Path) -> None:
    from armsight.data.lerobot import LeRobotReader

    folder = tmp_path / "videos"
    folder.mkdir()
    film(folder / "a.mp4", GREYS)
    given = ("--weights", weights, "--stride", 3, "--into", tmp_path / "set")
    assert label(folder, *given).exit_code == 0
    film(folder / "b.mp4", GREYS)
    film(folder / "dark.mp4", [0, 0, 0, 0])
    again = label(folder, *given)
    assert again.exit_code == 3
    assert "a.mp4: is in" in again.stdout
    assert "dark.mp4: left out: no panda in view" in again.stderr
    assert len(LeRobotReader(tmp_path / "set")) == 2
    other = CliRunner().invoke(command, ["label", str(folder), *map(str, given), "--every", "2"])
    assert other.exit_code != 0
    assert "was begun with every 1" in str(other.exception)


def test_true_actions_stay_apart(tmp_path: Path, weights: Path) -> None:
    from tests.data.made_demonstrations import write_demonstrations

    write_demonstrations(tmp_path / "true", [5])
    video = film(tmp_path / "a.mp4", GREYS)
    given = ["label", str(video), "--weights", str(weights), "--into"]
    refused = CliRunner().invoke(command, [*given, str(tmp_path / "true")])
    assert "pseudo labels are not mixed in" in str(refused.exception)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    refused = CliRunner().invoke(command, [*given, str(tmp_path / "mine")])
    assert "holds something else" in str(refused.exception)


@pytest.mark.filterwarnings("ignore")
def test_lerobot_opens_it(tmp_path: Path, weights: Path) -> None:
    pytest.importorskip("lerobot", reason="lerobot is not installed")
    pytest.importorskip("datasets", reason="datasets, which lerobot needs, is not installed")
    from tests.data.lerobot.package import open_with_lerobot

    film(tmp_path / "a.mp4", GREYS)
    film(tmp_path / "b.mp4", GREYS[::-1])
    label(tmp_path / "a.mp4", tmp_path / "b.mp4", "--weights", weights, "--stride", 3, "--into",
          tmp_path / "set")  # fmt: skip
    dataset = open_with_lerobot(tmp_path / "set")
    assert dataset.num_episodes == 2
    item = dataset[20]
    assert item["action"].shape == (7,)
    assert item[CAMERA].shape == (3, 48, 64)
    assert item["task"] == "b"
