"""The prompt is told from the robot's data file, and any change of it shows."""

from __future__ import annotations

import re

import numpy as np
import pytest

from armsight.robots import load_robot
from armsight.vlm import prompt

ROBOT = load_robot("panda")


def test_axes_and_signs_in_the_prompt_agree_with_forward_kinematics() -> None:
    text = prompt.robot_text(ROBOT)
    number = r"(-?[\d.]+)"
    vector = rf"\({number}, {number}, {number}\)"
    zero = ROBOT.forward_kinematics(np.zeros(7))
    for j, name in enumerate(ROBOT.joint_names):
        found = re.search(
            rf"- {name}: range \S+ to \S+, turns (\S+) about {vector} at {vector}", text
        )
        assert found is not None
        axis, origin = np.array(found.groups()[1:], dtype=float).reshape(2, 3)
        # A small positive turn moves the last link's origin by axis x (point - origin).
        q = np.zeros(7)
        q[j] = 1e-5
        for link in range(len(ROBOT.link_names)):
            moved = (ROBOT.forward_kinematics(q)[link, :3, 3] - zero[link, :3, 3]) / 1e-5
            follows = link >= ROBOT.link_names.index(found[1])
            expected = np.cross(axis, zero[link, :3, 3] - origin) if follows else np.zeros(3)
            np.testing.assert_allclose(moved, expected, atol=2e-3)


def test_angles_are_told_in_degrees() -> None:
    text = prompt.reference_text(ROBOT, np.radians([1, 2, 3, -90, 5, 6, 7]), 1, 2)
    assert '"panda_joint4": -90.0' in text
    assert "1 of 2" in text


def test_no_placeholder_is_left_over() -> None:
    q = ROBOT.ready_positions
    texts = [
        prompt.system_text(), prompt.robot_text(ROBOT), prompt.reference_text(ROBOT, q, 1, 1),
        prompt.target_text(ROBOT), prompt.repair_text(ROBOT, "x"),
        prompt.refine_text(ROBOT, q, "seen from above"), prompt.verify_text(ROBOT, q),
        prompt.verify_repair_text("x"),
    ]  # fmt: skip
    for text in texts:
        assert "$" not in text
        assert text.strip()


def test_any_edit_changes_the_version() -> None:
    text = prompt.TEMPLATE_FILE.read_text()
    assert prompt.version_of(text) == prompt.prompt_version()
    edited = text.replace("look closely", "look  closely")
    assert edited != text
    assert prompt.version_of(edited) != prompt.prompt_version()
    assert prompt.prompt_version().startswith(re.match(r"version: (\S+)", text)[1] + "-")  # type: ignore[index]


@pytest.mark.parametrize("value", [0.0, -0.0001])
def test_minus_zero_is_not_told(value: float) -> None:
    assert "-0.0" not in prompt.angles_text(ROBOT, [value] * 7)
