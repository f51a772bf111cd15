"""What the actions of a LeRobot data set are, read from its metadata and its rows.

`info.json` says names, sizes, rate and cameras. It does not say whether an action is a target or a
step, nor which of its numbers close a gripper; that is told from the training episodes, and the
card says how well it fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import (
    ABSOLUTE,
    AS_RECORDED,
    RELATIVE,
    UNKNOWN,
    ActionSpec,
    Dimension,
    StatePart,
)
from armsight.data.lerobot import LeRobotReader, layout
from armsight.errors import DatasetError

Array = NDArray[np.float64]

STATE = "observation.state"
GRIPPER_WORDS = re.compile(r"grip|finger|jaw|claw|pinch", re.IGNORECASE)
ABSOLUTE_FIT, RELATIVE_FIT = 0.8, 0.3
"""Least squared correlation of an action with the state after it, or with the state's change"""
MARGIN = 0.05
"""Of its range, by which a prediction may leave what training has shown"""
STATE_WEIGHT = 0.5


def read_action_space(
    reader: LeRobotReader,
    episodes: Sequence[int],
    camera_keys: Sequence[str] = (),
    action_key: str = "action",
) -> ActionSpec:
    """The specification of a data set.

    Args:
        episodes: those that ranges and normalisation are computed from: the training ones.
        camera_keys: which videos are used, the main one first; all by default.
        action_key: the column that holds the actions.

    Raises:
        DatasetError: a key is not in the data set, or a column holds no vectors of numbers.
    """
    cameras = _cameras(reader, camera_keys)
    names = _names(reader, action_key)
    state_key = STATE if STATE in reader.features else None
    state_names = _names(reader, state_key) if state_key else ()
    rows = [reader.rows(episode) for episode in episodes]
    actions = [
        _matrix(one[action_key], action_key, e) for one, e in zip(rows, episodes, strict=True)
    ]
    states = [_matrix(one[state_key], state_key, e) for one, e in zip(rows, episodes, strict=True)
              ] if state_key else []  # fmt: skip
    kinds = _kinds(actions, states, names, state_names)
    every = np.concatenate(actions)
    dimensions = tuple(
        _dimension(name, every[:, i], kinds[i], state_names) for i, name in enumerate(names)
    )
    known = np.concatenate(states) if states else np.zeros((0, 0))
    state_dimensions = tuple(
        _dimension(name, known[:, i], (ABSOLUTE, None), (), weight=STATE_WEIGHT)
        for i, name in enumerate(state_names)
    )
    return ActionSpec(
        dataset=reader.folder.resolve().name,
        robot=str(reader.info.get("robot_type") or "unknown robot"),
        rate_hz=reader.fps,
        actions=dimensions,
        states=state_dimensions,
        parts=(StatePart("states", len(state_names)),) if state_names else (),
        cameras=cameras,
        action_key=action_key,
        state_key=state_key,
    )


def _cameras(reader: LeRobotReader, wanted: Sequence[str]) -> tuple[str, ...]:
    known = layout.video_keys(reader.features)
    if not known:
        raise DatasetError(f"{reader.folder} has no video, and actions are read from videos")
    chosen = []
    for name in wanted or known:
        found = [one for one in known if name in (one, one.rpartition(".")[2])]
        if len(found) != 1:
            raise DatasetError(f"no camera {name!r} in {reader.folder}; valid: {', '.join(known)}")
        chosen += found
    if len(set(chosen)) < len(chosen):
        raise DatasetError(f"a camera is named twice: {', '.join(chosen)}")
    return tuple(chosen)


def _names(reader: LeRobotReader, key: str) -> tuple[str, ...]:
    """The names of a vector's numbers, or numbered ones where `info.json` has none."""
    feature = reader.features.get(key)
    vectors = [
        name
        for name, one in reader.features.items()
        if one["dtype"].startswith(("float", "int"))
        and len(one["shape"]) == 1
        and name not in layout.AUTOMATIC
    ]
    if feature is None or key not in vectors:
        raise DatasetError(
            f"{reader.folder} has no vector of numbers {key!r}; valid: {', '.join(vectors) or '-'}"
        )
    size = int(feature["shape"][0])
    named: Any = feature.get("names")
    if isinstance(named, dict):  # {"motors": [...]} or {"axes": [...]}
        named = next((one for one in named.values() if isinstance(one, list)), None)
    if isinstance(named, list) and len(named) == size == len({str(one) for one in named}):
        return tuple(map(str, named))
    return tuple(f"{key.rpartition('.')[2]}_{i}" for i in range(size))


def _matrix(values: NDArray[Any], key: str, episode: int) -> Array:
    rows: Array = np.asarray(values, float).reshape(len(values), -1)
    if not np.isfinite(rows).all():
        raise DatasetError(f"{key} of episode {episode} holds NaN or infinity; remove the episode")
    return rows


def _kinds(
    actions: Sequence[Array],
    states: Sequence[Array],
    names: Sequence[str],
    state_names: Sequence[str],
) -> list[tuple[str, str | None]]:
    """For each dimension its kind, and the state that it commands."""
    if not states:
        return [(UNKNOWN, None)] * len(names)
    now = np.concatenate([one[:-1] for one in actions])
    after = np.concatenate([one[1:] for one in states])
    change = np.concatenate([np.diff(one, axis=0) for one in states])
    absolute, relative = _squared_correlation(now, after), _squared_correlation(now, change)
    kinds: list[tuple[str, str | None]] = []
    for i, name in enumerate(names):
        own = [j for j, one in enumerate(state_names) if one == name]
        if not own and len(names) == len(state_names) and state_names[i].startswith("state_"):
            own = [i]  # neither has names, and they are as many
        among = own or list(range(len(state_names)))
        a, r = among[absolute[i, among].argmax()], among[relative[i, among].argmax()]
        if absolute[i, a] >= max(ABSOLUTE_FIT, relative[i, r]):
            kinds.append((ABSOLUTE, state_names[a]))
        elif relative[i, r] >= RELATIVE_FIT:
            kinds.append((RELATIVE, state_names[r]))
        else:
            kinds.append((UNKNOWN, None))
    return kinds


def _squared_correlation(a: Array, b: Array) -> Array:
    """(A, B) between the columns of (N, A) and (N, B); 0 for columns that do not vary."""
    a, b = a - a.mean(0), b - b.mean(0)
    sizes = np.sqrt((a**2).sum(0))[:, None] * np.sqrt((b**2).sum(0))[None]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(sizes > 1e-9, (a.T @ b) / sizes, 0.0)
    squared: Array = r**2
    return squared


def _dimension(
    name: str,
    values: Array,
    kind: tuple[str, str | None],
    state_names: Sequence[str],
    weight: float = 1.0,
) -> Dimension:
    low, high, spread = float(values.min()), float(values.max()), float(values.std())
    binary = bool(state_names or weight == 1.0) and len(np.unique(values)) == 2
    if binary:
        offset, scale = (low + high) / 2, (high - low) / 2
    else:
        offset = float(values.mean())
        # A number that does not vary is not blown up.
        scale = spread if spread > 1e-6 * max(1.0, abs(low), abs(high)) else 1.0
        margin = MARGIN * (high - low)
        low, high = low - margin, high + margin
    return Dimension(
        name=name,
        kind=kind[0],
        unit=AS_RECORDED,
        low=low,
        high=high,
        offset=offset,
        scale=scale,
        gripper=bool(GRIPPER_WORDS.search(name)) or binary,
        binary=binary,
        weight=weight,
        follows=kind[1],
    )
