"""Joint logs in files: CSV, Parquet, NumPy and JSON (ROS JointStates too)."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from armsight.data.parquet import pyarrow
from armsight.data.recordings.log_columns import match_joints, time_stamps
from armsight.data.recordings.recording import JointLog
from armsight.errors import DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".npz", ".npy", ".json")
POSITION_KEYS = ("joint_positions", "observation.state", "qpos", "q", "position", "positions",
                 "joint_angles", "joints", "state")  # fmt: skip
DEGREE_KEY = "joint_positions_deg"
"""Joint positions [deg]: the name says so"""
NAME_KEYS = ("joint_names", "names", "name")
TIME_KEYS = ("times", "time", "timestamps", "timestamp", "t")


def read_joint_log(path: Path, robot: Robot) -> JointLog:
    """The joints that a file holds.

    Joints are matched by name where the file has names, degrees are told from radians by the
    robot's limits, and further columns are left alone; `JointLog.notes` says what was understood.

    Raises:
        DatasetError: the file cannot be read, or does not hold this robot's joints.
        MissingExtraError: a Parquet file without pyarrow.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DatasetError(f"there is no joint log {path}; known: {', '.join(SUFFIXES)} files")
    try:
        if suffix == ".parquet":
            names, values = _parquet(path)
        elif suffix in (".npz", ".npy"):
            names, values = _numpy(path)
        elif suffix == ".json":
            names, values = _json(path)
        elif suffix in SUFFIXES:
            names, values = _text(path)
        else:
            raise DatasetError(f"{path} is no joint log; known: {', '.join(SUFFIXES)} files")
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise DatasetError(f"joint log {path} cannot be read: {error}") from error
    if not len(values):
        raise DatasetError(f"joint log {path} has no rows")
    return joint_log(names, values, robot, str(path))


def joint_log(names: Sequence[str] | None, values: Array, robot: Robot, where: str) -> JointLog:
    """A log of named or unnamed columns (M, C), time stamps among them.

    Raises:
        DatasetError: they do not hold this robot's joints, or the time stamps fall.
    """
    times: Array | None = None
    used: list[int] = []
    notes: tuple[str, ...] = ()
    if names is not None:
        times, used, notes = time_stamps(values, names, where)
        kept = [i for i in range(len(names)) if i not in used]
        names, values = [names[i] for i in kept], values[:, kept]
    positions, more, inferred = match_joints(values, names, robot, where)
    return JointLog(positions, times, (*notes, *more), inferred)


def _text(path: Path) -> tuple[list[str] | None, Array]:
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError("it is empty")
    delimiter = next((d for d in (",", ";", "\t") if d in lines[0]), None)
    if delimiter:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    else:
        rows = [line.split() for line in lines]
    names = None if _is_number(rows[0][0]) and _is_number(rows[0][-1]) else rows[0]
    first = 0 if names is None else 1
    width = len(rows[0])
    for i, row in enumerate(rows[first:], first + 1):
        if len(row) != width:
            raise ValueError(f"row {i} has {len(row)} columns, and the first has {width}")
    # Columns of words, such as file names, are no angles.
    kept = [c for c in range(width) if _is_numeric([row[c] for row in rows], c, first)]
    if not kept:
        raise ValueError("none of its columns holds numbers")
    if width == 1 and names is None:
        # One number in each line, as numpy.savetxt writes one arm's joints.
        return None, np.array([[_number(row[0]) for row in rows]], dtype=float)
    values = np.array(
        [[_number(row[c]) for c in kept] for row in rows[first:]], dtype=float
    ).reshape(-1, len(kept))
    return None if names is None else [names[c] for c in kept], values


def _parquet(path: Path) -> tuple[list[str] | None, Array]:
    pa = pyarrow()
    try:
        table = pa.parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from error
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return _columns(columns, is_table=True)


def _numpy(path: Path) -> tuple[list[str] | None, Array]:
    # NumPy leaves a file open that it cannot read.
    with path.open("rb") as file:
        loaded: Any = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return None, np.atleast_2d(loaded).astype(float)
        with loaded:
            return _columns({name: loaded[name] for name in loaded.files})


def _json(path: Path) -> tuple[list[str] | None, Array]:
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        if all("name" in item and "position" in item for item in data):
            return _joint_states(data)
        return _columns({key: [item[key] for item in data] for key in data[0]}, is_table=True)
    if isinstance(data, list):
        return None, np.atleast_2d(np.array(data, dtype=float))
    if not isinstance(data, Mapping):
        raise ValueError(f"it holds a {type(data).__name__}, not a list or an object")
    if "name" in data and np.ndim(data.get("position", 0)) == 1:
        return _joint_states([data])
    keys = [key for key in (*POSITION_KEYS, DEGREE_KEY) if key in data]
    if any(np.ndim(data[key]) > 0 for key in keys):
        return _columns(data)
    if empty := [key for key in keys if data[key] is None]:
        raise ValueError(f"{empty[0]} is null: the arm was not found, so there are no angles")
    numbers = {key: [value] for key, value in data.items() if _is_scalar(value)}
    return _columns(numbers or data)


def _joint_states(messages: Sequence[Mapping[str, Any]]) -> tuple[list[str], Array]:
    """ROS sensor_msgs/JointState messages; each says its own order of joints."""
    names = [str(name) for name in messages[0]["name"]]
    rows = []
    for i, message in enumerate(messages):
        if len(message["name"]) != len(message["position"]):
            raise ValueError(
                f"message {i} has {len(message['name'])} names and {len(message['position'])} "
                "positions"
            )
        positions = dict(zip(message["name"], message["position"], strict=True))
        if missing := [name for name in names if name not in positions]:
            raise ValueError(f"message {i} lacks {', '.join(missing)}, which the first has")
        stamp = message.get("header", {}).get("stamp", {})
        seconds = stamp.get("sec", stamp.get("secs", np.nan))
        nanoseconds = stamp.get("nanosec", stamp.get("nsecs", np.nan))
        rows.append([seconds, nanoseconds, *(positions[name] for name in names)])
    values = np.array(rows, dtype=float)
    if np.isnan(values[:, :2]).any():
        return names, values[:, 2:]
    return ["sec", "nanosec", *names], values


def _columns(columns: Mapping[str, Any], is_table: bool = False) -> tuple[list[str] | None, Array]:
    """Names and values of a table with one column a joint, or with all joints in one.

    Args:
        is_table: a flat list is a column of the table, and not the joints of its only row.
    """
    keys = (*POSITION_KEYS, DEGREE_KEY)
    whole = next((key for key in keys if key in columns and np.ndim(columns[key]) > 0), None)
    if whole is not None and (_is_wide(columns[whole]) or not is_table):
        values = np.atleast_2d(np.array([np.asarray(v, dtype=float) for v in columns[whole]]))
        values = np.radians(values) if whole == DEGREE_KEY else values
        key = next((key for key in NAME_KEYS if key in columns), None)
        names = None if key is None else _one_set_of_names(columns[key])
        if names is not None and len(names) != values.shape[1]:
            raise ValueError(f"it names {len(names)} joints, but has {values.shape[1]} columns")
        time = next((key for key in TIME_KEYS if key in columns), None)
        if time is None:
            return names, values
        names = names or [str(i) for i in range(values.shape[1])]
        stamps = np.asarray(columns[time], dtype=float).reshape(-1, 1)
        return ["timestamp", *names], np.concatenate([stamps, values], axis=1)
    numeric = {
        name: np.asarray(values, dtype=float)
        for name, values in columns.items()
        if np.ndim(values) == 1 and all(isinstance(v, int | float | np.number) for v in values)
    }
    if not numeric:
        raise ValueError(f"it has no columns of numbers; its keys are {', '.join(columns)}")
    return list(numeric), np.stack(list(numeric.values()), axis=-1)


def _one_set_of_names(names: Any) -> list[str]:
    """Names that are given once, or again in each row."""
    given = np.atleast_2d(np.asarray(names, dtype=str))
    if (given != given[0]).any():
        raise ValueError("its rows name their joints in different orders")
    return [str(name) for name in given[0]]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_wide(values: Any) -> bool:
    """Whether each row holds several numbers."""
    return np.ndim(values) > 0 and len(values) > 0 and np.ndim(values[0]) == 1


def _is_numeric(cells: Sequence[str], column: int, first: int) -> bool:
    """Whether a column holds numbers from row `first` on; ValueError for a few words among many."""
    odd = [i for i, cell in enumerate(cells) if i >= first and not _is_number(cell)]
    if odd and len(odd) < (len(cells) - first) / 2:
        name = f" ({cells[0]})" if first else ""
        raise ValueError(
            f"row {odd[0] + 1}, column {column + 1}{name} is {cells[odd[0]]!r}, not a number; "
            "mend it, or leave it empty"
        )
    return not odd


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    return float(cell) if cell else np.nan
