"""Other makers' arms, for pictures in which there is no robot of ours.

Three of them may be in training pictures; the other three are kept for tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.render.scene.robot_model import robot_spec
from armsight.robots import Robot

ROBOSUITE = "pip install --no-deps robosuite==1.4.0"
ROBOT_DATA = "pip install --no-deps example-robot-data==6.0.0"
TRAIN_ARMS = ("sawyer", "kinova3", "jaco")
TEST_ARMS = ("ur5e", "xarm7", "iiwa7")
UNKNOWN_ARMS = ("baxter",)
"""For tests: no robot of the package looks like it, and no training picture shows it"""

# Folder and gripper in robosuite, the flange, and a working pose [rad].
_ROBOSUITE = {
    "sawyer": ("sawyer", "rethink_gripper", "right_hand", (0, -1.18, 0, 2.18, 0, 0.57, -1.57)),
    "kinova3": ("kinova3", "robotiq_gripper_140", "right_hand", (0, 0.65, 0, 1.89, 0, 0.6, -1.57)),
    "jaco": ("jaco", "jaco_three_finger_gripper", "right_hand",
             (3.19, 3.68, 0, 1.17, 0.05, 3.76, 3.14)),
    "ur5e": ("ur5e", "robotiq_gripper_140", "right_hand", (-0.47, -1.735, 2.48, -2.275, -1.59, -2)),
    "baxter": ("baxter", "rethink_gripper", "right_hand", (0.4, -0.55, 0, 1.28, 0, 0.26, 0)),
    "iiwa7": ("iiwa", "robotiq_gripper_140", "right_hand", (0, 0.65, 0, -1.89, 0, 0.6, 0)),
}  # fmt: skip
_XARM7 = "share/example-robot-data/robots/xarm_description/urdf/xarm7.urdf"

# What the names of robots of the same looks have in common.
_ALIKE = {
    "sawyer": "sawyer", "kinova3": "kinova|gen3", "jaco": "jaco|j2[ns]", "ur5e": "ur(3|5|10|16|20)",
    "xarm7": "xarm", "iiwa7": "iiwa", "baxter": "baxter",
}  # fmt: skip


@dataclass(frozen=True)
class OtherArm:
    """What a scene needs to know of an arm. J joints, L links."""

    name: str
    simulation: dict[str, Any]
    joint_names: tuple[str, ...]
    joint_limits: NDArray[np.float64]
    """(J, 2) [rad]"""
    ready_positions: NDArray[np.float64]
    """(J,) a usual working pose [rad]"""
    link_names: tuple[str, ...]
    folder: Path = Path()
    """from which a model outside of packages would be found"""

    def sample_pose(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Joint positions (J,) [rad]: two thirds around the ready pose, the others uniform."""
        low, high = self.joint_limits.T
        if rng.random() < 1 / 3:
            return np.asarray(low + (high - low) * rng.random(len(low)))
        return np.clip(self.ready_positions + rng.normal(0, 0.6, len(low)), low, high)


def arms_unlike(robot: Robot, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the arms that do not look like the robot, so that they can stand for 'not it'."""
    return tuple(name for name in names if not re.search(_ALIKE[name], robot.name.lower()))


@lru_cache(maxsize=8)
def other_arm(name: str) -> OtherArm:
    """One of TRAIN_ARMS, TEST_ARMS or UNKNOWN_ARMS.

    Raises:
        ConfigError: the name is neither.
        MissingExtraError: the package that has its model is not installed.
    """
    simulation: dict[str, Any]
    if name == "xarm7":
        simulation = {"package": "cmeel.prefix", "install": ROBOT_DATA, "model": _XARM7}
        ready: tuple[float, ...] = (0, -0.6, 0, 1.2, 0, 1.8, 0)
    elif name in _ROBOSUITE:
        folder, gripper, flange, ready = _ROBOSUITE[name]
        simulation = {
            "package": "robosuite.models.assets", "install": ROBOSUITE, "radians": True,
            "visual_groups": [1], "model": f"robots/{folder}/robot.xml",
            "attach": [{"model": f"grippers/{gripper}.xml", "to": flange}],
        }  # fmt: skip
    else:
        known = ", ".join((*TRAIN_ARMS, *TEST_ARMS, *UNKNOWN_ARMS))
        raise ConfigError(f"unknown arm {name!r}; other makers' arms that can be drawn: {known}")
    spec = robot_spec(simulation)
    own = [j for j in spec.joints if "/" not in j.name and not j.name.startswith("head")]
    joints = own[: len(ready)]
    # A joint without limits turns all the way.
    limits = [tuple(j.range) if j.range[0] < j.range[1] else (-np.pi, np.pi) for j in joints]
    return OtherArm(
        name=name,
        simulation=simulation,
        joint_names=tuple(j.name for j in joints),
        joint_limits=np.clip(np.array(limits, dtype=float), -2 * np.pi, 2 * np.pi),
        ready_positions=np.array(ready, dtype=float),
        link_names=tuple(j.parent.name for j in joints),
    )
