"""One LIBERO task as a simulation: reset to a numbered initial state, step, look.

Stepping is LIBERO's own, to the last bit; what it would also do (draw two cameras and fill
observations 25 times per action) is left out, and pictures are drawn only when asked for.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.control.appearance import SimulatedAppearance, floor_texture
from armsight.control.picture import Painter
from armsight.control.suite import (
    NUM_INITIAL_STATES,
    SETTLE_STEPS,
    SuiteTask,
    load_initial_states,
    load_libero,
    split_of,
)
from armsight.errors import ControlError
from armsight.robots.description.simulator import load_mujoco

CAMERA, ROBOT = "agentview", "robot0_base"
"""MuJoCo's names of the camera and of the robot's first body"""
NULL_ACTION = np.array([0.0, 0, 0, 0, 0, 0, -1])
"""Stay where you are, gripper open"""
OPENCV_FROM_MUJOCO = np.diag([1.0, -1, -1])
"""MuJoCo's cameras look along -z with y up"""


class Simulation:
    """A task, to be stepped and looked at. One object can be reset many times.

    Actions are OSC_POSE commands at 20 Hz: seven numbers in [-1, 1]; displacement [0.05 m] and
    rotation vector [0.5 rad] of the end effector in the robot's base axes, gripper (-1 opens,
    +1 closes). Compiling the model takes seconds, resets take milliseconds.

    Args:
        task: see `armsight.control.suite.find_task`.
        image_size: width and height of pictures [px].
        appearance: lights, colours and camera that differ from the suite's own.

    Raises:
        MissingExtraError: LIBERO is not installed.
        NoDisplayError: on the first picture, if nothing can draw here.
    """

    def __init__(
        self,
        task: SuiteTask,
        *,
        image_size: int = 128,
        appearance: SimulatedAppearance | None = None,
    ) -> None:
        self._mj = load_mujoco()
        self.task, self.image_size = task, image_size
        wrapper = load_libero("libero.libero.envs.env_wrapper").ControlEnv(
            str(task.bddl_file), use_camera_obs=False, has_offscreen_renderer=False,
            ignore_done=True,
        )  # fmt: skip
        # Not the wrapper's own reset: it repeats for ever on any error.
        self._env = wrapper.env
        self._env.hard_reset = False
        self._states = load_initial_states(task)
        self._painter: Painter | None = None
        self._robot = self._env.robots[0]
        model = self.model
        self._base = model.body(ROBOT).id
        self._site = model.site(self._robot.gripper.important_sites["grip_site"]).id
        self._joints = np.array(self._robot._ref_joint_pos_indexes)
        self._fingers = np.array(self._robot._ref_gripper_joint_pos_indexes)
        self._copy = self._mj.MjData(model)
        self._mj.mj_forward(model, self._copy)
        self.initial_state: int | None = None
        self.success = False
        self._appearance: SimulatedAppearance | None = None
        self._untouched: dict[str, NDArray[Any]] = {}
        self.set_appearance(appearance)

    @property
    def model(self) -> Any:
        """MuJoCo's own model."""
        return self._env.sim.model._model

    @property
    def data(self) -> Any:
        """MuJoCo's own data. Its poses lag behind its positions by one step of the physics."""
        return self._env.sim.data._data

    @property
    def seen(self) -> Any:
        """A copy of MuJoCo's data whose poses fit its positions; writing to it changes nothing."""
        return self._place(self.data.qpos)

    def _place(self, positions: NDArray[np.floating]) -> Any:
        if not np.array_equal(self._copy.qpos, positions):
            self._copy.qpos[:] = positions
            self._mj.mj_kinematics(self.model, self._copy)
            self._mj.mj_comPos(self.model, self._copy)
            self._mj.mj_camlight(self.model, self._copy)
        return self._copy

    def reset(self, initial_state: int) -> None:
        """Start over from one of the suite's initial states and let the objects settle.

        A replay after it is exact to the last bit: positions, velocities, controller and gripper
        start as they do after LIBERO's own full reset.

        Raises:
            UnknownTaskError: the number is not in 0 .. 49.
        """
        split_of(initial_state)
        env = self._env
        self._robot.gripper.current_action = np.zeros_like(self._robot.gripper.current_action)
        env._observables = {}  # nothing reads them, and they cost more than the physics
        for _ in range(NUM_INITIAL_STATES):
            try:
                env.reset()
                break
            except load_libero("robosuite.utils.errors").RandomizationError:
                continue  # LIBERO places objects at random first; the state replaces them
        else:
            raise ControlError(f"{self.task.name}: LIBERO could not place its objects")
        env.sim.set_state_from_flattened(self._states[initial_state])
        env.sim.forward()
        self.initial_state = initial_state
        for _ in range(SETTLE_STEPS):
            self.step(NULL_ACTION)

    def step(self, action: NDArray[np.floating]) -> bool:
        """One control step (1/20 s) without drawing; whether the task is solved after it."""
        action = np.asarray(action, np.float64)
        if action.shape != (7,) or not np.isfinite(action).all():
            raise ControlError(f"an action has 7 finite numbers, not {action!r}")
        env, sim = self._env, self._env.sim
        # robosuite's own loop computes the same dynamics three times for each step of the physics;
        # once gives the same bits.
        sim.forward = _nothing
        try:
            for i in range(round(env.control_timestep / env.model_timestep)):
                self._mj.mj_step1(self.model, self.data)
                self._robot.control(action, policy_step=i == 0)
                self._mj.mj_step2(self.model, self.data)
        finally:
            del sim.forward
        self.success = bool(self._env._check_success())
        return self.success

    def step_as_libero(self, action: NDArray[np.floating]) -> bool:
        """The same with LIBERO's own code, which is slower; for comparison."""
        self._env.step(np.asarray(action, np.float64))
        self.success = bool(self._env._check_success())
        return self.success

    def render(self, positions: NDArray[np.floating] | None = None) -> NDArray[np.uint8]:
        """(S, S, 3) RGB of the agent's camera, upright; the state stays as it is.

        Args:
            positions: (nq,) draw these `data.qpos` of an earlier moment, not the present ones.
        """
        if self._painter is None:
            self._painter = Painter(self.model, self.image_size, ROBOT)
        seen = self.seen if positions is None else self._place(positions)
        return self._painter.draw(seen, self.K, self.T_cam_world)

    def set_appearance(self, appearance: SimulatedAppearance | None) -> None:
        """Draw with other lights, colours and camera from now on; None: the suite's own."""
        model = self.model
        texture, place = floor_texture(model)
        if not self._untouched:
            self._untouched = {
                name: getattr(model, name).copy() for name in SimulatedAppearance.FIELDS
            }
            self._floor = model.tex_data[place].copy()
        for name, values in self._untouched.items():
            getattr(model, name)[:] = values
        model.tex_data[place] = self._floor
        self._appearance = appearance
        if appearance is not None:
            appearance.apply(model)
        if self._painter is not None:
            self._painter.upload_texture(texture)
            self._painter.forget()

    @property
    def state(self) -> NDArray[np.float64]:
        """(1 + nq + nv,) time, positions, velocities: what a replay is compared by."""
        return np.asarray(self._env.sim.get_state().flatten())

    @property
    def joint_positions(self) -> NDArray[np.float64]:
        """(7,) [rad]."""
        return np.array(self.data.qpos[self._joints])

    @property
    def gripper_positions(self) -> NDArray[np.float64]:
        """(2,) finger joints [m]: about 0.04, -0.04 when open."""
        return np.array(self.data.qpos[self._fingers])

    @property
    def T_world_base(self) -> NDArray[np.float64]:
        """(4, 4) pose of the robot's base (panda_link0)."""
        return _transform(self.seen.xmat[self._base], self.seen.xpos[self._base])

    @property
    def T_base_ee(self) -> NDArray[np.float64]:
        """(4, 4) pose of the grip site, between the fingertips, in the robot's base frame."""
        seen = self.seen
        T_world_ee = _transform(seen.site_xmat[self._site], seen.site_xpos[self._site])
        return np.asarray(np.linalg.inv(self.T_world_base) @ T_world_ee)

    @property
    def K(self) -> NDArray[np.float64]:
        """(3, 3) of the agent's camera [px], pixel centres at integers."""
        fovy = np.radians(self.model.cam_fovy[self.model.camera(CAMERA).id])
        if self._appearance is not None:
            fovy *= self._appearance.camera_zoom
        f, c = self.image_size / 2 / np.tan(fovy / 2), (self.image_size - 1) / 2
        return np.array([[f, 0, c], [0, f, c], [0, 0, 1.0]])

    @property
    def T_cam_world(self) -> NDArray[np.float64]:
        """(4, 4) agent's camera, OpenCV axes."""
        index = self.model.camera(CAMERA).id
        R = self._copy.cam_xmat[index].reshape(3, 3) @ OPENCV_FROM_MUJOCO  # it never moves
        T = np.asarray(np.linalg.inv(_transform(R, self._copy.cam_xpos[index])))
        if self._appearance is not None:
            T = self._appearance.T_jittered_cam @ T
        return T

    @property
    def T_cam_base(self) -> NDArray[np.float64]:
        """(4, 4): T_cam_base @ p_base = p_cam."""
        return np.asarray(self.T_cam_world @ self.T_world_base)

    def close(self) -> None:
        """Free the frame buffer and the model."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None
        self._env.close()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _nothing() -> None:
    """Stands in for MjSim.forward where its work is done already."""


def _transform(R: NDArray[np.floating], t: NDArray[np.floating]) -> NDArray[np.float64]:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.reshape(R, (3, 3)), t
    return T
