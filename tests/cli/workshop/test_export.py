"""`armsight export`: what it writes, and what it says is still missing."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.actions.first_pictures import FirstPictures, read_first_pictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.actions.model import ActionModel
from armsight.cli import group
from armsight.models.checkpoint import save_checkpoint
from tests.models.test_export import make_action_model, make_model


def save(folder: Path, model) -> str:
    info = {"step": 1, "train": {}, "model": model.config.to_json()}
    save_checkpoint(folder, {"ema": model.state_dict()}, info)
    return str(folder)


def test_action_weights_become_complete_by_the_command_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = np.full((1, 8, 8, 3), 90, np.uint8)
    seen = FirstPictures(("milk",), looks, ToneHistogram.of(looks))
    monkeypatch.setattr("armsight.control.task_recognition.look_at", lambda *_: seen)
    checkpoint = save(tmp_path / "c", make_action_model())
    weights = tmp_path / "my weights"  # with a space: the line is for a shell
    arguments = ["export", checkpoint, "--out", str(weights), "--num-inference-steps", "2"]

    first = CliRunner().invoke(group, arguments)
    assert first.exit_code == 0, first.output
    assert "first_pictures.npz is still missing" in first.stderr
    named = shlex.split(first.stderr.splitlines()[-1])
    assert named[:2] == ["armsight", "control"]
    written = CliRunner().invoke(group, named[1:])
    assert written.exit_code == 0, written.output

    assert read_first_pictures(weights) is not None
    assert ActionModel.from_pretrained(weights).session.first_pictures is not None
    again = CliRunner().invoke(group, arguments)
    assert again.exit_code == 0
    assert "missing" not in again.stderr


def test_pose_weights_lack_nothing(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    checkpoint = save(tmp_path / "c", make_model())
    arguments = ["export", checkpoint, "--out", str(tmp_path / "w"), "--num-inference-steps", "2"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    assert "missing" not in result.output
    assert not [w for w in recwarn if "Tracer" in type(w.message).__name__]
