"""LeRobotDataset v3: what is written is read; kills and merges."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from armsight.data.lerobot import LeRobotReader, LeRobotWriter, merge, pack
from armsight.data.lerobot import writer as module
from armsight.errors import ArmsightError, DatasetError, MissingExtraError, OutputError
from tests.data.made_demonstrations import (
    CAMERA,
    FEATURES,
    FPS,
    add,
    make_episode,
    write_demonstrations,
    writer,
)

LENGTHS = [10, 7, 12]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demonstrations(tmp_path_factory.mktemp("demos") / "a", LENGTHS)


@pytest.fixture(scope="module")
def packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets merged; the second one's tasks are in the other order."""
    base = tmp_path_factory.mktemp("packed")
    other = write_demonstrations(base / "b", [5, 9], seed=3, extra={"failures": 2})
    return merge([folder, other], base / "both")


def check_episode(reader: LeRobotReader, episode: int, length: int, seed: int) -> None:
    rows, frames = make_episode(length, seed)
    read = reader.rows(episode)
    for name, values in rows.items():
        expected = np.asarray(values, read[name].dtype)
        np.testing.assert_array_equal(read[name], expected)
    record = reader.episodes[episode]
    assert record["tasks"] == [f"task {seed % 2}"]
    assert reader.tasks[read["task_index"][0]] == f"task {seed % 2}"
    assert (record["initial_state"], record["split"], record["success"]) == (seed, "train", True)
    seen = reader.frames(episode, CAMERA)
    assert seen.shape == frames.shape
    assert seen.dtype == np.uint8
    # Near lossless: a neighbouring frame differs by 255 where the square was.
    assert np.abs(seen.astype(int) - frames).max() <= 24
    assert np.abs(seen.astype(int) - frames).mean() < 1.5


def test_what_was_written_is_read(folder: Path) -> None:
    reader = LeRobotReader(folder)
    assert len(reader) == 3
    for episode, length in enumerate(LENGTHS):
        check_episode(reader, episode, length, seed=episode)


def test_merged_folders_hold_the_same_in_few_files(packed: Path) -> None:
    reader = LeRobotReader(packed)
    assert len(reader) == 5
    for episode, (length, seed) in enumerate([(10, 0), (7, 1), (12, 2), (5, 3), (9, 4)]):
        check_episode(reader, episode, length, seed)
    index = np.concatenate([reader.rows(e)["index"] for e in range(5)])
    np.testing.assert_array_equal(index, np.arange(43))
    assert len(list(packed.rglob("*.parquet"))) == 3
    assert len(list(packed.rglob("*.mp4"))) == 1
    assert reader.info["armsight"] == {"failures": [None, 2]}


def test_a_packed_folder_can_be_merged_again(packed: Path, folder: Path, tmp_path: Path) -> None:
    reader = LeRobotReader(merge([packed, folder], tmp_path / "again"))
    for episode, (length, seed) in enumerate([(10, 0), (7, 1), (12, 2), (5, 3), (9, 4), (10, 0)]):
        check_episode(reader, episode, length, seed)


def test_statistics_of_a_merged_set_are_those_of_one_written_at_once(tmp_path: Path) -> None:
    parts = [write_demonstrations(tmp_path / str(i), [6], seed=i) for i in range(3)]
    whole = write_demonstrations(tmp_path / "whole", [6, 6, 6])
    merged = merge(parts, tmp_path / "merged")
    one, other = (json.loads((f / "meta" / "stats.json").read_text()) for f in (whole, merged))
    assert one.keys() == other.keys()
    for name, stats in one.items():
        for key, value in stats.items():
            np.testing.assert_allclose(other[name][key], value, atol=1e-6, err_msg=f"{name} {key}")


def test_some_frames_are_those_of_all(packed: Path) -> None:
    reader = LeRobotReader(packed)
    whole = reader.frames(2, CAMERA)
    for rows in ([0], [11], [3, 4, 9], [2, 2, 5], []):
        some = reader.frames(2, CAMERA, rows)
        assert len(some) == len(rows)
        for frame, row in zip(some, rows, strict=True):
            np.testing.assert_array_equal(frame, whole[row])
    with pytest.raises(DatasetError, match="0 to 11"):
        reader.frames(2, CAMERA, [12])


def test_a_killed_run_leaves_whole_episodes_and_is_continued(tmp_path: Path) -> None:
    target = writer(tmp_path, extra={"failures": 1})
    add(target, 6, 0)
    add(target, 8, 1)
    # Killed in the middle of the third episode: data and video are there, its record is not.
    add(target, 7, 2)
    (tmp_path / "meta/episodes/chunk-000/file-002.parquet").unlink()
    (tmp_path / ".writing" / "half.parquet").write_bytes(b"half")
    reader = LeRobotReader(tmp_path)
    assert len(reader) == 2
    check_episode(reader, 1, 8, 1)

    with writer(tmp_path) as again:
        assert len(again) == 2
        assert again.extra == {"failures": 1}
        assert not list(tmp_path.rglob("half*"))
        add(again, 5, 2)
    whole = LeRobotReader(tmp_path)
    assert (whole.info["total_episodes"], whole.info["total_frames"]) == (3, 19)
    check_episode(whole, 2, 5, 2)
    at_once = LeRobotReader(write_demonstrations(tmp_path / "once", [6, 8, 5]))
    for key in ("mean", "std", "max", "q50"):
        one, other = (
            json.loads((f / "meta/stats.json").read_text())["action"][key]
            for f in (tmp_path, at_once.folder)
        )
        np.testing.assert_allclose(one, other)


def test_an_interrupt_while_a_video_is_written_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = writer(tmp_path)
    add(target, 6, 0)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add(target, 6, 1)
    assert not list((tmp_path / ".writing").iterdir())
    add(target, 6, 1)
    check_episode(LeRobotReader(tmp_path), 1, 6, 1)


def test_an_interrupted_merge_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack, "write_tasks", full)
    with pytest.raises(OutputError, match="No space left"):
        merge([folder], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    target = writer(tmp_path)
    rows, frames = make_episode(6, 0)
    add(target, 6, 0)
    bad = {
        "action, observation": {"observation.T_base_ee": rows["observation.T_base_ee"]},
        "missing or unknown: speed": {**rows, "speed": np.zeros(6)},
        "differ in length": {**rows, "action": rows["action"][:5]},
        r"'action' has rows of shape \(6,\), not \(7,\)": {**rows, "action": np.zeros((6, 6))},
        "'action' holds NaN": {**rows, "action": np.full((6, 7), np.nan)},
    }
    for message, wrong in bad.items():
        with pytest.raises(DatasetError, match=message):
            target.add_episode(wrong, {CAMERA: frames}, "task 0", {})
    own = {"initial_state": 1, "split": "train", "success": True}
    with pytest.raises(DatasetError, match=r"frame 0 is uint8 \(32, 64, 3\)"):
        target.add_episode(rows, {CAMERA: frames[:, :32]}, "task 0", own)
    with pytest.raises(DatasetError, match="differ in initial_state, split, success"):
        target.add_episode(rows, {CAMERA: frames}, "task 0", {})
    with pytest.raises(DatasetError, match="may not hold length"):
        target.add_episode(rows, {CAMERA: frames}, "task 0", {"length": 3})
    assert len(LeRobotReader(tmp_path)) == 1


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"timestamp": {"dtype": "float32", "shape": (1,)}}, "automatic columns"),
        ({"a/b": {"dtype": "float32", "shape": (1,)}}, "no '/'"),
        ({"a": {"dtype": "float16", "shape": (1,)}}, "'float16'; valid: float32"),
        ({"a": {"dtype": "float32", "shape": (2, 2, 2)}}, "one or two sides"),
        ({"a": {"dtype": "video", "shape": (63, 64, 3)}}, "even sides"),
    ],
)
def test_bad_features(tmp_path: Path, feature: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        LeRobotWriter(tmp_path, fps=20, robot_type="panda", features=feature)  # type: ignore[arg-type]


def test_a_folder_of_something_else_is_left_alone(
    folder: Path, packed: Path, tmp_path: Path
) -> None:
    other = {**FEATURES, "success": {"dtype": "bool", "shape": (1,), "names": None}}
    with pytest.raises(DatasetError, match="other features or another rate"):
        LeRobotWriter(folder, fps=FPS, robot_type="panda", features=other)
    with pytest.raises(DatasetError, match="other features or another rate"):
        LeRobotWriter(folder, fps=10, robot_type="panda", features=FEATURES)
    with pytest.raises(DatasetError, match="packed by merge"):
        writer(packed)
    with pytest.raises(OutputError, match="exists and will not be overwritten"):
        merge([folder], packed)
    with pytest.raises(DatasetError, match="no episode in"):
        merge([write_demonstrations(tmp_path / "empty", [])], tmp_path / "out")
    with LeRobotWriter(tmp_path / "other", fps=10, robot_type="panda", features=FEATURES) as slow:
        add(slow, 4, 0)
    with pytest.raises(DatasetError, match="differ in features or rate"):
        merge([folder, tmp_path / "other"], tmp_path / "out")


def test_without_pyarrow(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (lambda: LeRobotReader(folder), lambda: writer(tmp_path)):
        with pytest.raises(MissingExtraError, match=r"pip install 'armsight\[actions\]'"):
            use()


def test_readers_travel_to_other_processes(folder: Path) -> None:
    """A data loader sends them to its workers."""
    import pickle

    reader = LeRobotReader(folder)
    reader.rows(0)
    check_episode(pickle.loads(pickle.dumps(reader)), 2, 12, 2)
    assert issubclass(DatasetError, ArmsightError)


def test_nothing_unfinished_is_where_readers_look(tmp_path: Path) -> None:
    """LeRobot opens whatever ends in .parquet, hidden files too."""
    target = writer(tmp_path)
    seen: list[Path] = []
    real = module.encode

    def spy(path: Path, *rest: object) -> int:
        seen.append(path)
        return real(path, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "encode", spy)
        add(target, 4, 0)
    assert [path.parent for path in seen] == [tmp_path / ".writing"]
    target.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "meta", "videos"]
