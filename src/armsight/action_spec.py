"""`ActionSpec`: what an action of a robot is, as data.

It is read from a data set (`info.json`, `stats.json` and the rows themselves), written into the
card of the weights that are trained on it, and read again where they are used. LIBERO-Object is
one instance, `libero_object_spec`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

ABSOLUTE, RELATIVE, UNKNOWN = "absolute", "relative", "unknown"
KINDS = (ABSOLUTE, RELATIVE, UNKNOWN)
AS_RECORDED = "as recorded"
"""The unit of a dimension whose data set names none"""
ROTATION_COLUMNS = 6
"""Numbers of a rotation as the network says it: two columns of its matrix"""


@dataclass(frozen=True)
class Dimension:
    """One number of an action or a state."""

    name: str
    kind: str = UNKNOWN
    """`absolute`: a target, such as a joint's angle; `relative`: a step from where the robot is"""
    unit: str = AS_RECORDED
    low: float = -1.0
    high: float = 1.0
    """Smallest and largest value of the training episodes; predictions are kept within"""
    offset: float = 0.0
    scale: float = 1.0
    """The network sees (value - offset) / scale"""
    gripper: bool = False
    binary: bool = False
    """Only `low` and `high` occur: predictions are voted, never averaged"""
    command: float = 1.0
    """How many units an action of 1 commands"""
    weight: float = 1.0
    """Of its error in training"""
    follows: str | None = None
    """Absolute and relative: the state that it commands"""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: the kind is unknown, or the range or scale is empty.
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind of {self.name!r} is {self.kind!r}; valid: {', '.join(KINDS)}")
        if not (self.low <= self.high and self.scale > 0):
            raise ValueError(
                f"{self.name!r} has low {self.low}, high {self.high} and scale {self.scale}; low "
                "must not exceed high, and scale must be positive"
            )


@dataclass(frozen=True)
class StatePart:
    """A group of state numbers that is answered as one array."""

    name: str
    size: int
    """Numbers as the network says them"""
    rotation: bool = False
    """They are two columns of a rotation matrix, answered as the whole matrix (3, 3)"""
    scalar: bool = False
    """One number, answered without an axis of its own"""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the answer at one control step."""
        if self.rotation:
            return (3, 3)
        return () if self.scalar else (self.size,)


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """What the actions of one data set are, and what else is known at each control step."""

    dataset: str
    """Name of the data set, or of the suite of tasks"""
    robot: str
    rate_hz: float
    """Actions per second"""
    actions: tuple[Dimension, ...]
    states: tuple[Dimension, ...] = ()
    """Auxiliary targets; in the order of `parts`"""
    parts: tuple[StatePart, ...] = ()
    cameras: tuple[str, ...] = ()
    """Names of the videos, such as `observation.images.front`; the first is the main one"""
    action_key: str = "action"
    state_key: str | None = None
    controller: str = ""
    """Who executes the actions, where that is known"""
    frame: str = ""
    """Axes of the actions, where that is known"""
    gripper_sign: str = ""
    end_effector: str = ""
    """The point whose path the state `ee_position` is, where there is one"""

    def __post_init__(self) -> None:
        """Check that the pieces fit together.

        Raises:
            ValueError: they do not.
        """
        if not self.actions:
            raise ValueError("an action has no dimension")
        names = [one.name for one in self.actions]
        if len(set(names)) < len(names):
            raise ValueError(f"action names are not distinct: {', '.join(names)}")
        if not self.rate_hz > 0:
            raise ValueError(f"rate_hz is {self.rate_hz}")
        if sum(part.size for part in self.parts) != len(self.states):
            raise ValueError(f"{len(self.states)} states do not fill the parts {self.parts}")

    @property
    def action_names(self) -> tuple[str, ...]:
        """Of each dimension."""
        return tuple(one.name for one in self.actions)

    @property
    def action_scale(self) -> tuple[float, ...]:
        """How many units an action of 1 commands, for each dimension."""
        return tuple(one.command for one in self.actions)

    @property
    def control_hz(self) -> float:
        """Actions per second, by the name that files use."""
        return self.rate_hz

    @property
    def num_actions(self) -> int:
        """Dimensions of an action."""
        return len(self.actions)

    @property
    def channels(self) -> tuple[Dimension, ...]:
        """Actions, then states: what the network says of one control step."""
        return self.actions + self.states

    @property
    def voted(self) -> tuple[int, ...]:
        """Indices of the binary dimensions."""
        return tuple(i for i, one in enumerate(self.actions) if one.binary)

    @property
    def has_end_effector(self) -> bool:
        """Whether the states hold an end effector's path and a gripper's opening [m]."""
        names = {part.name for part in self.parts}
        return {"ee_position", "ee_rotation", "gripper_opening"} <= names

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the exported network answers for every control step."""
        return ("actions", *(part.name for part in self.parts))

    def with_statistics(self, offset: Sequence[float], scale: Sequence[float]) -> ActionSpec:
        """The same with another normalisation of `channels`."""
        channels = [
            replace(one, offset=float(o), scale=float(s))
            for one, o, s in zip(self.channels, offset, scale, strict=True)
        ]
        count = self.num_actions
        return replace(self, actions=tuple(channels[:count]), states=tuple(channels[count:]))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ActionSpec:
        """What `to_json` wrote.

        Raises:
            TypeError, ValueError, KeyError: something is missing or makes no sense.
        """
        known = dict(data)
        for name, kind in (("actions", Dimension), ("states", Dimension), ("parts", StatePart)):
            known[name] = tuple(kind(**one) for one in known[name])
        known["cameras"] = tuple(known["cameras"])
        return cls(**known)


LIBERO_ACTION_NAMES = ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")
LIBERO_ACTION_SCALE = (0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0)
LIBERO_PARTS = (
    StatePart("ee_position", 3),
    StatePart("ee_rotation", ROTATION_COLUMNS, rotation=True),
    StatePart("gripper_opening", 1, scalar=True),
)
LIBERO_CAMERA = "observation.images.agentview"
POSITION_WEIGHT, OPENING_WEIGHT = 10.0, 2.0
"""A millimetre is a hundredth of the path's spread: positions must count for more than their
share, or the noise in the actions drowns them."""


def libero_object_spec(
    dataset: str = "libero_object",
    robot: str = "panda",
    rate_hz: float = 20.0,
    names: Sequence[str] = LIBERO_ACTION_NAMES,
    scale: Sequence[float] = LIBERO_ACTION_SCALE,
) -> ActionSpec:
    """OSC_POSE actions of a suite of LIBERO, and the end effector's path as states.

    Raises:
        ValueError: names or scale are not seven.
    """
    if not len(names) == len(scale) == len(LIBERO_ACTION_NAMES):
        raise ValueError(f"{len(names)} action names and {len(scale)} scales, not 7")
    units = ("m",) * 3 + ("rad",) * 3 + ("",)
    actions = tuple(
        Dimension(
            name,
            kind=ABSOLUTE if i == 6 else RELATIVE,
            unit=unit,
            command=float(one),
            gripper=i == 6,
            binary=i == 6,
        )
        for i, (name, unit, one) in enumerate(zip(names, units, scale, strict=True))
    )
    states = (
        *(Dimension(f"ee_{axis}", ABSOLUTE, "m", weight=POSITION_WEIGHT) for axis in "xyz"),
        *(Dimension(f"ee_r{row}{column}", ABSOLUTE, "") for column in (1, 2) for row in (1, 2, 3)),
        Dimension("gripper_opening", ABSOLUTE, "m", weight=OPENING_WEIGHT),
    )
    return ActionSpec(
        dataset=dataset,
        robot=robot,
        rate_hz=rate_hz,
        actions=actions,
        states=states,
        parts=LIBERO_PARTS,
        cameras=(LIBERO_CAMERA,),
        controller="OSC_POSE",
        frame="robot base",
        gripper_sign="-1 opens, +1 closes",
        end_effector="grip site",
    )
