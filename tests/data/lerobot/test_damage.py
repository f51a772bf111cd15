"""LeRobotDataset v3: damaged and foreign folders are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from armsight.data.lerobot import LeRobotReader
from armsight.errors import DatasetError
from tests.data.made_demonstrations import CAMERA, write_demonstrations


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demonstrations(tmp_path_factory.mktemp("demos") / "a", [10, 7, 12])


def damage(folder: Path, target: Path, path: str, content: bytes | None) -> Path:
    shutil.copytree(folder, target)
    if content is None:
        (target / path).unlink()
    else:
        (target / path).write_bytes(content)
    return target


DATA, EPISODE = "data/chunk-000/file-001.parquet", "meta/episodes/chunk-000/file-001.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-001.mp4"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (path, content)
        for path in ("meta/info.json", "meta/tasks.parquet", DATA, EPISODE, VIDEO)
        for content in (None, b"", b"PAR1 no parquet PAR1")
        if (path, content) != (EPISODE, None)  # an episode without a record was never finished
    ],
)
def test_damage_is_named(folder: Path, tmp_path: Path, path: str, content: bytes | None) -> None:
    broken = damage(folder, tmp_path / "broken", path, content)

    def read_all() -> None:
        reader = LeRobotReader(broken)
        reader.rows(1)
        reader.frames(1, CAMERA)

    with pytest.raises(DatasetError, match=Path(path).name):
        read_all()


def test_a_video_cut_short_is_named(folder: Path, tmp_path: Path) -> None:
    content = (folder / VIDEO).read_bytes()
    broken = damage(folder, tmp_path / "broken", VIDEO, content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"file-001\.mp4"):
        LeRobotReader(broken).frames(1, CAMERA)


def test_no_data_set_and_old_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no LeRobotDataset.*meta/info\.json"):
        LeRobotReader(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text('{"codebase_version": "v2.1"}')
    with pytest.raises(DatasetError, match=r"'v2\.1'.*convert"):
        LeRobotReader(tmp_path)


def test_unknown_episodes_and_videos_are_named(folder: Path) -> None:
    reader = LeRobotReader(folder)
    with pytest.raises(DatasetError, match="episodes 0 to 2; there is no 3"):
        reader.rows(3)
    with pytest.raises(DatasetError, match=f"no video 'wrist'; valid: {CAMERA}"):
        reader.frames(0, "wrist")


def test_columns_of_texts_and_pictures_are_left_alone(folder: Path, tmp_path: Path) -> None:
    """DROID has an instruction in each row, and other sets keep pictures in Parquet."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    foreign = tmp_path / "foreign"
    shutil.copytree(folder, foreign)
    path = foreign / DATA
    table = parquet.read_table(path)
    words = pa.array(["pick it up"] * table.num_rows)
    pictures = pa.array([{"bytes": b"x", "path": None}] * table.num_rows)
    table = table.append_column("language_instruction", words)
    parquet.write_table(table.append_column("observation.images.raw", pictures), path)
    info = json.loads((foreign / "meta/info.json").read_text())
    info["features"] |= {
        "language_instruction": {"dtype": "string", "shape": [1], "names": None},
        "observation.images.raw": {"dtype": "image", "shape": [4, 4, 3], "names": None},
    }
    (foreign / "meta/info.json").write_text(json.dumps(info))
    rows = LeRobotReader(foreign).rows(1)
    assert rows.keys() == LeRobotReader(folder).rows(1).keys()
