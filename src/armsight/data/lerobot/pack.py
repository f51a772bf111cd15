"""Packing LeRobotDatasets: many folders of many small files into one of few large files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from armsight.data.lerobot import layout
from armsight.data.lerobot.join import MB, Place, VideoPacker
from armsight.data.lerobot.reader import LeRobotReader, read_episodes
from armsight.data.lerobot.stats import Stats, combine
from armsight.data.lerobot.tables import (
    data_schema,
    to_episodes,
    to_table,
    write_table,
    write_tasks,
)
from armsight.data.parquet import pyarrow
from armsight.errors import DatasetError, OutputError

RESERVED = (
    "episode_index",
    "tasks",
    "task_index",
    "length",
    "dataset_from_index",
    "dataset_to_index",
)
"""Names in an episode's record that the writer fills"""


def merge(
    folders: Sequence[str | Path],
    out: str | Path,
    combine_extra: Callable[[list[dict[str, Any]]], Mapping[str, Any]] | None = None,
) -> Path:
    """Write the episodes of all `folders`, in that order, as one packed data set.

    Pictures are copied as they are, without encoding them again.

    Args:
        out: appears when it is whole; must not exist yet.
        combine_extra: makes one "armsight" record for `info.json` out of those of the folders; by
            default what is the same in all of them is kept, the rest is listed.

    Raises:
        DatasetError: the folders differ in features or rate, or hold no episode.
        OutputError: `out` exists or cannot be written.
    """
    out = Path(out)
    if out.exists():
        raise OutputError(f"{out} exists and will not be overwritten; choose another folder")
    readers = [LeRobotReader(folder) for folder in folders]
    readers = [reader for reader in readers if len(reader)]
    if not readers:
        raise DatasetError(f"no episode in {', '.join(map(str, folders)) or 'nothing'}")
    for reader in readers[1:]:
        if reader.features != readers[0].features or reader.fps != readers[0].fps:
            raise DatasetError(
                f"{reader.folder} and {readers[0].folder} differ in features or rate; "
                "write them with the same settings"
            )
    growing = out.with_name(f".{out.name}.partial")
    shutil.rmtree(growing, ignore_errors=True)
    try:
        Packer(growing, readers[0]).pack(readers, combine_extra or _common)
        growing.rename(out)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    return out


def own_names(record: Mapping[str, Any]) -> list[str]:
    """Names in an episode's record that are not LeRobot's; with the task's number."""
    return [
        name
        for name in record
        if "/" not in name and (name not in RESERVED or name == "task_index")
    ]


def stats_of(record: Mapping[str, Any], features: layout.Features) -> Stats:
    """An episode's statistics out of its record."""
    stats: Stats = {}
    for name, value in record.items():
        if name.startswith("stats/"):
            feature, _, key = name.removeprefix("stats/").rpartition("/")
            if feature in features:
                stats.setdefault(feature, {})[key] = np.array(value)
    return stats


def _common(extras: list[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for extra in extras for name in extra)
    listed = {name: [extra.get(name) for extra in extras] for name in names}
    return {
        name: values[0] if all(value == values[0] for value in values) else values
        for name, values in listed.items()
    }


class Packer:
    """Writes the packed files of one data set."""

    def __init__(self, folder: Path, like: LeRobotReader) -> None:
        self.folder = folder
        self.features = like.features
        self.fps = like.fps
        self.info = layout.make_info(self.features, like.fps, str(like.info.get("robot_type")))
        self.tasks: list[str] = []
        self.records: list[dict[str, Any]] = []
        self.stats: list[Stats] = []
        self.videos = {key: VideoPacker(folder, key) for key in layout.video_keys(self.features)}

    def pack(
        self,
        readers: Sequence[LeRobotReader],
        combine_extra: Callable[[list[dict[str, Any]]], Mapping[str, Any]],
    ) -> None:
        """Copy all episodes, then write the metadata."""
        pa = pyarrow()
        place, writer, size = Place(), None, 0
        try:
            for reader in readers:
                self.tasks += [task for task in reader.tasks if task not in self.tasks]
                for record in read_episodes(reader.folder, stats=True):
                    table = self._table(reader, record)
                    if writer is not None and size + table.nbytes > layout.DATA_FILE_MB * MB:
                        writer.close()
                        writer, size = None, 0
                        place = place.next()
                    if writer is None:
                        path = place.path(self.folder, layout.DATA)
                        writer = pa.parquet.ParquetWriter(path, data_schema(self.features))
                    writer.write_table(table)  # a row group for each episode
                    size += table.nbytes
                    self._add(reader, record, place)
        finally:
            if writer is not None:
                writer.close()
            for video in self.videos.values():
                video.close()
        self._finish(combine_extra([dict(reader.info.get("armsight", {})) for reader in readers]))

    def _table(self, reader: LeRobotReader, record: Mapping[str, Any]) -> Any:
        rows = reader.rows(int(record["episode_index"]))
        length = len(rows["index"])
        rows["episode_index"] = np.full(length, len(self.records))
        rows["index"] = np.arange(length) + self._frames()
        numbers = np.array([self.tasks.index(task) for task in reader.tasks])
        rows["task_index"] = numbers[rows["task_index"]]
        return to_table(rows, self.features)

    def _frames(self) -> int:
        return int(self.records[-1]["dataset_to_index"]) if self.records else 0

    def _add(self, reader: LeRobotReader, record: dict[str, Any], place: Place) -> None:
        start, length = self._frames(), int(record["length"])
        new: dict[str, Any] = {
            "episode_index": len(self.records),
            "tasks": record["tasks"],
            "length": length,
            "data/chunk_index": place.chunk,
            "data/file_index": place.file,
            "dataset_from_index": start,
            "dataset_to_index": start + length,
        }
        for video in self.videos.values():
            new |= video.add(reader, record)
        new |= {name: record[name] for name in own_names(record)}
        if "task_index" in new:
            new["task_index"] = self.tasks.index(record["tasks"][0])
        stats = stats_of(record, self.features)
        for name in ("episode_index", "index", "task_index"):
            shift = {
                "episode_index": len(self.records) - int(record["episode_index"]),
                "index": start - int(record["dataset_from_index"]),
                "task_index": self.tasks.index(record["tasks"][0])
                - reader.tasks.index(record["tasks"][0]),
            }[name]
            for key, value in stats.get(name, {}).items():
                if key not in ("std", "count"):
                    stats[name][key] = value + shift
        self.stats.append(stats)
        for name, feature_stats in stats.items():
            new |= {f"stats/{name}/{key}": value for key, value in feature_stats.items()}
        self.records.append({**new, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})

    def _finish(self, extra: Mapping[str, Any]) -> None:
        write_tasks(self.tasks, self.folder)
        path = self.folder / layout.EPISODES.format(chunk_index=0, file_index=0)
        write_table(to_episodes(self.records), path, self.folder)
        (self.folder / layout.STAGING).rmdir()
        layout.write_json(self.folder / layout.STATS, combine(self.stats))
        self.info |= {
            "total_episodes": len(self.records),
            "total_frames": self._frames(),
            "total_tasks": len(self.tasks),
            "splits": {"train": f"0:{len(self.records)}"},
            "armsight": dict(extra),
        }
        layout.write_json(self.folder / layout.INFO, self.info)
