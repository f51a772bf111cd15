"""A fake server for all tests of asking models, whose retries do not wait, and a made pair set."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from armsight.vlm.providers import engine
from armsight.vlm.study.pair_maker import make_pairs
from armsight.vlm.study.pairs import PairSet
from tests.vlm.fake_server import FakeServer, running
from tests.vlm.scripted_study import make_folder

pytest.importorskip("inspect_ai", reason="the extra armsight[vlm] is not installed")
pytest.importorskip("openai", reason="the extra armsight[vlm] is not installed")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait milliseconds between retries, where inspect_ai waits seconds."""
    monkeypatch.setattr(engine, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(engine, "LONGEST_WAIT_S", 0.02)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running() as one:
        yield one


@pytest.fixture
def tidy() -> Iterator[None]:
    """inspect_ai leaves memory streams unclosed: they are collected while that is no error."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """50 'rendered' and 10 'real' pairs. (That rendering works is tested in test_pairs.)"""
    base = tmp_path_factory.mktemp("pairs")
    sources = [(make_folder(base / "drawn", 60, 1), 50), (make_folder(base / "photos", 10, 2), 10)]
    return make_pairs(base / "mini", "panda", sources, references=2)
