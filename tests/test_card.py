"""The card of a weights folder: what is read, what is refused, what stays when it is rewritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from armsight.card import Card, read_card, update_card, weights_digest
from armsight.errors import WeightsError
from tests.fake_action_weights import write_fake_action_weights

FORMATS = {"armsight-actions/1": ("model.onnx",)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_fake_action_weights(tmp_path)


def test_what_is_missing_is_named(folder: Path) -> None:
    assert read_card(folder, FORMATS, ("task",)).task == "libero_object"
    with pytest.raises(WeightsError, match="lacks 'colour'"):
        read_card(folder, FORMATS, ("colour",))
    for found, hint in (
        ("armsight-actions/2", "update armsight"),
        ("armsight-weights/1", "armsight estimate"),
        (None, "update armsight"),
    ):
        (folder / "model.json").write_text(json.dumps({"format": found}))
        with pytest.raises(WeightsError, match=hint):
            read_card(folder, FORMATS, ())


def test_what_it_does_not_say_is_none() -> None:
    card = Card.from_json({"format": "f", "robot": "r", "input_size": 9, "colour": "red"})
    assert (card.num_hypotheses, card.joint_names, card.default_route) == (None, (), None)
    assert card.entries["colour"] == "red"


def test_an_update_keeps_the_rest(folder: Path) -> None:
    before = json.loads((folder / "model.json").read_text())
    update_card(folder, {"metrics": {"success": 0.9}, "input_size": 32})
    after = json.loads((folder / "model.json").read_text())
    assert after == before | {"metrics": {"success": 0.9}, "input_size": 32}


def test_the_digest_sees_all_that_answers_depend_on(folder: Path) -> None:
    seen = {weights_digest(folder)}
    update_card(folder, {"metrics": {"success": 0.9}, "description": "better"})
    assert weights_digest(folder) in seen
    for write in (
        lambda: update_card(folder, {"num_hypotheses": 2}),
        lambda: (folder / "my_arm.json").write_text("{}"),
        lambda: (folder / "my_arm.npz").write_bytes(b"mesh"),
        lambda: (folder / "head.onnx").write_bytes(b"graph"),
    ):
        write()
        assert weights_digest(folder) not in seen
        seen.add(weights_digest(folder))
