"""Field by field against the documented layout of LeRobotDataset v3.

Sources: https://huggingface.co/docs/lerobot/lerobot-dataset-v3, the cards of data sets on the Hub,
and the files that LeRobot 0.4 writes.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from armsight.data.lerobot import LeRobotReader, merge
from tests.data.made_demonstrations import CAMERA, FPS, SIZE, make_episode, write_demonstrations

pq = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")

LENGTHS = [10, 7, 12]
AUTOMATIC = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
STATS = {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}


@pytest.fixture(scope="module", params=["written", "merged"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("layout")
    written = write_demonstrations(base / "written", LENGTHS)
    return written if request.param == "written" else merge([written], base / "merged")


def test_info(folder: Path) -> None:
    info = json.loads((folder / "meta/info.json").read_text())
    features = info.pop("features")
    info.pop("armsight")  # ours; LeRobot ignores it
    assert info == {
        "codebase_version": "v3.0",
        "robot_type": "panda",
        "total_episodes": 3,
        "total_frames": 29,
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 20,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }
    assert type(info["fps"]) is int
    assert features["action"] == {
        "dtype": "float32",
        "shape": [7],
        "names": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
    }
    assert features["observation.T_base_ee"]["shape"] == [4, 4]
    for name, dtype in AUTOMATIC.items():
        assert features[name] == {"dtype": dtype, "shape": [1], "names": None}
    assert features[CAMERA] == {
        "dtype": "video",
        "shape": [SIZE, SIZE, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": SIZE,
            "video.width": SIZE,
            "video.codec": "h264",
            "video.pix_fmt": "yuv444p",
            "video.is_depth_map": False,
            "video.fps": 20,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def test_data(folder: Path) -> None:
    tables = [pq.read_table(path) for path in sorted(folder.glob("data/chunk-*/file-*.parquet"))]
    table = pa.concat_tables(tables)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds.pop("action").startswith("fixed_size_list<")
    assert kinds.pop("observation.T_base_ee").startswith("list<")
    assert kinds.pop(f"{CAMERA}.is_rendered") == "bool"
    assert kinds == {"timestamp": "float", **{n: d for n, d in AUTOMATIC.items() if d == "int64"}}
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    np.testing.assert_array_equal(columns["index"], np.arange(29))
    np.testing.assert_array_equal(columns["episode_index"], np.repeat([0, 1, 2], LENGTHS))
    frame = np.concatenate([np.arange(n) for n in LENGTHS])
    np.testing.assert_array_equal(columns["frame_index"], frame)
    np.testing.assert_allclose(columns["timestamp"], frame / FPS, rtol=1e-6)
    np.testing.assert_array_equal(columns["task_index"], np.repeat([0, 1, 0], LENGTHS))
    rows, _ = make_episode(7, 1)
    np.testing.assert_allclose(columns["action"][10:17], rows["action"], rtol=1e-6)
    np.testing.assert_allclose(columns["observation.T_base_ee"][10:17],
                               rows["observation.T_base_ee"], rtol=1e-6)  # fmt: skip


def test_tasks_are_a_pandas_frame_indexed_by_the_task(folder: Path) -> None:
    table = pq.read_table(folder / "meta/tasks.parquet")
    assert table.to_pydict() == {"task_index": [0, 1], "__index_level_0__": ["task 0", "task 1"]}
    pandas = json.loads(table.schema.metadata[b"pandas"])
    assert pandas["index_columns"] == ["__index_level_0__"]
    assert [column["field_name"] for column in pandas["columns"]] == table.column_names


def test_pandas_reads_the_tasks(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(folder / "meta/tasks.parquet")
    assert frame.loc["task 1"].task_index == 1
    assert list(frame.columns) == ["task_index"]


def test_episodes(folder: Path) -> None:
    paths = sorted(folder.glob("meta/episodes/chunk-*/file-*.parquet"))
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    records = table.to_pylist()
    ends = np.cumsum(LENGTHS)
    for i, record in enumerate(records):
        assert record["episode_index"] == i
        assert record["tasks"] == [f"task {i % 2}"]
        assert record["length"] == LENGTHS[i]
        assert (record["dataset_from_index"], record["dataset_to_index"]) == (
            ends[i] - LENGTHS[i],
            ends[i],
        )
        for prefix, path in (
            ("meta/episodes", "meta/episodes"),
            ("data", "data"),
            (f"videos/{CAMERA}", f"videos/{CAMERA}"),
        ):
            place = record[f"{prefix}/chunk_index"], record[f"{prefix}/file_index"]
            found = list((folder / path).glob("chunk-{:03d}/file-{:03d}.*".format(*place)))
            assert len(found) == 1
        start = record[f"videos/{CAMERA}/from_timestamp"]
        assert record[f"videos/{CAMERA}/to_timestamp"] == pytest.approx(start + LENGTHS[i] / FPS)
        assert (record["initial_state"], record["split"], record["success"]) == (i, "train", True)
    for name, shape in (("action", (7,)), ("observation.T_base_ee", (4, 4)), ("index", (1,)),
                        (CAMERA, (3, 1, 1)), (f"{CAMERA}.is_rendered", (1,))):  # fmt: skip
        for key in STATS:
            value = np.array(records[1][f"stats/{name}/{key}"])
            assert value.shape == ((1,) if key == "count" else shape), (name, key)


def test_statistics(folder: Path) -> None:
    stats = json.loads((folder / "meta/stats.json").read_text())
    assert set(stats) == {"action", "observation.T_base_ee", f"{CAMERA}.is_rendered", CAMERA,
                          *AUTOMATIC}  # fmt: skip
    assert all(set(values) == STATS for values in stats.values())
    actions = np.concatenate([make_episode(n, i)[0]["action"] for i, n in enumerate(LENGTHS)])
    for key in ("min", "max", "mean", "std"):
        expected = getattr(actions.astype(np.float32), key)(axis=0)
        np.testing.assert_allclose(stats["action"][key], expected, atol=1e-5)
    assert stats["action"]["count"] == [29]
    assert stats["index"]["max"] == [28]
    pixels = np.concatenate([make_episode(n, i)[1] for i, n in enumerate(LENGTHS)]) / 255
    np.testing.assert_allclose(np.squeeze(stats[CAMERA]["mean"]), pixels.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(np.squeeze(stats[CAMERA]["std"]), pixels.std(axis=(0, 1, 2)))
    np.testing.assert_allclose(np.squeeze(stats[CAMERA]["min"]), pixels.min(axis=(0, 1, 2)))


def test_quantiles_of_pixels_are_exact(tmp_path: Path) -> None:
    folder = write_demonstrations(tmp_path, [9])
    stats = json.loads((folder / "meta/stats.json").read_text())[CAMERA]
    pixels = make_episode(9, 0)[1].reshape(-1, 3) / 255
    for key, q in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        expected = np.quantile(pixels, q, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(np.squeeze(stats[key]), expected)


def test_every_frame_lies_at_its_time_stamp(folder: Path) -> None:
    """LeRobot asks for the frame at from_timestamp + timestamp, to a tolerance of 0.1 ms."""
    reader = LeRobotReader(folder)
    for record in reader.episodes:
        path = reader.video_path(record, CAMERA)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            times = [float(f.pts * stream.time_base) for f in container.decode(stream)]
            assert stream.codec_context.name == "h264"
        start = record[f"videos/{CAMERA}/from_timestamp"]
        wanted = start + reader.rows(record["episode_index"])["timestamp"]
        gaps = np.abs(np.subtract.outer(wanted, times)).min(axis=1)
        assert gaps.max() < 1e-4
