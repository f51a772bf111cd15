"""The Panda of LIBERO by itself: its joints, its controller, no objects, no pictures.

What the evaluated simulation would do with a sequence of actions can be tried out here first,
without looking at it. The model is robosuite's own (`robot.xml`, `panda_gripper.xml`) without
meshes and contacts; the controller is its OSC_POSE, the same equations at the same 500 Hz
(Khatib 1987; robosuite 1.4.0 `controllers/osc.py`), so that in free space both arms take the same
path. One core plays about 500 control steps a second.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import MissingExtraError
from armsight.geometry import make_transform, rotation_from_rotvec, rotvec_from_rotation
from armsight.robots.description.simulator import load_mujoco

Array = NDArray[np.floating]

INSTALL = "pip install 'armsight[control]'"
CONTROL_HZ = 20
SUBSTEPS = 25
"""Physics steps of 2 ms in a control step"""
POSITION_SCALE, ROTATION_SCALE = 0.05, 0.5
"""An action of 1 asks for 0.05 m, or for a turn of 0.5 rad"""
KP = 150.0
KD = 2 * np.sqrt(KP)
"""Critically damped"""
NULLSPACE_KP = 10.0
NULLSPACE_KD = 2 * np.sqrt(NULLSPACE_KP)
GRIPPER_SPEED = 0.01
"""Change of the gripper's command in one physics step; it runs from -1 to 1"""
READY = np.array([0.0, -0.161037389, 0.0, -2.44459747, 0.0, 2.2267522, np.pi / 4])
"""Joint positions [rad] that LIBERO's initial states are spread around (0.02 rad)"""
OPEN_FINGERS = 0.0387
"""Where both fingers are once the objects have settled [m]"""


class ArmSimulation:
    """The arm alone. Positions and poses are those of the grip site in the robot's base frame."""

    def __init__(self) -> None:
        """Build the model; the arm stands at `READY`.

        Raises:
            MissingExtraError: MuJoCo or robosuite is not installed.
        """
        self._mj: Any = load_mujoco()
        self._model = self._mj.MjModel.from_xml_string(_model_xml())
        self._data = self._mj.MjData(self._model)
        self._site = self._model.site("grip_site").id
        self._torque_limits = self._model.actuator_ctrlrange[:7].T
        # The gripper's command -1..1 covers the range of each finger's actuator.
        low, high = self._model.actuator_ctrlrange[7:].T
        self._finger_middle, self._finger_half = (low + high) / 2, (high - low) / 2
        self._jacobian = np.zeros((6, self._model.nv))
        self._mass = np.zeros((self._model.nv, self._model.nv))
        self._ready_rotation: Array = np.eye(3)
        self.reset(READY)
        self._ready_rotation = self.T_base_ee[:3, :3]

    def reset(self, joint_positions: ArrayLike) -> None:
        """Stand still at `joint_positions` (7,) [rad], the gripper open.

        As after the suite's own reset, the controller holds the ready pose's orientation until a
        turn is commanded.
        """
        self._mj.mj_resetData(self._model, self._data)
        self._data.qpos[:7] = joint_positions
        self._data.qpos[7:9] = OPEN_FINGERS, -OPEN_FINGERS
        self._grip = np.array([1.0, -1.0])
        self._mj.mj_forward(self._model, self._data)
        self._goal_rotation = self._ready_rotation

    def reach(self, T_base_ee: ArrayLike, steps: int = 30) -> None:
        """Stand still in the pose (4, 4), as near to `READY` as the arm's spare joint allows.

        Levenberg-Marquardt on the pose with a weak pull to `READY`; a pose out of reach is
        approached as closely as it goes.
        """
        goal = np.asarray(T_base_ee, dtype=float)
        q = READY.copy()
        limits = self._model.jnt_range[:7].T
        for _ in range(steps):
            self.reset(q)
            J, here = self._site_jacobian(), self.T_base_ee
            error = np.concatenate([
                goal[:3, 3] - here[:3, 3], rotvec_from_rotation(goal[:3, :3] @ here[:3, :3].T)
            ])  # fmt: skip
            pull = 1e-5
            normal = J.T @ J + pull * np.eye(7)
            change = np.linalg.solve(normal, J.T @ error + pull * (READY - q))
            q = np.clip(q + change, *limits)
        self.reset(q)

    @property
    def joint_positions(self) -> Array:
        """(7,) [rad]"""
        return np.array(self._data.qpos[:7])

    @property
    def T_base_ee(self) -> Array:
        """(4, 4) pose of the grip site in the base frame [m]"""
        R = self._data.site_xmat[self._site].reshape(3, 3)
        return make_transform(R, self._data.site_xpos[self._site])

    @property
    def velocity(self) -> Array:
        """(6,) of the grip site in the base frame: linear [m/s], then angular [rad/s]"""
        J = self._site_jacobian()
        moving: Array = J @ self._data.qvel[:7]
        return moving

    def step(self, action: ArrayLike) -> None:
        """One control step (1/20 s) of an action (7,) in [-1, 1]; larger values are clipped."""
        command: Array = np.clip(np.asarray(action, dtype=float), -1, 1)
        here = self.T_base_ee
        goal = here[:3, 3] + POSITION_SCALE * command[:3]
        # As in robosuite, a command without any turn keeps the orientation asked for before.
        if np.any(command[3:6] != 0):
            turn = rotation_from_rotvec(ROTATION_SCALE * command[3:6])
            self._goal_rotation = turn @ here[:3, :3]
        # Closing takes the first finger's command to -1 (0 m), the second's, mirrored, to 1.
        change = GRIPPER_SPEED * np.sign(command[6]) * np.array([-1.0, 1.0])
        for _ in range(SUBSTEPS):
            self._mj.mj_step1(self._model, self._data)
            self._grip = np.clip(self._grip + change, -1, 1)
            self._data.ctrl[:7] = self._torques(goal)
            self._data.ctrl[7:9] = self._finger_middle + self._finger_half * self._grip
            self._mj.mj_step2(self._model, self._data)
        # Where that led: positions and what the Jacobian needs of them.
        self._mj.mj_kinematics(self._model, self._data)
        self._mj.mj_comPos(self._model, self._data)

    def play(self, actions: ArrayLike) -> Array:
        """Poses (N + 1, 4, 4) before, between and after the steps of actions (N, 7)."""
        poses = [self.T_base_ee]
        for action in np.asarray(actions, dtype=float):
            self.step(action)
            poses.append(self.T_base_ee)
        return np.stack(poses)

    def _torques(self, goal: Array) -> Array:
        """OSC_POSE with position and orientation uncoupled, and the arm's own weight lifted."""
        data, J = self._data, self._site_jacobian()
        self._full_mass()
        M, velocity = self._mass[:7, :7], data.qvel[:7]
        error = np.empty(6)
        error[:3] = goal - data.site_xpos[self._site]
        R = data.site_xmat[self._site].reshape(3, 3)
        error[3:] = _rotation_error(self._goal_rotation, R)
        acceleration = KP * error - KD * (J @ velocity)
        M_inv_Jt = np.linalg.solve(M, J.T)
        inverse_inertia = J @ M_inv_Jt
        wrench = np.concatenate([
            np.linalg.solve(inverse_inertia[:3, :3], acceleration[:3]),
            np.linalg.solve(inverse_inertia[3:, 3:], acceleration[3:]),
        ])  # fmt: skip
        pull = M @ (NULLSPACE_KP * (READY - data.qpos[:7]) - NULLSPACE_KD * velocity)
        # N^T pull with N = 1 - Jbar J: what of the pull does not move the end effector.
        wrench -= np.linalg.solve(inverse_inertia, M_inv_Jt.T @ pull)
        torques = J.T @ wrench + pull + data.qfrc_bias[:7]
        limited: Array = np.clip(torques, *self._torque_limits)
        return limited

    def _site_jacobian(self) -> Array:
        J = self._jacobian
        self._mj.mj_jacSite(self._model, self._data, J[:3], J[3:], self._site)
        return J[:, :7]

    def _full_mass(self) -> None:
        if hasattr(self._data, "qM"):  # MuJoCo before 3.5
            self._mj.mj_fullM(self._model, self._mass, self._data.qM)
        else:
            self._mj.mj_fullM(self._model, self._data, self._mass)


def _rotation_error(goal: Array, R: Array) -> Array:
    """Rotation vector (3,) from R to goal, times sin(angle) / angle: half the axes' crosses."""
    D = goal @ R.T
    return 0.5 * np.array([D[2, 1] - D[1, 2], D[0, 2] - D[2, 0], D[1, 0] - D[0, 1]])


@cache
def _model_xml() -> str:
    """robosuite's arm and gripper as one model of bodies, joints and motors alone."""
    spec = find_spec("robosuite")
    roots = list(spec.submodule_search_locations or ()) if spec else []
    if not roots:
        raise MissingExtraError("Playing actions", "robosuite", INSTALL)
    assets = Path(roots[0]) / "models" / "assets"
    arm = ElementTree.parse(assets / "robots" / "panda" / "robot.xml").getroot()
    gripper = ElementTree.parse(assets / "grippers" / "panda_gripper.xml").getroot()
    hand = _find(arm, ".//body[@name='right_hand']")
    hand.append(_find(gripper, "worldbody/body"))
    # What robosuite sets on top of the file: models/robots/{robot_model,manipulators/panda_robot}.
    for i, damping in enumerate((0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01), 1):
        joint = _find(arm, f".//joint[@name='joint{i}']")
        joint.attrib |= {"damping": f"{damping}", "frictionloss": "0.1", "armature": f"{5 / i}"}
    motors = ElementTree.Element("actuator")
    motors.extend([*_find(arm, "actuator"), *_find(gripper, "actuator")])
    model = ElementTree.Element("mujoco", model="lone_arm")
    # As in robosuite's base.xml, with its physics step.
    ElementTree.SubElement(model, "compiler", angle="radian")
    option = {"impratio": "20", "cone": "elliptic", "density": "1.2", "viscosity": "0.00002"}
    ElementTree.SubElement(model, "option", {**option, "timestep": "0.002"})
    model.extend([_find(arm, "worldbody"), motors])
    for parent in list(model.iter()):
        for child in [c for c in parent if c.tag in ("geom", "camera")]:
            parent.remove(child)
    return ElementTree.tostring(model, encoding="unicode")


def _find(element: ElementTree.Element, path: str) -> ElementTree.Element:
    found = element.find(path)
    assert found is not None, f"robosuite's model has no {path}"
    return found
