"""Sequences in files: the same comes back, and damage is named."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from armsight import ActionModel, ActionSequence
from armsight.actions.files import read_actions, write_actions
from armsight.actions.sequence import ARRAYS
from armsight.errors import BadShapeError, DatasetError, MissingExtraError
from tests.fake_action_weights import pictures, write_fake_action_weights

pytest.importorskip("pyarrow")
SUFFIXES = [".parquet", ".npz"]


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> ActionSequence:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path_factory.mktemp("w")))
    made = model.predict_action_chunk(pictures([60, 150, 120, 240]), steps=[0, 2, 7, 8], span=1)
    return replace(made, messages=("a note, with 'quotes' and ü",), source="clip.mp4")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_comes_back(sequence: ActionSequence, tmp_path: Path, suffix: str) -> None:
    read = read_actions(write_actions(sequence, tmp_path / f"a{suffix}"))
    for name in ARRAYS:
        expected, found = getattr(sequence, name), getattr(read, name)
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert found.dtype == expected.dtype, name
    assert read.metadata() == sequence.metadata()
    assert read.spec == sequence.spec
    assert os.listdir(tmp_path) == [f"a{suffix}"]


def test_a_file_says_what_its_numbers_are(sequence: ActionSequence, tmp_path: Path) -> None:
    """Everything that others got wrong: frame, units, scale, sign, rate, stride."""
    import pyarrow.parquet as pq

    write_actions(sequence, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    said = json.loads(table.schema.metadata[b"armsight"])
    assert said["controller"] == "OSC_POSE"
    assert said["frame"] == "robot base"
    assert said["action_scale"] == [0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0]
    assert said["gripper_sign"] == "-1 opens, +1 closes"
    assert said["control_hz"] == 20
    assert said["stride"] is None  # uneven
    assert said["keyframe_steps"] == [0, 2, 7, 8]
    assert said["card"]["task"] == "libero_object"
    assert set(said["units"]) >= {"actions", "action_scale", "ee_position", "gripper_opening"}
    assert table.num_rows == 9
    assert table["step"].to_pylist() == list(range(9))
    assert table["timestamp"].to_pylist() == pytest.approx([i / 20 for i in range(9)])
    assert np.flatnonzero(table["is_keyframe"].to_pylist()).tolist() == [0, 2, 7, 8]
    np.testing.assert_array_equal(np.array(table["action"].to_pylist()), sequence.actions)


def test_npz_without_armsight(sequence: ActionSequence, tmp_path: Path) -> None:
    write_actions(sequence, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["actions"], sequence.actions)
        assert json.loads(str(file["metadata"]))["gripper_sign"] == "-1 opens, +1 closes"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_a_file_cut_short(
    sequence: ActionSequence, tmp_path: Path, suffix: str, share: float
) -> None:
    path = write_actions(sequence, tmp_path / f"a{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DatasetError, match=rf"a\{suffix} is broken.*write it again"):
        read_actions(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_in_the_middle_overwritten(
    sequence: ActionSequence, tmp_path: Path, suffix: str
) -> None:
    """Whatever is damaged: the error names the file, or the numbers are still the same."""
    path = write_actions(sequence, tmp_path / f"a{suffix}")
    content = path.read_bytes()
    named = same = 0
    places = range(0, len(content) - 40, len(content) // 25)
    for at in places:
        path.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
        try:
            read = read_actions(path)
        except DatasetError as error:
            named += f"a{suffix}" in str(error) and str(error).isprintable()  # in one line
            continue
        same += np.array_equal(read.actions, sequence.actions)
    assert named + same == len(places)
    assert named > 5


def test_files_of_something_else(sequence: ActionSequence, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", x=1)
    for name in ("a.parquet", "a.npz"):
        with pytest.raises(DatasetError, match="holds no actions of armsight"):
            read_actions(tmp_path / name)
    with pytest.raises(DatasetError, match="does not exist"):
        read_actions(tmp_path / "b.npz")
    for use in (lambda p: read_actions(p), lambda p: write_actions(sequence, p)):
        with pytest.raises(DatasetError, match=r"'\.csv'; valid: \.parquet, \.npz"):
            use(tmp_path / "a.csv")


def edited(sequence: ActionSequence, path: Path, **changes: object) -> Path:
    write_actions(sequence, path)
    with np.load(path) as file:
        arrays = dict(file)
    metadata = {**json.loads(str(arrays.pop("metadata"))), **changes}
    metadata = {name: value for name, value in metadata.items() if value is not ...}
    np.savez(path, metadata=np.array(json.dumps(metadata)), **arrays)
    return path


def test_other_versions_and_missing_parts(sequence: ActionSequence, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DatasetError, match="format 'armsight-action-sequence/9'"):
        read_actions(edited(sequence, path, format="armsight-action-sequence/9"))
    with pytest.raises(DatasetError, match="lacks 'card'"):
        read_actions(edited(sequence, path, card=...))


def test_arrays_that_contradict_each_other(sequence: ActionSequence) -> None:
    for name, array, message in (
        ("std", sequence.std[:-1], r"std has shape \(8, 7\), not \(9, 7\)"),
        ("actions", np.full_like(sequence.actions, np.nan), "actions holds NaN"),
        ("presence", sequence.presence[1:], "presence has shape"),
        ("keyframe_steps", np.array([0, 2, 7, 9]), "do not end at the last keyframe"),
        ("pair_actions", sequence.pair_actions[1:], r"pair_actions has shape \(2, 6, 7\), for"),
    ):
        with pytest.raises(BadShapeError, match=message):
            replace(sequence, **{name: array})


def test_without_pyarrow(
    sequence: ActionSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_actions(sequence, tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (lambda: read_actions(path), lambda: write_actions(sequence, path)):
        with pytest.raises(MissingExtraError, match=r"pip install 'armsight\[actions\]'"):
            use()
    assert len(read_actions(write_actions(sequence, tmp_path / "a.npz"))) == 9
