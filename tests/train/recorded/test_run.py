"""From a LeRobot data set to weights that label its videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from armsight.actions.model import ActionModel
from armsight.cli import group
from armsight.data.lerobot import LeRobotReader
from armsight.errors import ConfigError
from armsight.models.lite0 import Lite0
from armsight.train.recorded.batches import Recordings, draw_batch, read_steps
from armsight.train.recorded.pictures import open_pictures
from armsight.train.recorded.run import default_config
from armsight.train.recorded.task import open_recordings
from tests.train.recorded.made_recordings import make_recordings

pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.filterwarnings("ignore")]
TINY = ["input_size=64", "denoiser_width=16", "denoiser_depth=1", "batch_size=2", "window=3",
        "steps=3", "num_threads=1", "warmup_steps=1"]  # fmt: skip


def invoke(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> Any:
    monkeypatch.setattr("armsight.cli.workshop.train.keep_large_blocks", lambda: False)
    return CliRunner().invoke(group, [str(one) for one in arguments])


def train(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, *more: str) -> Any:
    sets = [part for one in (*TINY, *more) for part in ("--set", one)]
    return invoke(monkeypatch, "train", "actions", "--dataset", data, "--out", out, *sets)


@pytest.mark.parametrize("cameras", [("front",), ("front", "wrist")])
def test_train_score_and_label_in_three_commands(
    cameras: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_recordings(tmp_path / "set", cameras=cameras)
    result = train(monkeypatch, data, tmp_path / "mine")
    assert result.exit_code == 0, result.output
    assert "1 of 4 whole episodes drawn at random (seed 0) are held out" in result.output
    card = json.loads((tmp_path / "mine" / "model.json").read_text())
    assert card["action_spec"]["cameras"] == [f"observation.images.{c}" for c in cameras]
    ways = card["metrics"]["held_out_episodes"]["ways"]
    assert {"weights", "regression", "interpolation", "fitted interpolation", "repeat"} <= set(ways)
    assert ("weights, first camera alone" in ways) == (len(cameras) > 1)
    # The state after a row is its action: the true states give it away, pictures do not.
    assert ways["interpolation"]["dimensions"]["pan"]["share_of_spread"] < 0.5
    video = next((data / "videos" / "observation.images.front").rglob("*.mp4"))
    labelled = invoke(monkeypatch, "actions", video, "--weights", tmp_path / "mine",
                      "--out", tmp_path / "o", "--json")  # fmt: skip
    assert labelled.exit_code == 0, labelled.output
    document = json.loads(labelled.stdout)
    assert document["action_names"] == ["pan", "lift", "gripper"]
    assert np.shape(document["states"]) == (len(document["actions"]), 3)
    assert ("without the camera" in labelled.stderr) == (len(cameras) > 1)


def test_a_run_is_resumed_and_other_settings_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_recordings(tmp_path / "set", (20, 20))
    assert train(monkeypatch, data, tmp_path / "mine").exit_code == 0
    again = train(monkeypatch, data, tmp_path / "mine")
    assert again.exit_code == 0, again.output
    other = train(monkeypatch, data, tmp_path / "mine", "window=2")
    assert isinstance(other.exception, ConfigError)
    assert "other settings (window)" in str(other.exception)


def test_maps_are_those_of_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_recordings(tmp_path / "set", (20, 22, 21))
    out = tmp_path / "mine"
    config = default_config(data, out, 1, 0, (), "action", {"input_size": 64, "batch_size": 2})
    reader, split, spec = open_recordings(config)
    pictures = open_pictures(reader, spec.cameras, 64, out)
    from armsight.train.recorded.maps import open_maps

    maps = open_maps(pictures, split.train, out, 0)
    episode = split.train[1]
    backbone = Lite0()
    backbone.load_imagenet()
    shown = torch.from_numpy(pictures.of(episode, np.array([5]))[:, 0]).permute(0, 3, 1, 2).float()
    expected = backbone.eval()(shown)
    found = maps.of(episode, np.array([5]), [0])
    for name, values in zip(expected._fields, expected, strict=True):
        got = found[f"maps.{name}"][:, 0].astype(float)
        np.testing.assert_allclose(got, values.detach().numpy(), atol=0.02, rtol=0.01)


def test_a_window_holds_what_was_recorded_between_its_pictures(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "set", (40, 40))
    reader = LeRobotReader(data)
    config = default_config(data, tmp_path, 1, 0, (), "action", {})
    _, split, spec = open_recordings(config)
    pictures = open_pictures(reader, spec.cameras, 64, tmp_path / "p")
    recordings = Recordings(read_steps(reader, spec, split.train), pictures)
    batch = draw_batch(recordings, split.train, 3, 4, [np.random.default_rng(1)])
    rows = reader.rows(split.train[0])
    for pair, stride, steps, weight in zip(
        batch["pairs"], batch["stride"], batch["steps"], batch["step_weight"], strict=True
    ):
        if stride > 4:
            assert not weight.any()
            continue
        assert weight.tolist() == [float(k <= stride) for k in range(5)]
        states = rows["observation.state"]
        start = int(np.abs(states - steps[0, 3:].numpy()).sum(1).argmin())
        expected = rows["action"][start : start + int(stride) + 1]
        np.testing.assert_allclose(steps[: int(stride) + 1, :3], expected, rtol=1e-6)
        assert 0 <= int(pair[0]) < int(pair[1]) < 3


def test_presence_is_told_by_what_is_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_recordings(tmp_path / "set", (20,) * 6)
    assert train(monkeypatch, data, tmp_path / "mine").exit_code == 0
    model = ActionModel.from_pretrained(tmp_path / "mine")
    usual = LeRobotReader(data).frames(0, "observation.images.front", [0, 3, 6])
    assert model.predict_action_chunk(usual, 3).presence.min() > 0.5
    strange = np.random.default_rng(0).integers(0, 256, usual.shape, dtype=np.uint8)
    model.presence_threshold = 0
    assert model.predict_action_chunk(strange, 3).presence.max() < 0.5
