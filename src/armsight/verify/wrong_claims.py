"""Claims to try a verifier on: the true joint angles, and those with one joint off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Claim:
    """Joint angles that are claimed: the true ones, or with one joint shifted."""

    joint_positions: Array
    joint: int | None = None
    shift_deg: float = 0.0
    """Signed"""

    @property
    def label(self) -> str:
        return "true" if self.joint is None else f"joint{self.joint}{self.shift_deg:+g}"


def shifted_claim(
    robot: Robot, true: Array, joint: int, degrees: float, rng: np.random.Generator
) -> Claim:
    """The true angles (J,) [rad] with one joint shifted up or down, within its limits if it can."""
    shift = np.radians(degrees) * (1 if rng.random() < 0.5 else -1)
    low, high = robot.joint_limits[joint]
    if not low <= true[joint] + shift <= high:
        shift = -shift
    q = true.copy()
    q[joint] += shift
    return Claim(q, joint, float(round(np.degrees(shift), 6)))
