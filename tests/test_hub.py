"""Weights pushed to a Hub and loaded from it again, against a stand-in on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("huggingface_hub")

import huggingface_hub
import huggingface_hub.constants

from armsight import Estimator, hub
from armsight.cli.workshop.export import command
from armsight.errors import ConfigError, WeightsError
from armsight.models import export
from tests.fake_weights import write_fake_weights
from tests.hub_stand_in import Hub, serving

PICTURE = np.full((96, 128, 3), 120, np.uint8)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as running:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", running.address)
        template = running.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "not-a-real-token")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield running


def test_there_and_back(there: Hub, tmp_path: Path) -> None:
    folder = write_fake_weights(tmp_path / "mine", licence="Apache-2.0", description="An arm.")
    assert hub.push(folder, "lab/arm") == f"{there.address}/lab/arm"
    first = next(iter(there.repositories["lab/arm"]))
    again = write_fake_weights(tmp_path / "mine", description="A better arm.")
    hub.push(again, "lab/arm")
    newest = Estimator.from_pretrained("lab/arm")
    assert newest.session.card.entries["description"] == "A better arm."
    expected = Estimator.from_pretrained(again)(PICTURE).joint_positions
    np.testing.assert_array_equal(newest(PICTURE).joint_positions, expected)
    before = Estimator.from_pretrained("lab/arm", revision=first)
    assert before.session.card.entries["description"] == "An arm."
    with pytest.raises(WeightsError, match="cannot load 'lab/arm'"):
        Estimator.from_pretrained("lab/arm", revision="v7")
    with pytest.raises(WeightsError, match="cannot load 'lab/other'"):
        Estimator.from_pretrained("lab/other")
    with pytest.raises(ConfigError, match="has no revision 'v7'"):
        Estimator.from_pretrained(folder, revision="v7")


def test_the_card_is_one_that_the_hub_reads(there: Hub, tmp_path: Path) -> None:
    metrics = {"held_out": {"add_auc_100mm": [88.0, 86.8, 89.2]}}
    folder = write_fake_weights(
        tmp_path / "mine", licence="Apache-2.0", description="An arm.", metrics=metrics,
        training={"data": "29,184 pictures | and more"},
    )  # fmt: skip
    hub.push(folder, "lab/arm")
    (files,) = there.repositories["lab/arm"].values()
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "armsight"
    assert "robotics" in card.data.tags
    assert 'Estimator.from_pretrained("lab/arm")' in card.text
    assert "An arm." in card.text
    assert "| trained on | 29,184 pictures / and more |" in card.text
    block = card.text.split("```json\n")[1].split("```")[0]
    assert json.loads(block) == metrics


def test_a_shared_encoder_travels_along(there: Hub, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    content = b"an encoder that several robots share"
    (tmp_path / "encoder" / "encoder.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    hub.push(write_fake_weights(tmp_path / "mine", encoder_digest=digest), "lab/one")
    folder = tmp_path / "mine"
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"encoder": digest}))
    hub.push(folder, "lab/two")
    (without,), (files,) = (there.repositories[n].values() for n in ("lab/one", "lab/two"))
    assert "encoder.onnx" not in without
    assert files["encoder.onnx"] == content


def test_export_pushes_what_it_wrote(
    there: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [write_fake_weights(tmp_path / "out" / name) for name in ("panda", "other")]
    monkeypatch.setattr(export, "export_checkpoint", lambda *_, **__: folders)
    result = CliRunner().invoke(
        command, ["checkpoint", "--out", str(tmp_path / "out"), "--push", "lab/arms"]
    )
    assert result.exit_code == 0, result.output
    assert f"pushed {there.address}/lab/arms-other" in result.output
    assert set(there.repositories) == {"lab/arms-panda", "lab/arms-other"}


def test_what_cannot_be_pushed(there: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no model\.json"):
        hub.push(tmp_path, "lab/arm")
    folder = write_fake_weights(tmp_path / "mine")
    with pytest.raises(WeightsError, match="give ORG/NAME"):
        hub.push(folder, "arm")
