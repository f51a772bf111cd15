"""The answer's JSON schema, for providers that hold their models to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from armsight.robots import Robot


def angles_schema(robot: Robot) -> dict[str, Any]:
    """One number for each joint of a robot, in degrees; limits are told in words only.

    Providers differ in which numeric bounds they take, and all of them take this subset.
    """
    joints = {}
    for name, (low, high) in zip(robot.joint_names, np.degrees(robot.joint_limits), strict=True):
        text = f"Angle in degrees, from {low:.0f} to {high:.0f}"
        joints[name] = {"type": "number", "description": text}
    angles = {
        "type": "object",
        "properties": joints,
        "required": list(joints),
        "additionalProperties": False,
    }
    return _with_observations("joint_angles_deg", angles)


def verify_schema() -> dict[str, Any]:
    """A probability in percent that the claimed angles are wrong."""
    text = "Probability from 0 to 100 that the claimed angles are wrong"
    return _with_observations("disagreement", {"type": "number", "description": text})


def _with_observations(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Observations come first, so that the model looks before it names numbers."""
    return {
        "type": "object",
        "properties": {"observations": {"type": "string"}, name: schema},
        "required": ["observations", name],
        "additionalProperties": False,
    }
