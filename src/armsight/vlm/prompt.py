"""What a model is told: the template file filled in for a robot.

The paper did not publish its prompt; this one is ours. It is told from the robot's data file
alone, so that it works for any robot.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.robots import Robot

Array = NDArray[np.floating]

TEMPLATE_FILE = Path(__file__).with_name("prompts.md")


@lru_cache(maxsize=1)
def _sections() -> dict[str, str]:
    parts = re.split(r"^# (\S+)\n", TEMPLATE_FILE.read_text(encoding="utf-8"), flags=re.M)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def version_of(template: str) -> str:
    """The version that results made with a template file's text carry: its number and digest."""
    number = re.match(r"version: (\S+)", template)
    digest = hashlib.sha256(template.encode()).hexdigest()[:8]
    return f"{number.group(1) if number else '0'}-{digest}"


@lru_cache(maxsize=1)
def prompt_version() -> str:
    """Of the installed template; in every result."""
    return version_of(TEMPLATE_FILE.read_text(encoding="utf-8"))


def system_text() -> str:
    """The system message."""
    return _sections()["system"]


def robot_text(robot: Robot) -> str:
    """Joints, limits, axes, zero pose and signs of a robot."""
    zero = np.zeros(len(robot.joint_names))
    frames = robot.forward_kinematics(zero)
    chain = robot.chain
    lines = []
    for j, name in enumerate(robot.joint_names):
        link = chain.joints.index(j)
        skew = chain.axis_skews[link].reshape(3, 3)
        axis = frames[link, :3, :3] @ np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
        low, high = np.degrees(robot.joint_limits[j])
        lines.append(
            f"- {name}: range {low:.0f} to {high:.0f}, turns {robot.link_names[link]} about "
            f"{_vector(axis)} at {_vector(frames[link, :3, 3])}"
        )
    origins = [f"- {name}: {_vector(frames[i, :3, 3])}" for i, name in enumerate(robot.link_names)]
    return _fill(
        "robot",
        robot=robot.name,
        count=len(robot.joint_names),
        joints="\n".join(lines),
        zero_pose="\n".join(origins),
        ready=angles_text(robot, robot.ready_positions),
    )


def reference_text(robot: Robot, joint_positions: ArrayLike, number: int, total: int) -> str:
    """What stands before a reference image; joint positions (J,) [rad]."""
    angles = angles_text(robot, joint_positions)
    return _fill("reference", number=number, total=total, angles=angles)


def target_text(robot: Robot) -> str:
    """What stands before the target image: the question and the answer's format."""
    return _fill("target", count=len(robot.joint_names), fields=_fields(robot))


def repair_text(robot: Robot, problem: str) -> str:
    """The one further try after an answer that could not be used."""
    return _fill("repair", problem=problem, fields=_fields(robot))


def refine_text(robot: Robot, joint_positions: ArrayLike, view: str) -> str:
    """What stands before the drawing of the estimated pose (J,) [rad]."""
    angles = angles_text(robot, joint_positions)
    return _fill("refine", view=view, angles=angles, fields=_fields(robot))


def verify_text(robot: Robot, claimed: ArrayLike) -> str:
    """What stands before the target image when angles (J,) [rad] are claimed."""
    return _fill("verify", angles=angles_text(robot, claimed))


def verify_repair_text(problem: str) -> str:
    """The one further try of a verification."""
    return _fill("verify-repair", problem=problem)


def angles_text(robot: Robot, joint_positions: ArrayLike) -> str:
    """Joint positions (J,) [rad] as JSON in degrees, one decimal."""
    degrees = np.degrees(np.asarray(joint_positions, dtype=float))
    pairs = zip(robot.joint_names, degrees, strict=True)
    return "{" + ", ".join(f'"{name}": {round(value, 1) + 0.0:.1f}' for name, value in pairs) + "}"


def _fields(robot: Robot) -> str:
    return ", ".join(f'"{name}": <number>' for name in robot.joint_names)


def _fill(section: str, **values: object) -> str:
    return Template(_sections()[section]).substitute({k: str(v) for k, v in values.items()})


def _vector(values: Sequence[float] | Array) -> str:
    return "(" + ", ".join(f"{round(float(v), 3) + 0.0:g}" for v in values) + ")"
