"""Copies of LeRobotDatasets with further columns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from armsight.data.lerobot import LeRobotReader, merge
from armsight.data.lerobot import copy as lerobot_copy
from armsight.data.lerobot.copy import copy_with_columns
from armsight.errors import DatasetError, OutputError
from tests.data.made_demonstrations import CAMERA, write_demonstrations

LENGTHS = [5, 3, 4]
FEATURES = {
    "pose": {"dtype": "float32", "shape": [16], "names": None},
    "is_known": {"dtype": "bool", "shape": [1], "names": None},
}


def values(episode: int, length: int) -> dict[str, np.ndarray]:
    pose = np.full((length, 16), float(episode)) if episode != 1 else np.full((length, 16), np.nan)
    return {"pose": pose, "is_known": np.full(length, episode != 1)}


def digest(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=["written", "merged"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = write_demonstrations(tmp_path / "written", LENGTHS)
    return folder if request.param == "written" else merge([folder], tmp_path / "merged")


def test_columns_are_added_and_the_source_stays(source: Path, tmp_path: Path) -> None:
    before = digest(source)
    out = copy_with_columns(
        source, tmp_path / "copy", FEATURES, values,
        of_episode=lambda i: {"verdict": f"verdict {i}"}, extra={"audit": {"made": "here"}},
    )  # fmt: skip
    assert digest(source) == before
    old, new = LeRobotReader(source), LeRobotReader(out)
    assert new.info["armsight"]["audit"] == {"made": "here"}
    for episode, length in enumerate(LENGTHS):
        rows, copied = old.rows(episode), new.rows(episode)
        for name, column in rows.items():
            np.testing.assert_array_equal(copied[name], column)
        np.testing.assert_array_equal(copied["pose"], values(episode, length)["pose"])
        assert copied["is_known"].tolist() == [episode != 1] * length
        np.testing.assert_array_equal(new.frames(episode, CAMERA), old.frames(episode, CAMERA))
        assert new.episodes[episode]["verdict"] == f"verdict {episode}"
    video = next((source / "videos").rglob("*.mp4")).relative_to(source)
    assert os.path.samefile(source / video, out / video)
    assert not os.path.samefile(source / "meta/tasks.parquet", out / "meta/tasks.parquet")


def test_statistics_leave_unknown_rows_out(source: Path, tmp_path: Path) -> None:
    out = copy_with_columns(source, tmp_path / "copy", FEATURES, values)
    stats = json.loads((out / "meta/stats.json").read_text())
    assert stats["action"] == json.loads((source / "meta/stats.json").read_text())["action"]
    assert stats["pose"]["count"] == [9]
    assert stats["pose"]["mean"][0] == pytest.approx(2 * 4 / 9)
    table = pq.read_table(next((out / "meta/episodes").rglob("*.parquet")))
    assert "stats/pose/mean" in table.column_names


def test_what_datasets_wrote_of_types_does_not_hide_new_columns(
    source: Path, tmp_path: Path
) -> None:
    path = next((source / "data").rglob("*.parquet"))
    table = pq.read_table(path).replace_schema_metadata({"huggingface": "{}", "other": "kept"})
    pq.write_table(table, path)
    out = copy_with_columns(source, tmp_path / "copy", FEATURES, values)
    metadata = pq.read_schema(out / path.relative_to(source)).metadata
    assert b"huggingface" not in metadata
    assert metadata[b"other"] == b"kept"


def test_where_a_copy_may_not_go(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists"):
        copy_with_columns(source, source, FEATURES, values)
    with pytest.raises(OutputError, match="lies inside"):
        copy_with_columns(source, source / "copy", FEATURES, values)
    with pytest.raises(DatasetError, match="already has the columns action"):
        copy_with_columns(source, tmp_path / "copy", {"action": FEATURES["pose"]}, values)


def test_a_full_disk_leaves_nothing_behind(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lerobot_copy.layout, "write_json", full)
    before = digest(source)
    with pytest.raises(OutputError, match=r"copy: No space left on device"):
        copy_with_columns(source, tmp_path / "copy", FEATURES, values)
    assert not (tmp_path / "copy").exists()
    assert not (tmp_path / ".copy.partial").exists()
    assert digest(source) == before


def test_a_copy_where_links_are_not_possible(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    out = copy_with_columns(source, tmp_path / "copy", FEATURES, values)
    assert LeRobotReader(out).frames(0, CAMERA).shape[0] == LENGTHS[0]
