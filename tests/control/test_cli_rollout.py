"""`armsight control rollout`: videos and files of actions, and what must be known to play them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result

from armsight.actions.files import read_actions, write_actions
from armsight.cli import _progress
from armsight.cli.control.rollout import rollout
from armsight.control.simulation import Simulation
from armsight.errors import ConfigError, UnknownTaskError
from tests.control.conftest import Kept
from tests.fake_action_weights import write_fake_action_weights

CREAM_CHEESE = "pick_up_the_cream_cheese_and_place_it_in_the_basket"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_fake_action_weights(tmp_path / "weights")


@pytest.fixture
def clip(drawing: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures of initial state 1 in a folder that is named after the task."""
    kept = Kept(drawing)
    monkeypatch.setattr("armsight.control.simulation.Simulation", lambda *_, **__: kept)
    monkeypatch.setattr("armsight.control.suite.NUM_INITIAL_STATES", 3)
    folder = tmp_path / CREAM_CHEESE
    folder.mkdir()
    drawing.reset(1)
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), drawing.render()[..., ::-1])
    return folder


def play(*arguments: Any) -> Result:
    return CliRunner().invoke(rollout, [str(a) for a in arguments], catch_exceptions=False)


def test_pictures(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the picture of a state to that state; the fake model's actions solve nothing."""
    monkeypatch.setattr(_progress, "SECONDS", 0.0)
    out = tmp_path / "out"
    done = play(clip, "--task", "cream_cheese", "--weights", weights, "--out", out, "--json")
    result = json.loads(done.stdout)
    assert result == json.loads((out / "rollout.json").read_text())
    assert result["task"] == CREAM_CHEESE
    assert result["initial_state"] == 1
    assert result["success"] is False
    assert result["what_happened"] == "the cream cheese was not picked up"
    assert result["num_actions"] == 7
    assert result["tones"] == {"mode": "auto", "matched": False, "distance": None}
    assert (out / "rollout.mp4").stat().st_size > 1000
    said = done.stderr.splitlines()
    assert any("--stride was not given: 3 control steps" in line for line in said)
    assert any("--stride was not given" in line for line in result["messages"])
    assert f"note: building the simulation of {CREAM_CHEESE}" in said
    assert "comparing initial states: 2 of 3" in said
    assert "playing and filming the actions: 7 of 27" in said
    scene = {"suite": "libero_object", "task": CREAM_CHEESE, "initial_state": 1}
    assert read_actions(out / "actions.npz").scene == scene

    # The actions that were kept say where they were played; nothing else is needed.
    shutil.rmtree(clip)
    again = play(out / "actions.npz", "--out", tmp_path / "b", "--no-film")
    assert "pick up the cream cheese and place it in the basket, initial state 1\n" in again.stdout
    assert "no success after 27 steps" in again.stdout

    # A run that is cut short leaves its actions, and no result of others beside them.
    monkeypatch.setattr("armsight.cli.control._play.play", lambda *_: {}["killed"])
    kept = (out / "actions.npz").read_bytes()
    shutil.copy(out / "actions.npz", tmp_path / "c.npz")
    with pytest.raises(KeyError, match="killed"):
        play(tmp_path / "c.npz", "--out", out)
    assert [path.name for path in out.iterdir()] == ["actions.npz"]
    assert len((out / "actions.npz").read_bytes()) == len(kept)


def test_actions_of_a_video_that_is_still_there(clip: Path, weights: Path, tmp_path: Path) -> None:
    from armsight import ActionModel

    model = ActionModel.from_pretrained(weights)
    sequence = model.predict_action_chunk(clip, 1)
    write_actions(sequence, tmp_path / "a.npz")
    done = play(tmp_path / "a.npz", "--out", tmp_path / "b", "--json")
    result = json.loads(done.stdout)
    assert (result["task"], result["initial_state"]) == (CREAM_CHEESE, 1)
    assert result["resemblance"] > 0.9

    shutil.rmtree(clip)
    with pytest.raises(ConfigError, match=r"is not there or has changed.* --init-state a number"):
        play(tmp_path / "a.npz", "--out", tmp_path / "c")
    assert not (tmp_path / "c").exists()
    state = play(tmp_path / "a.npz", "--init-state", 2, "--out", tmp_path / "c", "--no-film")
    assert "initial state 2\n" in state.stdout
    write_actions(replace(sequence, source=None), tmp_path / "d.npz")
    with pytest.raises(ConfigError, match="give --task: no task ''"):
        play(tmp_path / "d.npz", "--out", tmp_path / "e")
    with pytest.raises(ConfigError, match="pictures that are in no file"):
        play(tmp_path / "d.npz", "--task", "1", "--out", tmp_path / "e")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--init-state", "first"], ConfigError, "--init-state is 'first'; give the number"),
        (["--init-state", "50"], UnknownTaskError, "no initial state 50"),
        (["--task", "tea"], UnknownTaskError, "no task 'tea'"),
        ([], ConfigError, "clip.mp4 does not say which task it belongs to; give --task"),
    ],
)
@pytest.mark.usefixtures("shared_simulation")
def test_bad_arguments(
    tmp_path: Path, arguments: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        play(tmp_path / "clip.mp4", "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()
