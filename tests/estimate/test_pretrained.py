"""Where weights are looked for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from armsight.errors import MissingExtraError, UnknownRobotError, WeightsError
from armsight.estimate import pretrained
from armsight.estimate.estimator import Estimator
from armsight.estimate.pretrained import available_weights, weights_folder
from tests.fake_weights import write_fake_weights


def test_a_folder(tmp_path: Path) -> None:
    folder = write_fake_weights(tmp_path / "mine")
    assert weights_folder(folder) == folder
    assert Estimator.from_pretrained(str(folder)).robot.name == "panda"


def test_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake_weights(tmp_path / "panda")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    assert available_weights() == ("panda",)
    assert weights_folder("panda") == tmp_path / "panda"


def test_unknown_names_list_the_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake_weights(tmp_path / "panda")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    with pytest.raises(UnknownRobotError, match="no weights for 'pandu'; known robots: panda"):
        Estimator.from_pretrained("pandu")


def test_hub_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'armsight\[hub\]'"):
        weights_folder("someone/some-arm")


def test_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def snapshot_download(name: str, **options: object) -> str:
        asked.append(name)
        return str(write_fake_weights(tmp_path / "hub"))

    hub = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert Estimator.from_pretrained("someone/some-arm").session.folder == tmp_path / "hub"
    assert asked == ["someone/some-arm"]


def test_hub_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(name: str, **options: object) -> str:
        raise ConnectionError("no network")

    hub = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with pytest.raises(WeightsError, match="no network"):
        weights_folder("someone/some-arm")
