"""`ActionSequence`: actions, what they mean, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import LIBERO_ACTION_SCALE, ActionSpec, libero_object_spec
from armsight.errors import BadShapeError, ConfigError

Array = NDArray[np.floating]

GRIPPER = 6
"""Index of the gripper's command in the actions of LIBERO"""
ACTION_SCALE = LIBERO_ACTION_SCALE

FORMAT = "armsight-action-sequence/1"
ARRAYS = ("actions", "std", "keyframe_steps", "presence", "pairs", "pair_actions")
"""Fields of `ActionSequence` that are arrays; each part of the states is another"""
UNITS = {
    "actions": "1, in [-1, 1]; times action_scale: metres, radians (rotation vector), gripper",
    "action_scale": "m for dx dy dz, rad for rx ry rz",
    "ee_position": "m",
    "ee_position_std": "m",
    "gripper_opening": "m",
    "control_hz": "1/s",
    "stride": "control steps",
}
"""Of sequences with an end effector's path"""


@dataclass(frozen=True)
class ActionSequence:
    """Actions for N control steps, from the first keyframe to the last, both included.

    Action t is played from the moment on at which frame t would have been seen; row t of the path
    is the pose at that moment, before the action. `np.asarray(sequence)` is `actions`.
    """

    actions: Array
    """(N, A), named by `spec.action_names`, in their units times `spec.action_scale`"""
    std: Array
    """(N, A) standard deviation of the model's hypotheses at each step"""
    keyframe_steps: NDArray[np.int64]
    """(K,) control steps at which the keyframes were seen; the first is 0"""
    presence: Array
    """(K,) belief in [0, 1] that the robot is in view"""
    pairs: NDArray[np.int64]
    """(P, 2) pairs of keyframes"""
    pair_actions: Array
    """(P, L, A) what each pair said before averaging; NaN behind its end"""
    states: Mapping[str, Array] = field(default_factory=dict)
    """(N, ...) of each part of `spec.parts`: what else the model says of the robot"""
    states_std: Mapping[str, Array] = field(default_factory=dict)
    """(N, ...) standard deviation of the hypotheses; none for rotations and single numbers"""
    stride: int | None = None
    """Control steps from keyframe to keyframe; None where they differ"""
    task: str = ""
    robot: str = "panda"
    route: str = "direct"
    source: str | None = None
    """Where the keyframes came from"""
    spec: ActionSpec = field(default_factory=libero_object_spec)
    """What the numbers of an action are; travels with every file"""
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
        width = self.spec.num_actions
        shapes: dict[str, tuple[int, ...]] = {
            "actions": (steps, width),
            "std": (steps, width),
            **{part.name: (steps, *part.shape) for part in self.spec.parts},
            **{f"{name}_std": self.states[name].shape for name in self.states_std},
            "presence": (keyframes,),
            "keyframe_steps": (keyframes,),
        }
        arrays = self.arrays()
        for name, shape in shapes.items():
            if name not in arrays:
                raise BadShapeError(f"{name} is missing")
            array = arrays[name]
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

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by its name in files."""
        return {
            **{name: getattr(self, name) for name in ARRAYS},
            **self.states,
            **{f"{name}_std": std for name, std in self.states_std.items()},
        }

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of an action's numbers."""
        return self.spec.action_names

    @property
    def control_hz(self) -> float:
        """Actions per second."""
        return self.spec.rate_hz

    @property
    def ee_position(self) -> Array:
        """(N, 3) [m] of the end effector in the robot's base frame.

        Raises:
            ConfigError: the weights know no end effector, as for the properties below.
        """
        return self._part("ee_position")

    @property
    def ee_position_std(self) -> Array:
        """(N, 3) [m] standard deviation of the hypotheses"""
        self._part("ee_position")
        return self.states_std["ee_position"]

    @property
    def ee_rotation(self) -> Array:
        """(N, 3, 3) axes of the end effector in the robot's base frame"""
        return self._part("ee_rotation")

    @property
    def gripper_opening(self) -> Array:
        """(N,) [m] distance between the fingers"""
        return self._part("gripper_opening")

    def _part(self, name: str) -> Array:
        if name not in self.states:
            raise ConfigError(
                f"these actions come without {name}: the weights of {self.task!r} know "
                f"{', '.join(self.states) or 'no state'}"
            )
        return self.states[name]

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
        spec = self.spec
        return {
            "format": FORMAT,
            "task": self.task,
            "robot": self.robot,
            "route": self.route,
            "source": self.source,
            "stride": self.stride,
            "controller": spec.controller,
            "frame": spec.frame,
            "action_names": list(spec.action_names),
            "action_scale": list(spec.action_scale),
            "gripper_sign": spec.gripper_sign,
            "control_hz": spec.rate_hz,
            "end_effector": spec.end_effector,
            "units": UNITS if spec.has_end_effector else self._units(),
            "action_spec": spec.to_json(),
            "card": dict(self.card),
            "tones": dict(self.tones),
            "scene": dict(self.scene),
            "messages": list(self.messages),
        }

    def _units(self) -> dict[str, Any]:
        return {
            "actions": [one.unit for one in self.spec.actions],
            "states": [one.unit for one in self.spec.states],
            "control_hz": "1/s",
            "stride": "control steps",
        }

    def to_json(self) -> dict[str, Any]:
        """The metadata and every array as lists; `pair_actions` without padding."""
        arrays = {k: v.tolist() for k, v in self.arrays().items() if k != "pair_actions"}
        begin, end = self.keyframe_steps[self.pairs.T]
        said = zip(self.pair_actions, end - begin + 1, strict=True)
        pairs = [chunk[:length].tolist() for chunk, length in said]
        return {**self.metadata(), **arrays, "pair_actions": pairs}
