"""A fake server for all tests of asking models; its retries do not wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vlm.fake_server import FakeServer, running

pytest.importorskip("inspect_ai", reason="the extra armsight[vlm] is not installed")
pytest.importorskip("openai", reason="the extra armsight[vlm] is not installed")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait milliseconds between retries, where inspect_ai waits seconds."""
    from inspect_ai.model import ModelAPI
    from tenacity import wait_fixed

    monkeypatch.setattr(ModelAPI, "retry_wait", lambda self: wait_fixed(0.01))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running() as one:
        yield one
