"""What an evaluation plays in: LIBERO, or something that stands in for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from armsight.control.rollout import Stepped
from armsight.errors import ConfigError
from armsight.robots.description.simulator import mujoco_version

Array = NDArray[np.floating]

STYLES = ("plain", "varied")


@runtime_checkable
class Filmed(Stepped, Protocol):
    """A simulation with a calibrated camera."""

    @property
    def K(self) -> Array:
        """(3, 3) [px]"""

    def close(self) -> None:
        """Let go of what it holds."""


class World(Protocol):
    """Makes simulations and drives them as an expert; picklable for worker processes."""

    def simulation(self, task: str) -> Filmed:
        """A new simulation of a task, as the suite has it."""

    def demonstrate(self, simulation: Any, seed: Sequence[int]) -> Iterator[Array]:
        """An expert's actions for a simulation that was just reset."""

    def instruction(self, task: str) -> str:
        """The task in words."""

    def settings(self) -> dict[str, Any]:
        """What results depend on, JSON-ready."""


@dataclass(frozen=True)
class LiberoWorld:
    """A LIBERO suite in its own appearance, and the scripted expert."""

    suite: str = "libero_object"
    image_size: int = 128
    style: str = "plain"
    """How the expert does it: always the same way, or with detours, pauses and noise"""

    def __post_init__(self) -> None:
        """Raises ConfigError when the style is unknown."""
        if self.style not in STYLES:
            raise ConfigError(f"unknown style {self.style!r}; known: {', '.join(STYLES)}")

    def simulation(self, task: str) -> Filmed:
        from armsight.control.simulation import Simulation
        from armsight.control.suite import find_task

        return Simulation(find_task(task, self.suite), image_size=self.image_size)

    def demonstrate(self, simulation: Any, seed: Sequence[int]) -> Iterator[Array]:
        from armsight.control.expert import Expert, Style, draw_style

        rng = np.random.default_rng([*seed, simulation.task.index, simulation.initial_state])
        # A second try must not repeat the first.
        plain = self.style == "plain" and seed[-1] == 0
        return Expert(simulation, Style() if plain else draw_style(rng), rng).actions()

    def instruction(self, task: str) -> str:
        from armsight.control.suite import find_task

        return find_task(task, self.suite).instruction

    def settings(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "image_size": self.image_size,
            "demonstrations": self.style,
            "mujoco": mujoco_version(),  # versions draw and move differently: none are mixed
        }
