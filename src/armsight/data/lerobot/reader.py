"""Reading a LeRobotDataset v3, ours or anybody's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import layout
from armsight.data.lerobot.tables import Columns, numbers, read_table, read_tasks, to_columns
from armsight.data.lerobot.video import decode
from armsight.errors import DatasetError

Pixels = NDArray[np.uint8]

FILES_KEPT = 8
"""Data files held in memory"""
NEEDED = ("episode_index", "length", "data/chunk_index", "data/file_index")


class LeRobotReader:
    """A data set folder: `len()` episodes, their rows and their frames.

    It holds no open files, so that it can be handed to other processes.
    """

    def __init__(self, folder: str | Path) -> None:
        """Read the metadata.

        Raises:
            DatasetError: the folder is no LeRobotDataset v3, or a file is missing or broken.
            MissingExtraError: pyarrow is not installed.
        """
        self.folder = Path(folder)
        self.info = layout.read_info(self.folder)
        self.fps = float(self.info["fps"])
        self.features: layout.Features = {
            name: {**feature, "shape": list(feature["shape"])}
            for name, feature in self.info["features"].items()
        }
        self.episodes: list[dict[str, Any]] = read_episodes(self.folder)
        """One record per episode, without its statistics: `length`, `tasks`, and what the writer
        added, such as `split`."""
        self.tasks: list[str] = []
        if self.episodes:
            self.tasks = read_tasks(self.folder / layout.TASKS)
        self._files: OrderedDict[Path, Columns] = OrderedDict()

    def __len__(self) -> int:
        return len(self.episodes)

    def rows(self, episode: int) -> Columns:
        """Every column of an episode, (length, *shape); scalars are (length,).

        Raises:
            DatasetError: there is no such episode, or its file is missing or broken.
        """
        record = self.record(episode)
        path = self.data_path(record)
        if path not in self._files:
            wanted = set(numbers(self.features))
            table = read_table(path, lambda name: name in wanted)
            self._files[path] = to_columns(table, self.features, path)
            if len(self._files) > FILES_KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(path)
        file = self._files[path]
        own = file["episode_index"] == record["episode_index"]
        if own.sum() != record["length"]:
            raise DatasetError(
                f"{path} holds {own.sum()} rows of episode {episode}, which has "
                f"{record['length']}; fetch or write the data set again"
            )
        return {name: values[own] for name, values in file.items()}

    def frames(self, episode: int, key: str, rows: Sequence[int] | None = None) -> Pixels:
        """Pictures of an episode, decoded in one pass.

        Args:
            key: name of the video, such as "observation.images.agentview".
            rows: which frames, rising; all of them by default.

        Returns:
            (N, H, W, 3) RGB.

        Raises:
            DatasetError: there is no such episode or video, or its file is missing or broken.
        """
        record = self.record(episode)
        if key not in (keys := layout.video_keys(self.features)):
            raise DatasetError(
                f"{self.folder} has no video {key!r}; valid: {', '.join(keys) or 'none'}"
            )
        path = self.video_path(record, key)
        chosen = range(record["length"]) if rows is None else [int(row) for row in rows]
        if any(not 0 <= row < record["length"] for row in chosen):
            raise DatasetError(
                f"rows of episode {episode} go from 0 to {record['length'] - 1}; got {rows}"
            )
        return decode(path, float(record[f"videos/{key}/from_timestamp"]), chosen, self.fps)

    def data_path(self, record: Mapping[str, Any]) -> Path:
        """The file that holds an episode's rows."""
        path: Path = self.folder / self.info["data_path"].format(
            chunk_index=record["data/chunk_index"], file_index=record["data/file_index"]
        )
        return path

    def video_path(self, record: Mapping[str, Any], key: str, check: bool = True) -> Path:
        """The file that holds an episode's video.

        Raises:
            DatasetError: it is missing, unless `check` is false.
        """
        path: Path = self.folder / self.info["video_path"].format(
            video_key=key,
            chunk_index=record[f"videos/{key}/chunk_index"],
            file_index=record[f"videos/{key}/file_index"],
        )
        if check and not path.is_file():
            raise DatasetError(f"{path} is missing; fetch or write the data set again")
        return path

    def record(self, episode: int) -> dict[str, Any]:
        """What `meta/episodes` says of an episode.

        Raises:
            DatasetError: there is no such episode.
        """
        if not 0 <= episode < len(self.episodes):
            raise DatasetError(
                f"{self.folder} has episodes 0 to {len(self.episodes) - 1}; there is no {episode}"
            )
        return self.episodes[episode]


def read_episodes(folder: Path, stats: bool = False) -> list[dict[str, Any]]:
    """Records of the episodes that were written to their end, by number.

    Raises:
        DatasetError: a file is broken or lacks a column.
    """
    records: list[dict[str, Any]] = []
    for path in sorted((folder / "meta" / "episodes").glob("chunk-*/file-*.parquet")):
        table = read_table(path, lambda name: stats or not name.startswith("stats/"))
        if missing := [name for name in NEEDED if name not in table.column_names]:
            raise DatasetError(f"{path} has no column {', '.join(missing)}")
        records += table.to_pylist()
    return sorted(records, key=lambda record: int(record["episode_index"]))
