"""Weights of actions that evaluations can play."""

from __future__ import annotations

import pytest

from tests.fake_action_weights import write_fake_action_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_fake_action_weights(tmp_path_factory.mktemp("weights")))
