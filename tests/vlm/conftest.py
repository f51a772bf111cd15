"""A fake server for all tests of asking models; its retries do not wait."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from armsight.vlm import engine
from tests.vlm.fake_server import FakeServer, running

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
