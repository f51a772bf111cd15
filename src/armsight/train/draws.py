"""Random numbers for a batch, from one generator on the batch's device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Draws for `count` rows: (count,) or (count, n) each."""

    g: torch.Generator
    count: int

    def uniform(self, low: float, high: float, n: int | None = None) -> Tensor:
        """Uniform in [low, high)."""
        # NumPy's numbers would turn the product into an array of the CPU.
        return float(low) + float(high - low) * self._unit(n)

    def chance(self, probability: float, n: int | None = None) -> Tensor:
        """True with this probability."""
        return self._unit(n) < probability

    def below(self, end: int) -> Tensor:
        """(count,) whole numbers from 0 to end - 1."""
        return torch.randint(end, (self.count,), generator=self.g, device=self.g.device)

    def normal(self, n: int) -> Tensor:
        """(count, n) standard normal."""
        return torch.randn(self.count, n, generator=self.g, device=self.g.device)

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal of the shape of `x`."""
        return torch.randn(x.shape, generator=self.g, device=self.g.device, dtype=x.dtype)

    def _unit(self, n: int | None) -> Tensor:
        shape = (self.count,) if n is None else (self.count, n)
        return torch.rand(shape, generator=self.g, device=self.g.device)
