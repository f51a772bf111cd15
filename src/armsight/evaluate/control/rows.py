"""Actions for each row of a control evaluation, from keyframes alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.actions.model import ActionModel, follow
from armsight.actions.sequence import ACTION_SCALE, ActionSequence
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.estimator import Estimator
from armsight.evaluate.control.plan import TRACKED, ControlPlan, PlayedEpisode
from armsight.geometry import invert_transform, rotvec_from_rotation

Array = NDArray[np.floating]
Frames = NDArray[np.uint8]

T_HAND_EE = np.array([
    [0.0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0.0965], [0, 0, 0, 1]
])  # fmt: skip
"""The grip site in the frame of `panda_hand`, as robosuite's model has them [m]"""


@dataclass(frozen=True)
class Material:
    """What a row may use: pictures and the camera's calibration, nothing of the simulation."""

    frames: Frames
    """(K, H, W, 3) keyframes"""
    K: Array
    """(3, 3) [px]"""
    demonstrated: Array | None
    """(N, 7) the demonstration's actions, for the row that replays them alone"""


class RowMaker:
    """Makes actions; loads each model when it is first needed, and keeps it."""

    def __init__(self, plan: ControlPlan) -> None:
        self.plan = plan
        self._last: tuple[Any, ActionSequence, float] | None = None

    def actions(self, unit: PlayedEpisode, material: Material) -> tuple[Array, float]:
        """Actions (N, 7) of a row, and the seconds from keyframes to them.

        Raises:
            ArmsightError: the row's model finds no answer in these keyframes.
        """
        row = unit.row
        if row == "replay":
            assert material.demonstrated is not None
            return material.demonstrated, 0.0
        if row == "no_action":
            return self._nothing(material), 0.0
        if row == "pose_differencing":
            # The estimator does not see the gripper: its commands are the action model's.
            sequence, _ = self._read(self.model, unit, material)
            start = time.perf_counter()
            poses = self.estimated_path(material)
            actions = difference_poses(poses, unit.stride, sequence.actions[:, 6])
            return actions, time.perf_counter() - start
        model, route = self.model, row
        if row == "regression":
            model, route = self.regression_model, self.plan.default_row
        averaging = not route.endswith("_no_averaging")
        sequence, seconds = self._read(model, unit, material, averaging)
        start = time.perf_counter()
        if route in TRACKED:
            sequence = follow(sequence)
        return sequence.actions, seconds + time.perf_counter() - start

    @cached_property
    def model(self) -> Any:
        """The action model."""
        return self._load(self.plan.weights)

    @cached_property
    def regression_model(self) -> Any:
        """The regression network."""
        return self._load(self.plan.regression_weights)

    @cached_property
    def estimator(self) -> Any:
        """Reads poses from single pictures."""
        return Estimator.from_pretrained(str(self.plan.pose_weights), threads=self._threads)

    @property
    def _threads(self) -> int:
        return 1 if self.plan.workers > 1 else 0

    def _load(self, weights: str | None) -> Any:
        return ActionModel.from_pretrained(str(weights), threads=self._threads)

    def _read(
        self, model: Any, unit: PlayedEpisode, material: Material, averaging: bool = True
    ) -> tuple[ActionSequence, float]:
        """The model's own actions; those of several rows are the same, and read once."""
        key = (id(model), unit.task, unit.initial_state, unit.stride, averaging)
        if self._last is None or self._last[0] != key:
            options: dict[str, Any] = {} if averaging else {"weights": None}
            start = time.perf_counter()
            sequence = model.predict_action_chunk(
                material.frames,
                unit.stride,
                route="direct",
                num_hypotheses=self.plan.num_hypotheses,
                seed=self.plan.seed,
                **options,
            )
            self._last = key, sequence, time.perf_counter() - start
        return self._last[1], self._last[2]

    def _nothing(self, material: Material) -> Array:
        steps = (len(material.frames) - 1) * self.plan.stride + 1
        return np.tile([0.0, 0, 0, 0, 0, 0, -1], (steps, 1))

    def estimated_path(self, material: Material) -> Array:
        """(K, 4, 4) pose of the grip site in the base frame at each keyframe.

        A keyframe without a sure answer repeats the one before; those before the first sure answer
        repeat it, and without any the arm is taken to stand still.
        """
        robot = self.estimator.robot
        hand = robot.link_names.index("panda_hand")
        poses: list[Array | None] = []
        for frame in material.frames:
            estimate = self.estimator(frame, material.K)
            pose = poses[-1] if poses else None
            sure = estimate.robot_found and estimate.confidence >= SURE_CONFIDENCE
            if sure and estimate.joint_positions is not None:
                links = robot.forward_kinematics(np.asarray(estimate.joint_positions))
                pose = links[hand] @ T_HAND_EE
            poses.append(pose)
        first = next((pose for pose in poses if pose is not None), np.eye(4))
        return np.stack([first if pose is None else pose for pose in poses])


def difference_poses(T_base_ee: Array, stride: int, gripper: Array) -> Array:
    """What a frame-by-frame estimator offers: differences of poses in the controller's units.

    Args:
        T_base_ee: (K, 4, 4) at the keyframes [m].
        stride: control steps between them; each gets an equal part of the difference.
        gripper: (N,) commands with N = (K - 1) stride + 1.

    Returns:
        (N, 7) in [-1, 1]; the last action asks for no move.
    """
    steps = T_base_ee[1:] @ invert_transform(T_base_ee[:-1])
    moves = T_base_ee[1:, :3, 3] - T_base_ee[:-1, :3, 3]
    change = np.column_stack([moves, rotvec_from_rotation(steps[:, :3, :3])])
    arm = np.repeat(change / stride / np.array(ACTION_SCALE[:6]), stride, axis=0)
    arm = np.concatenate([arm, np.zeros((1, 6))])
    return np.column_stack([np.clip(arm, -1, 1), gripper])
