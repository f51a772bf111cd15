"""Which recorded columns are which joints, in which unit, and which are time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.camera.documents import plain_key
from armsight.errors import DatasetError
from armsight.robots import Robot
from armsight.robots.robot import available_robots

Array = NDArray[np.floating]

TIME_NAMES = ("timestamp", "timestamps", "time", "times", "t", "stamp", "headerstamp", "times_s")
SECONDS_NAMES = ("sec", "secs", "headerstampsec", "headerstampsecs", "stampsec")
NANOSECONDS_NAMES = ("nanosec", "nsec", "nsecs", "headerstampnanosec", "headerstampnsecs",
                     "stampnanosec")  # fmt: skip
UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
USUAL_STEPS = (5e-4, 5.0)
"""[s] Between rows of a log, by which the unit of its time stamps is told"""
GENERIC = re.compile(r"^(q|m|j|dim|motor|joint|state|axis|col|column)?_?\d*$")
"""Column names that say nothing about the robot"""
ENDINGS = re.compile(r"([._ ](pos|position|positions|rad|deg|q|state))+$")
BEYOND_LIMITS = 0.15
"""[rad] An angle that exceeds its limits by more is not meant as radians"""
ABSURD = 2 * np.pi
"""[rad] Columns that exceed the joints' limits by more, in either unit, are no angles of them"""


def match_joints(
    values: Array, names: Sequence[str] | None, robot: Robot, where: str
) -> tuple[Array, tuple[str, ...], bool]:
    """Joint positions (M, J) [rad] in the robot's order, notes on what was understood, and whether
    the angles were taken for degrees without a name that says so.

    Args:
        values: (M, C) columns of numbers.
        names: (C) of the columns, where there are any.
        robot: whose joints are sought.
        where: the file, for messages.

    Raises:
        DatasetError: the columns are not this robot's joints, or are no angles.
    """
    columns, notes = _columns(values.shape[1], names, robot, where)
    chosen = values[:, columns].astype(float)
    if names is not None:
        left = [name for i, name in enumerate(names) if i not in columns]
        if left:
            notes.append(f"columns left alone: {', '.join(left)}")
    elif values.shape[1] > len(columns):
        notes.append(f"the last {values.shape[1] - len(columns)} columns were left alone")
    said = any(names is not None and _says_degrees(names[i]) for i in columns)
    inferred = not said and _are_degrees(chosen, robot)
    if said or inferred:
        notes.append("angles were in degrees")
        chosen = np.radians(chosen)
    missing = ~np.isfinite(chosen).all(axis=1)
    if missing.all():
        raise DatasetError(f"{where} holds no row without NaN; give the joints' angles")
    if missing.any():
        notes.append(
            f"{int(missing.sum())} of {len(chosen)} rows hold NaN (the first is row "
            f"{int(np.argmax(missing))}): they are left out"
        )
    notes += _beyond_limits(chosen[~missing], robot, where)
    return chosen, tuple(notes), inferred


def _beyond_limits(q: Array, robot: Robot, where: str) -> list[str]:
    """A note where angles (n, J) [rad] leave their limits.

    Raises:
        DatasetError: most rows exceed them by whole turns: encoder counts, say.
    """
    low, high = robot.joint_limits.T
    beyond = np.maximum(low - q, q - high)
    joint = int(beyond.max(axis=0).argmax())
    name = robot.joint_names[joint]
    reach = f"{q[:, joint].min():g} to {q[:, joint].max():g}"
    limits = f"{low[joint]:.2f} to {high[joint]:.2f} rad"
    if np.median(beyond.max(axis=1)) > ABSURD:
        raise DatasetError(
            f"{where}: {name} runs from {reach}, neither radians nor degrees of {robot.name}, "
            f"whose limits are {limits}; are these encoder counts, millimetres or percent? Give "
            "radians or degrees"
        )
    if beyond.max() <= BEYOND_LIMITS:
        return []
    rows = np.flatnonzero(beyond.max(axis=1) > BEYOND_LIMITS)
    return [
        f"{len(rows)} of {len(q)} rows leave {robot.name}'s limits (the first is row {rows[0]}); "
        f"{name} runs from {reach} rad, and may go from {limits}: is it another robot, another "
        "order of joints, or a zero that is off?"
    ]


def time_stamps(
    values: Array, names: Sequence[str], where: str
) -> tuple[Array | None, list[int], tuple[str, ...]]:
    """Times (M,) [s], the columns that they came from, and notes; None without time stamps.

    Raises:
        DatasetError: the time stamps do not rise.
    """
    plain = [plain_key(name) for name in names]
    pair = [
        next((i for i, name in enumerate(plain) if name in known), None)
        for known in (SECONDS_NAMES, NANOSECONDS_NAMES)
    ]
    if pair[0] is not None and pair[1] is not None:
        # Seconds since 1970 and nanoseconds do not fit into one float: count from the first.
        seconds = values[:, pair[0]] - values[0, pair[0]]
        return _rising(seconds + 1e-9 * values[:, pair[1]], where), [*pair], ()  # type: ignore[list-item]
    column = next((i for i, name in enumerate(plain) if name in TIME_NAMES), None)
    if column is None:
        return None, [], ()
    times = _rising(values[:, column].astype(float), where)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    unit, scale = next(
        ((unit, s) for unit, s in UNITS if USUAL_STEPS[0] <= step * s <= USUAL_STEPS[1]), UNITS[0]
    )
    notes = () if unit == "s" else (f"time stamps {names[column]} were in {unit}",)
    return (times - times[0]) * scale + (times[0] if unit == "s" else 0.0), [column], notes


def _columns(
    count: int, names: Sequence[str] | None, robot: Robot, where: str
) -> tuple[list[int], list[str]]:
    """The columns of the robot's joints, in its order."""
    joints = robot.joint_names
    if names is not None:
        _refuse_other_robots(names, robot, where)
        found = [_column_of(joint, names) for joint in joints]
        if all(i is not None for i in found) and len(set(found)) == len(joints):
            return [int(i) for i in found if i is not None], []
        generic = all(GENERIC.match(ENDINGS.sub("", name.lower())) for name in names)
        if any(i is not None for i in found) or not generic:
            missing = [j for j, i in zip(joints, found, strict=True) if i is None]
            raise DatasetError(
                f"{where} has the columns {', '.join(names)}; of {robot.name}'s joints it lacks "
                f"{', '.join(missing) or 'a clear column for each'}. Is it another robot "
                "(--robot)? Else rename the columns after the joints: " + ", ".join(joints)
            )
    if count < len(joints):
        raise DatasetError(
            f"{where} has {count} columns of angles, but {robot.name} has {len(joints)} joints: "
            f"{', '.join(joints)}. Is it another robot (--robot)?"
        )
    note = f"no joint names: the first {len(joints)} columns were taken in {robot.name}'s order"
    return list(range(len(joints))), [note]


def _refuse_other_robots(names: Sequence[str], robot: Robot, where: str) -> None:
    """Raise DatasetError where the columns carry another known robot's name, e.g. `panda_joint1`
    for an xArm, whose joints are called `joint1`."""
    others = [name for name in available_robots() if name != robot.name]
    own = " ".join(plain_key(joint) for joint in (robot.name, *robot.joint_names))
    for other in others:
        named = [name for name in names if plain_key(other) in plain_key(name)]
        if len(named) >= len(robot.joint_names) and plain_key(other) not in own:
            raise DatasetError(
                f"{where} has joints of {other} ({', '.join(named)}), not of {robot.name} "
                f"({', '.join(robot.joint_names)}). Is it --robot {other}? Else rename the columns"
            )


def _column_of(joint: str, names: Sequence[str]) -> int | None:
    """The column of a joint: of its very name, or else the only one whose name ends alike."""
    wanted = plain_key(joint)
    plain = [plain_key(ENDINGS.sub("", name)) for name in names]
    if wanted in plain:
        return plain.index(wanted)
    last = _last_part(joint)
    alike = [
        i
        for i, (name, short) in enumerate(zip(plain, names, strict=True))
        if len(name) > 1
        and not name.isdigit()
        and (wanted.endswith(name) or name.endswith(wanted) or _last_part(short) == last)
    ]
    return alike[0] if len(alike) == 1 else None


def _last_part(name: str) -> str:
    """`joint1` of `panda_joint1` and of `state.joint1.pos`."""
    return plain_key(re.split(r"[._/ ]", ENDINGS.sub("", name))[-1])


def _says_degrees(name: str) -> bool:
    return bool(re.search(r"(^|[._ ])(deg|degrees)$", name.lower()))


def _are_degrees(values: Array, robot: Robot) -> bool:
    """Whether angles exceed the limits as radians, and keep them as degrees."""
    finite = values[np.isfinite(values).all(axis=1)]
    if not len(finite):
        return False
    low, high = robot.joint_limits.T

    def beyond(q: Array) -> float:
        return float(np.maximum(low - q, q - high).max())

    return (beyond(finite) > 2 * np.pi and beyond(np.radians(finite)) < 2 * np.pi) \
        or (beyond(finite) > BEYOND_LIMITS and np.abs(finite).max() > 2 * np.pi
            and beyond(np.radians(finite)) < BEYOND_LIMITS)  # fmt: skip


def _rising(times: Array, where: str) -> Array:
    if not np.isfinite(times).all():
        raise DatasetError(f"{where} has no time stamp in row {int(np.argmin(np.isfinite(times)))}")
    falls = np.flatnonzero(np.diff(times) < 0)
    if len(falls):
        raise DatasetError(
            f"the time stamps in {where} fall from row {falls[0]} to {falls[0] + 1}; sort the rows "
            "by time"
        )
    return times
