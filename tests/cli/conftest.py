"""Weights of actions for commands that look for them in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from armsight.estimate import pretrained
from tests.fake_action_weights import write_fake_action_weights


@pytest.fixture
def action_weights(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder that stands for the package's own weights; it holds `libero_object`."""
    folder = tmp_path_factory.mktemp("weights")
    write_fake_action_weights(folder / "libero_object")
    monkeypatch.setattr(pretrained, "WEIGHTS", folder)
    return folder
