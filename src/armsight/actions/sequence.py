"""`ActionSequence`: actions, what they mean, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import BadShapeError

Array = NDArray[np.floating]

ACTION_NAMES = ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")
DIMENSIONS = len(ACTION_NAMES)
GRIPPER = 6
"""Index of the gripper's command"""
ACTION_SCALE = (0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0)

FORMAT = "armsight-action-sequence/1"
ARRAYS = (
    "actions",
    "std",
    "keyframe_steps",
    "ee_position",
    "ee_position_std",
    "ee_rotation",
    "gripper_opening",
    "presence",
    "pairs",
    "pair_actions",
)
"""Fields of `ActionSequence` that are arrays"""
UNITS = {
    "actions": "1, in [-1, 1]; times action_scale: metres, radians (rotation vector), gripper",
    "action_scale": "m for dx dy dz, rad for rx ry rz",
    "ee_position": "m",
    "ee_position_std": "m",
    "gripper_opening": "m",
    "control_hz": "1/s",
    "stride": "control steps",
}


@dataclass(frozen=True)
class Meaning:
    """What the numbers of an action are; travels with every file."""

    controller: str = "OSC_POSE"
    """robosuite's operational space controller: each action moves its goal by a step"""
    frame: str = "robot base"
    """Axes of the translation and the rotation vector"""
    action_names: tuple[str, ...] = ACTION_NAMES
    action_scale: tuple[float, ...] = ACTION_SCALE
    """What an action of 1 commands: [m] for dx, dy, dz, [rad] for rx, ry, rz"""
    gripper_sign: str = "-1 opens, +1 closes"
    control_hz: float = 20.0
    """Actions per second"""
    end_effector: str = "grip site"
    """The point whose path `ee_position` is"""


@dataclass(frozen=True)
class ActionSequence:
    """Actions for N control steps, from the first keyframe to the last, both included.

    Action t is played from the moment on at which frame t would have been seen; row t of the path
    is the pose at that moment, before the action. `np.asarray(sequence)` is `actions`.
    """

    actions: Array
    """(N, 7) in [-1, 1], named by `meaning.action_names`"""
    std: Array
    """(N, 7) standard deviation of the model's hypotheses at each step"""
    keyframe_steps: NDArray[np.int64]
    """(K,) control steps at which the keyframes were seen; the first is 0"""
    ee_position: Array
    """(N, 3) [m] of the end effector in the robot's base frame"""
    ee_position_std: Array
    """(N, 3) [m] standard deviation of the hypotheses"""
    ee_rotation: Array
    """(N, 3, 3) axes of the end effector in the robot's base frame"""
    gripper_opening: Array
    """(N,) [m] distance between the fingers"""
    presence: Array
    """(K,) belief in [0, 1] that the robot is in view"""
    pairs: NDArray[np.int64]
    """(P, 2) pairs of keyframes"""
    pair_actions: Array
    """(P, L, 7) what each pair said before averaging; NaN behind its end"""
    stride: int | None = None
    """Control steps from keyframe to keyframe; None where they differ"""
    task: str = ""
    robot: str = "panda"
    route: str = "direct"
    source: str | None = None
    """Where the keyframes came from"""
    meaning: Meaning = field(default_factory=Meaning)
    card: Mapping[str, Any] = field(default_factory=dict)
    """The model's card"""
    tones: Mapping[str, Any] = field(default_factory=dict)
    """What was done about the frames' tones: `mode`, `matched`, `distance` [grey levels]"""
    scene: Mapping[str, Any] = field(default_factory=dict)
    """Where they were played, if they were: `suite`, `task`, `initial_state`"""
    messages: tuple[str, ...] = ()
    """Things a person should know"""

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            BadShapeError: arrays do not fit together, or hold NaN or infinity.
        """
        steps, keyframes = len(self.actions), len(self.keyframe_steps)
        width = len(self.meaning.action_names)
        shapes: dict[str, tuple[int, ...]] = {
            "actions": (steps, width),
            "std": (steps, width),
            "ee_position": (steps, 3),
            "ee_position_std": (steps, 3),
            "ee_rotation": (steps, 3, 3),
            "gripper_opening": (steps,),
            "presence": (keyframes,),
            "keyframe_steps": (keyframes,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise BadShapeError(f"{name} has shape {array.shape}, not {shape}")
            if not np.isfinite(array).all():
                raise BadShapeError(f"{name} holds NaN or infinity")
        if not steps or not keyframes or self.keyframe_steps[-1] != steps - 1:
            raise BadShapeError(
                f"{steps} actions do not end at the last keyframe, step {self.keyframe_steps[-1:]}"
            )
        if self.pair_actions.ndim != 3 or self.pairs.shape != (len(self.pair_actions), 2):
            raise BadShapeError(
                f"pair_actions has shape {self.pair_actions.shape}, for pairs {self.pairs.shape}"
            )

    def __len__(self) -> int:
        return len(self.actions)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.actions, dtype=dtype, copy=True if copy is None else copy)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the seven numbers."""
        return self.meaning.action_names

    @property
    def control_hz(self) -> float:
        """Actions per second."""
        return self.meaning.control_hz

    @property
    def times(self) -> Array:
        """(N,) [s] when each action is played, from the first on."""
        return np.arange(len(self)) / self.control_hz

    @property
    def is_keyframe(self) -> NDArray[np.bool_]:
        """(N,) whether a keyframe was seen right before the action."""
        flags = np.zeros(len(self), bool)
        flags[self.keyframe_steps] = True
        return flags

    @property
    def T_base_ee(self) -> Array:
        """(N, 4, 4) path of the end effector in the robot's base frame [m]."""
        T = np.tile(np.eye(4), (len(self), 1, 1))
        T[:, :3, :3], T[:, :3, 3] = self.ee_rotation, self.ee_position
        return T

    def metadata(self) -> dict[str, Any]:
        """Everything but the arrays, ready for JSON."""
        meaning = {one.name: getattr(self.meaning, one.name) for one in fields(Meaning)}
        return {
            "format": FORMAT,
            "task": self.task,
            "robot": self.robot,
            "route": self.route,
            "source": self.source,
            "stride": self.stride,
            **{k: list(v) if isinstance(v, tuple) else v for k, v in meaning.items()},
            "units": UNITS,
            "card": dict(self.card),
            "tones": dict(self.tones),
            "scene": dict(self.scene),
            "messages": list(self.messages),
        }

    def to_json(self) -> dict[str, Any]:
        """The metadata and every array as lists; `pair_actions` without padding."""
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS if name != "pair_actions"}
        begin, end = self.keyframe_steps[self.pairs.T]
        said = zip(self.pair_actions, end - begin + 1, strict=True)
        pairs = [chunk[:length].tolist() for chunk, length in said]
        return {**self.metadata(), **arrays, "pair_actions": pairs}
