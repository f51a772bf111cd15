"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run in several processes: threads of torch and OpenMP would fight for the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def shared_data() -> Path:
    """Real data that is not part of the project; the test skips where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data on this machine")
    return folder
