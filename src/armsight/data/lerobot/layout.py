"""The layout of a LeRobotDataset v3 folder: paths, features, `info.json`.

Source: https://huggingface.co/docs/lerobot/lerobot-dataset-v3 and the data sets that LeRobot 0.4
writes. Many episodes share a file; `meta/episodes` says which rows and which seconds are whose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from armsight.errors import DatasetError, OutputError
from armsight.files import atomic_write

VERSION = "v3.0"
CHUNK_FILES = 1000
"""Files in a folder before the next chunk begins"""
DATA_FILE_MB, VIDEO_FILE_MB = 100, 200
"""Size at which packed files are full [MB]"""

STAGING = ".writing"
"""Folder of files that are not whole yet"""
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

AUTOMATIC: dict[str, dict[str, Any]] = {
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    "frame_index": {"dtype": "int64", "shape": [1], "names": None},
    "episode_index": {"dtype": "int64", "shape": [1], "names": None},
    "index": {"dtype": "int64", "shape": [1], "names": None},
    "task_index": {"dtype": "int64", "shape": [1], "names": None},
}
"""Columns that every data set has, filled by the writer"""

DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")

Features = dict[str, dict[str, Any]]


def all_features(features: Mapping[str, Mapping[str, Any]]) -> Features:
    """`features` with lists for shapes, checked, and the automatic columns behind them.

    Args:
        features: for each column `dtype`, `shape` and `names`; a video has dtype "video" and
            shape (height, width, 3).

    Raises:
        DatasetError: a feature has an unknown type, a bad shape, or an automatic column's name.
    """
    checked: Features = {}
    for name, feature in features.items():
        if name in AUTOMATIC or "/" in name:
            raise DatasetError(
                f"feature {name!r}: automatic columns ({', '.join(AUTOMATIC)}) are not given, and "
                "names hold no '/'"
            )
        dtype, shape = feature.get("dtype"), [int(side) for side in feature.get("shape", ())]
        if dtype == "video":
            if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
                raise DatasetError(
                    f"video {name!r} has shape {shape}; it must be (height, width, 3), even sides"
                )
            names: Any = ["height", "width", "channels"]
        elif dtype not in DTYPES:
            raise DatasetError(
                f"feature {name!r} has dtype {dtype!r}; valid: {', '.join(DTYPES)}, video"
            )
        elif not shape or min(shape) < 1 or len(shape) > 2:
            raise DatasetError(
                f"feature {name!r} has shape {shape}; give one or two sides, (1,) for a number"
            )
        else:
            names = feature.get("names")
        checked[name] = {**feature, "dtype": dtype, "shape": shape, "names": names}
    return {**checked, **{name: dict(feature) for name, feature in AUTOMATIC.items()}}


def video_keys(features: Features) -> list[str]:
    """Names of the videos."""
    return [name for name, feature in features.items() if feature["dtype"] == "video"]


def columns(features: Features) -> list[str]:
    """Names of what is stored in Parquet."""
    return [name for name, feature in features.items() if feature["dtype"] != "video"]


def make_info(features: Features, fps: float, robot_type: str) -> dict[str, Any]:
    """`info.json` of an empty data set."""
    return {
        "codebase_version": VERSION,
        "robot_type": robot_type,
        "total_episodes": 0,
        "total_frames": 0,
        "total_tasks": 0,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": DATA_FILE_MB,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "fps": int(fps) if float(fps).is_integer() else fps,
        "splits": {},
        "data_path": DATA,
        "video_path": VIDEO if video_keys(features) else None,
        "features": features,
    }


def is_data_set(folder: Path) -> bool:
    """Whether a folder says that it is a LeRobotDataset, of whichever version."""
    return (folder / INFO).is_file()


def read_info(folder: Path) -> dict[str, Any]:
    """`info.json`, checked.

    Raises:
        DatasetError: there is none, it is broken, or of another version.
    """
    path = folder / INFO
    if not path.is_file():
        raise DatasetError(
            f"{folder} is no LeRobotDataset: it has no {INFO}. Give the folder that holds 'meta'"
        )
    try:
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is broken: {error}") from error
    version = str(info.get("codebase_version")) if isinstance(info, dict) else "nothing"
    if not version.startswith("v3."):
        raise DatasetError(
            f"{path} has codebase_version {version!r}, and {VERSION} is read; convert it with "
            "`python -m lerobot.datasets.v30.convert_dataset_v21_to_v30`"
        )
    for key in ("fps", "features", "data_path"):
        if key not in info:
            raise DatasetError(f"{path} lacks {key!r}; the data set was not written to its end")
    return info


@contextmanager
def staged(path: Path, folder: Path) -> Iterator[Path]:
    """Yield a temporary path in the data set `folder`, off the folders that readers search;
    rename it to `path` when the block succeeds.

    LeRobot opens whatever ends in .parquet, hidden or not, so that what a killed run left beside
    its files would make them unreadable.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = folder / STAGING / f"{uuid4().hex}{path.suffix}"
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` whole or not at all."""
    with atomic_write(path) as temporary:
        text = json.dumps(content, indent=4, ensure_ascii=False, default=_plain)
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
