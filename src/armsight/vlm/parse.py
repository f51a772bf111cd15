"""From a model's text to joint angles, strictly: what is not clearly an answer is a failure."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot

Array = NDArray[np.floating]

REFUSED, UNPARSED, ERROR = "refused", "unparsed", "error"
FAILURES = (REFUSED, UNPARSED, ERROR)
"""refused: the model would not; unparsed: no usable numbers; error: the server gave no answer"""

_REFUSAL = re.compile(
    r"\b(i('m| am) (sorry|unable)|i can(no|')t|cannot (help|assist|comply|determine|provide)"
    r"|unable to (help|assist|comply|determine|provide)|won't be able)\b",
    re.I,
)
_RADIANS_BELOW = 2 * math.pi


@dataclass(frozen=True)
class Parsed:
    """What a text came to: angles, or why there are none."""

    joint_positions: Array | None = None
    """(J,) [rad], as answered: not clipped to the limits"""
    violated: tuple[str, ...] = ()
    """Joints answered outside of their limits"""
    failure: str | None = None
    """One of FAILURES, or None"""
    problem: str | None = None
    """What to tell the model, or a person: what is wrong with the answer"""
    doubtful: bool = False
    """The numbers look like radians: worth asking again, but usable if the model stays with them"""


def parse_angles(text: str, robot: Robot, stop_reason: str = "stop") -> Parsed:
    """Read `joint_angles_deg` from a model's text.

    The text has to hold exactly one kind of answer: a JSON object with a finite number for each
    joint, alone, in a code fence, or with prose around it (then the last such object counts).

    Args:
        stop_reason: as inspect_ai names it; 'content_filter' is a refusal.
    """
    found, failure = _object_with(text, "joint_angles_deg", stop_reason)
    if failure is not None or found is None:
        return failure or Parsed(failure=UNPARSED, problem="there is no answer")
    angles = found["joint_angles_deg"]
    if isinstance(angles, list) and len(angles) == len(robot.joint_names):
        angles = dict(zip(robot.joint_names, angles, strict=True))
    if not isinstance(angles, dict):
        return Parsed(
            failure=UNPARSED,
            problem=f'"joint_angles_deg" must be an object with {len(robot.joint_names)} joints',
        )
    missing = [name for name in robot.joint_names if name not in angles]
    if missing:
        return Parsed(failure=UNPARSED, problem=f"joints are missing: {', '.join(missing)}")
    values = []
    for name in robot.joint_names:
        value = _number(angles[name])
        if value is None:
            problem = f"{name} is {json.dumps(angles[name])[:60]}, not a finite number"
            return Parsed(failure=UNPARSED, problem=problem)
        values.append(value)
    degrees = np.array(values)
    q = np.radians(degrees)
    low, high = robot.joint_limits.T
    slack = 1e-3
    outside = (q < low - slack) | (q > high + slack)
    violated = tuple(n for n, out in zip(robot.joint_names, outside, strict=True) if out)
    if (np.abs(degrees) < _RADIANS_BELOW).all() and not (degrees == np.round(degrees)).all():
        return Parsed(
            q, violated, None, "the numbers look like radians, but degrees are needed", True
        )
    return Parsed(q, violated)


def parse_disagreement(text: str, stop_reason: str = "stop") -> tuple[float | None, Parsed]:
    """The disagreement, 0 to 1, from the answer to a verification; or None and why."""
    found, failure = _object_with(text, "disagreement", stop_reason)
    if failure is not None or found is None:
        return None, failure or Parsed(failure=UNPARSED, problem="there is no answer")
    value = _number(found["disagreement"])
    if value is None or not 0 <= value <= 100:
        shown = json.dumps(found["disagreement"])[:60]
        return None, Parsed(
            failure=UNPARSED, problem=f'"disagreement" is {shown}, not a number from 0 to 100'
        )
    return value / 100, Parsed()


def _refusal(text: str) -> str:
    """What was said, in one line."""
    return f"refused: {' '.join(text.split())[:200]}"


def _object_with(
    text: str, key: str, stop_reason: str
) -> tuple[dict[str, Any] | None, Parsed | None]:
    if stop_reason == "content_filter":
        return None, Parsed(failure=REFUSED, problem=_refusal(text))
    answers = [found for found in _objects(text) if key in found]
    if answers:
        return answers[-1], None
    if _REFUSAL.search(text):
        return None, Parsed(failure=REFUSED, problem=_refusal(text))
    if not text.strip():
        return None, Parsed(failure=UNPARSED, problem="the answer is empty")
    cut = " and was cut off" if stop_reason in ("max_tokens", "model_length") else ""
    return None, Parsed(
        failure=UNPARSED, problem=f'the answer has no whole JSON object with "{key}"{cut}'
    )


def _objects(text: str) -> list[dict[str, Any]]:
    """All outermost JSON objects in a text, in order."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, dict):
                found.append(value)
        at = text.find("{", end)
    return found


def _number(value: Any) -> float | None:
    """A finite JSON number; numbers in quotes are not numbers, and true is not 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
