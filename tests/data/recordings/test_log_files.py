"""Joint logs in every usual form hold the same joints; what is wrong with others is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.data.recordings import read_joint_log
from armsight.errors import DatasetError
from armsight.robots import load_robot

ROBOT = load_robot("panda")
NAMES = list(ROBOT.joint_names)
RNG = np.random.default_rng(3)
Q = ROBOT.ready_positions + 0.3 * RNG.standard_normal((6, 7))
TIMES = 100.0 + np.arange(6) / 15


def csv_text(names: list[str] | None, values: Any, delimiter: str = ",") -> str:
    rows = [] if names is None else [delimiter.join(names)]
    rows += [delimiter.join(f"{v:.9f}" for v in row) for row in values]
    return "\n".join(rows) + "\n"


def joint_states(order: list[int]) -> list[dict[str, Any]]:
    return [
        {
            "header": {"stamp": {"sec": int(t), "nanosec": round((t % 1) * 1e9)}},
            "name": [NAMES[j] for j in order] + ["panda_finger_joint1"],
            "position": [float(q[j]) for j in order] + [0.04],
        }
        for t, q in zip(TIMES, Q, strict=True)
    ]


def write(path: Path, case: str) -> Path:
    order = [3, 0, 6, 1, 2, 5, 4]
    shuffled = [NAMES[j] for j in order]
    with_time = np.column_stack([TIMES, Q])
    if case == "csv":
        path = path / "log.csv"
        path.write_text(csv_text(NAMES, Q))
    elif case == "csv, shuffled, fingers, time":
        path = path / "log.csv"
        values = np.column_stack([TIMES, np.full(6, 0.04), Q[:, order]])
        path.write_text(csv_text(["timestamp", "finger", *shuffled], values))
    elif case == "semicolons, prefix, byte order mark":
        path = path / "log.csv"
        names = ["state." + name.removeprefix("panda_") + ".pos" for name in NAMES]
        path.write_text("\ufeff" + csv_text(names, Q, ";"))
    elif case == "text without names":
        path = path / "log.txt"
        np.savetxt(path, np.column_stack([Q, np.full((6, 2), 0.04)]))
    elif case == "degrees":
        path = path / "log.csv"
        path.write_text(csv_text(NAMES, np.degrees(Q)))
    elif case == "npz":
        path = path / "log.npz"
        np.savez(path, joint_names=shuffled, qpos=Q[:, order], timestamp=TIMES)
    elif case == "npy":
        path = path / "log.npy"
        np.save(path, Q)
    elif case == "json":
        path = path / "log.json"
        document = {"joint_names": shuffled, "joint_positions": Q[:, order].tolist()}
        path.write_text(json.dumps({**document, "times": (TIMES * 1e9).tolist()}))
    elif case == "ROS JointStates":
        path = path / "log.json"
        path.write_text(json.dumps(joint_states(order)))
    else:
        pyarrow = pytest.importorskip("pyarrow.parquet")
        import pyarrow as pa

        path = path / "log.parquet"
        columns = dict(zip(["time", *NAMES], with_time.T, strict=True))
        pyarrow.write_table(pa.table(columns), path)
    return path


CASES = {
    "csv": (False, ""),
    "csv, shuffled, fingers, time": (True, "columns left alone: finger"),
    "semicolons, prefix, byte order mark": (False, ""),
    "text without names": (False, "the last 2 columns were left alone"),
    "degrees": (False, "angles were in degrees"),
    "npz": (True, ""),
    "npy": (False, "taken in panda's order"),
    "json": (True, "were in ns"),
    "ROS JointStates": (True, "panda_finger_joint1"),
    "parquet": (True, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_known_files(tmp_path: Path, case: str) -> None:
    timed, note = CASES[case]
    log = read_joint_log(write(tmp_path, case), ROBOT)
    np.testing.assert_allclose(log.joint_positions, Q, atol=1e-7)
    assert (log.times is not None) == timed
    if log.times is not None:
        np.testing.assert_allclose(np.diff(log.times), 1 / 15, atol=1e-6)
    assert any(note in one for one in log.notes) or not note


BAD = {
    "other robot": (
        "log.csv", csv_text(["shoulder_pan_joint", "elbow_joint"], Q[:, :2]),
        "it lacks panda_joint1, .*Is it another robot",
    ),
    "too few": ("log.txt", "0 1 2\n3 4 5\n", "3 columns of angles, but panda has 7 joints"),
    "one joint missing": (
        "log.csv", csv_text(NAMES[:-1], Q[:, :-1]), "it lacks panda_joint7",
    ),
    "a word among numbers": (
        "log.csv", csv_text(NAMES, Q).replace(f"{Q[2, 3]:.8f}"[:5], "1.2.3", 1),
        r"row 4, column \d \(panda_joint\d\) is '1\.2\.3",
    ),
    "uneven rows": ("log.csv", "a,b\n1,2\n3\n", "row 3 has 1 columns"),
    "words": ("log.csv", "a,b\nx,y\n", "none of its columns holds numbers"),
    "empty": ("log.csv", "", "it is empty"),
    "broken JSON": ("log.json", "{", "cannot be read"),
    "JSON text": ("log.json", '"q"', "it holds a str"),
    "falling time": (
        "log.csv", csv_text(["t", *NAMES], np.column_stack([TIMES[::-1], Q])),
        "time stamps in .* fall from row 0 to 1",
    ),
    "all NaN": ("log.csv", csv_text(NAMES, np.full((3, 7), np.nan)), "no row without NaN"),
    "encoder counts": (
        "log.csv", csv_text(NAMES, 2048 + 300 * Q),
        r"panda_joint\d runs from \d+.*neither radians nor degrees.*encoder counts",
    ),
    "null": ("log.json", '{"joint_positions": null}', "joint_positions is null: the arm was not"),
    "names and positions differ": (
        "log.json", '{"name": ["a", "b"], "position": [1]}', "2 names and 1 positions",
    ),
    "rows in different orders": (
        "log.json", '[{"joint_names": ["a", "b"], "q": [1, 2]},'
        ' {"joint_names": ["b", "a"], "q": [1, 2]}]', "joints in different orders",
    ),
    "a zip that is none": ("log.npz", "PK\x03\x04junk", "cannot be read"),
    "unknown kind": ("log.bag", "x", "is no joint log; known: .csv"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(tmp_path: Path, case: str) -> None:
    name, text, message = BAD[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_joint_log(tmp_path / name, ROBOT)
    assert name in str(caught.value)


ONE_ROW = {
    "unnamed": {"joint_positions": Q[0].tolist()},
    "named in another order": {
        "joint_names": NAMES[::-1], "joint_positions": Q[0, ::-1].tolist(), "time": 1.5,
    },
    "degrees by name": {"joint_positions_deg": np.degrees(Q[0]).tolist()},
    "a number for each name": {**dict(zip(NAMES[::-1], Q[0, ::-1], strict=True)), "gripper": 0.4},
    "one ROS JointState": joint_states([3, 0, 6, 1, 2, 5, 4])[0],
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_ROW)
def test_documents_of_one_row(tmp_path: Path, case: str) -> None:
    (tmp_path / "q.json").write_text(json.dumps(ONE_ROW[case]))
    log = read_joint_log(tmp_path / "q.json", ROBOT)
    np.testing.assert_allclose(log.joint_positions, Q[:1], atol=1e-9)


def test_a_text_with_one_number_in_each_line_is_one_row(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "q.txt", Q[0])
    assert read_joint_log(tmp_path / "q.txt", ROBOT).joint_positions.shape == (1, 7)


def test_a_table_with_a_column_called_q_is_no_row_of_joints(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps([{"q": float(v)} for v in range(9)]))
    with pytest.raises(DatasetError, match="1 columns of angles, but panda has 7"):
        read_joint_log(tmp_path / "log.json", ROBOT)


def test_angles_beyond_the_limits_are_noted(tmp_path: Path) -> None:
    q = Q.copy()
    q[4, 3] = 1.0  # panda_joint4 ends at -0.07
    (tmp_path / "log.csv").write_text(csv_text(NAMES, q))
    notes = read_joint_log(tmp_path / "log.csv", ROBOT).notes
    assert any(re.search(r"1 of 6 rows leave .* row 4\); panda_joint4 runs", one) for one in notes)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no joint log"):
        read_joint_log(tmp_path / "none.csv", ROBOT)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "log.npz", qpos=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_joint_log(tmp_path / "log.npz", ROBOT)


def test_rows_with_nan_are_kept_and_named(tmp_path: Path) -> None:
    q = Q.copy()
    q[2, 3] = np.nan
    (tmp_path / "log.csv").write_text(csv_text(NAMES, q))
    log = read_joint_log(tmp_path / "log.csv", ROBOT)
    assert np.isnan(log.joint_positions[2, 3])
    assert any("1 of 6 rows hold NaN (the first is row 2)" in note for note in log.notes)


def test_a_log_of_another_known_robot(tmp_path: Path) -> None:
    """xArm7's joints are called joint1 to joint7: how the names end says nothing."""
    (tmp_path / "log.csv").write_text(csv_text(NAMES, Q))
    with pytest.raises(DatasetError, match="has joints of panda .*, not of xarm7"):
        read_joint_log(tmp_path / "log.csv", load_robot("xarm7"))
