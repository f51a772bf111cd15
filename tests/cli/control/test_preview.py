"""`armsight actions --preview`: where actions are executed, and what is said on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.actions.first_pictures import FILE, FirstPictures, write_first_pictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.cli import _progress
from armsight.data.video import VideoReader
from tests.cli.test_actions import run, write_video

pytestmark = pytest.mark.usefixtures("action_weights")


class Stage:
    """A simulation that shows the initial state as its colour, and counts steps."""

    def __init__(self, task: Any, image_size: int) -> None:
        self.task, self.steps, self.state, self.success = task, 0, 0, False

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def reset(self, initial_state: int) -> None:
        self.state, self.steps = initial_state, 0

    def step(self, action: Any) -> bool:
        self.steps += 1
        self.success = self.steps == 12
        return self.success

    def render(self) -> Any:
        frame = np.full((64, 64, 3), 90, np.uint8)
        frame[8 + self.state % 48 : 16 + self.state % 48, 20:30] = 250
        return frame


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks and simulation without LIBERO."""
    from armsight.control import simulation, suite

    known = ("pick_up_the_milk_and_place_it_in_the_basket", "pick_up_the_ketchup")
    made = tuple(
        suite.SuiteTask("libero_object", i, name, name.replace("_", " "), Path())
        for i, name in enumerate(known)
    )
    monkeypatch.setattr(suite, "tasks", lambda suite="libero_object": made)
    monkeypatch.setattr(simulation, "Simulation", Stage)


@pytest.mark.usefixtures("stage")
def test_preview(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "pick_up_the_ketchup.mp4")
    result = run(clip, "--out", tmp_path, "--preview", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)["preview"]
    assert document["task"] == "pick_up_the_ketchup"
    assert document["initial_state"] in range(50)
    assert (document["success"], document["num_steps"]) == (True, 12)
    said = run(clip, "--out", tmp_path, "--preview", "--scene", "milk:7").stdout
    assert "pick up the milk and place it in the basket, initial state 7: solved after 12" in said
    video = tmp_path / "pick_up_the_ketchup.preview.mp4"
    with VideoReader(video) as reader:
        frames = [frame.pixels for frame in reader]
    assert len(frames) == 7  # steps 0, 2, ..., 12
    assert frames[0].shape[1] == 64 + 4 + 64
    assert frames[0].shape[0] > 64 + 3 * 9  # with a caption above
    # The keyframe of the moment on the left: step 6 is keyframe 2.
    left = [float(frame[-44:-24, 20:40].mean()) for frame in frames]
    np.testing.assert_allclose(left[:4], [60, 60, 90, 150], atol=6)


@pytest.mark.usefixtures("stage")
def test_preview_of_what_no_scene_is_known_for(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4")
    for arguments, message in (
        ((), "give --scene TASK or --scene TASK:STATE"),
        (("--scene", "milk:x"), "--scene milk:STATE is 'x'; give the number"),
        (("--scene", "tea"), "no task 'tea' in libero_object"),
        (("--scene", "milk:50"), "no initial state 50"),
    ):
        result = run(clip, "--out", tmp_path, "--preview", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.usefixtures("stage")
def test_what_takes_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "SECONDS", 0.0)
    clip = write_video(tmp_path / "pick_up_the_ketchup.mp4")
    result = run(clip, "--out", tmp_path, "--preview", "--json")
    assert json.loads(result.stdout)["preview"]["success"]
    said = result.stderr.splitlines()
    assert "note: building the simulation of pick_up_the_ketchup" in said
    assert "comparing initial states ..." in said
    assert "comparing initial states: 30 of 50" in said
    assert "playing and filming the actions: 6 of 36" in said


@pytest.mark.usefixtures("stage")
def test_a_task_that_does_not_fit_is_doubted(tmp_path: Path, action_weights: Path) -> None:
    """The clip shows what the milk's task looks like, and is named after the ketchup's."""
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    names = ("pick_up_the_milk_and_place_it_in_the_basket", "pick_up_the_ketchup")
    made = FirstPictures(names, looks, ToneHistogram.of(looks))
    write_first_pictures(made, action_weights / "libero_object" / FILE)
    folder = tmp_path / "pick_up_the_ketchup"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(looks[0]).save(folder / f"{i}.png")
    result = run(folder, "--out", tmp_path, "--preview", "--stride", 3, "--json")
    (doubt,) = json.loads(result.stdout)["preview"]["messages"]
    assert f"looks more like {names[0]} (correlation 1.00) than like {names[1]} (-" in doubt
    assert f"note: {doubt}" in result.stderr
    right = run(folder, "--out", tmp_path, "--preview", "--scene", "milk", "--json")
    assert json.loads(right.stdout)["preview"]["messages"] == []
