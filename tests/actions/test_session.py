"""The action network's contract: names, batches, noise, broken weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from armsight.actions import session as module
from armsight.actions.session import ActionSession
from armsight.errors import WeightsError
from armsight.estimate.session import Session
from tests.fake_action_weights import STEPS, WIDTH, pictures, write_fake_action_weights
from tests.fake_weights import write_fake_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_action_weights(tmp_path_factory.mktemp("weights"))


def consecutive(count: int) -> np.ndarray:
    return np.stack([np.arange(count), np.arange(count) + 1], axis=1)


def test_batches_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ActionSession(folder)
    images = pictures(np.linspace(30, 250, 11))
    strides = np.array([1, 2, 3, 4, 5, 6, 7, 8, 1, 2])
    whole = session.read(images, consecutive(10), strides, 3)
    assert whole.actions.shape == (10, 3, STEPS, 7)
    assert whole.states["ee_rotation"].shape == (10, 3, STEPS, 3, 3)
    monkeypatch.setattr(module, "LARGEST_BATCH", 4)
    parts = session.read(images, consecutive(10), strides, 3)
    np.testing.assert_array_equal(parts.actions, whole.actions)
    np.testing.assert_array_equal(parts.presence, whole.presence)
    for name in ("ee_position", "gripper_opening"):
        np.testing.assert_array_equal(parts.states[name], whole.states[name])


def test_noise(folder: Path) -> None:
    session = ActionSession(folder)
    assert session.noise(0, 5).shape == (5, STEPS, WIDTH)
    np.testing.assert_array_equal(session.noise(3, 4), session.noise(3, 9)[:4])
    assert np.abs(session.noise(0, 4) - session.noise(1, 4)).max() > 0.1
    assert np.abs(session.noise(0, 4) - session.noise(0, 4, seed=1)).max() > 0.1
    twins = session.noise(2, 6)
    np.testing.assert_array_equal(twins[0::2], -twins[1::2])
    assert abs(np.std([session.noise(p, 1) for p in range(200)]) - 1) < 0.02


def test_errors_of_pairs_do_not_point_one_way(folder: Path) -> None:
    """Played open loop they would add up."""
    images = pictures(np.full(61, 100))
    actions = ActionSession(folder).read(images, consecutive(60), np.full(60, 3), 1).actions
    errors = actions[:, 0, 0, 3]  # the truth is 0
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(60)


def test_broken_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no model\.json; make weights with"):
        ActionSession(tmp_path)
    with pytest.raises(WeightsError, match="armsight-actions/9"):
        ActionSession(write_fake_action_weights(tmp_path / "a", format="armsight-actions/9"))
    with pytest.raises(WeightsError, match="lacks 'max_stride'"):
        ActionSession(write_fake_action_weights(tmp_path / "b", max_stride=None))
    broken = write_fake_action_weights(tmp_path / "c")
    for content in ("{", "[]"):
        (broken / "model.json").write_text(content)
        with pytest.raises(WeightsError, match="broken"):
            ActionSession(broken)
    cut = write_fake_action_weights(tmp_path / "d")
    (cut / "model.onnx").write_bytes((cut / "model.onnx").read_bytes()[:2000])
    with pytest.raises(WeightsError, match="cannot load"):
        ActionSession(cut)


def test_weights_of_the_other_kind_are_told_apart(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="read poses: use `armsight estimate`"):
        ActionSession(write_fake_weights(tmp_path / "pose"))
    with pytest.raises(WeightsError, match="read actions: use `armsight actions`"):
        Session(folder)
    # A graph of poses under a card of actions.
    mixed = write_fake_weights(tmp_path / "mixed")
    (mixed / "model.json").write_text(json.dumps(ActionSession(folder).card.entries))
    with pytest.raises(WeightsError, match="has no images, pairs, stride, actions"):
        ActionSession(mixed)


def test_a_graph_that_refuses_what_the_card_promises(tmp_path: Path) -> None:
    session = ActionSession(write_fake_action_weights(tmp_path, input_size=48))
    with pytest.raises(WeightsError, match="do not belong together"):
        session.read(pictures([9, 9], 48, 48), consecutive(1), np.array([3]), 1)
