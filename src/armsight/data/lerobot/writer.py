"""Writing a LeRobotDataset v3.

The writer gives every episode files of its own and names the episode last, so that a run that is
killed leaves a data set of whole episodes, which LeRobot opens and which the next run continues.
`merge` (pack.py) packs one or many such folders into few large files.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import layout
from armsight.data.lerobot.pack import RESERVED, own_names, stats_of
from armsight.data.lerobot.reader import read_episodes
from armsight.data.lerobot.stats import Stats, column_stats, combine, image_stats
from armsight.data.lerobot.tables import (
    read_tasks,
    to_episodes,
    to_table,
    write_table,
    write_tasks,
)
from armsight.data.lerobot.video import describe, encode
from armsight.data.parquet import pyarrow
from armsight.errors import DatasetError

Array = NDArray[Any]
Scalar = int | float | str | bool


class LeRobotWriter:
    """Writes episodes to a folder; use it as a context manager, or call `close`."""

    def __init__(
        self,
        folder: str | Path,
        *,
        fps: float,
        robot_type: str,
        features: Mapping[str, Mapping[str, Any]],
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a data set, or continue the one in `folder`.

        Args:
            features: `dtype`, `shape` and `names` of each column but the automatic ones.
            extra: goes into `info.json` under "armsight"; `self.extra` may be changed later.

        Raises:
            DatasetError: a feature is wrong, or `folder` holds a data set with other features.
            MissingExtraError: pyarrow is not installed.
        """
        pyarrow()
        self.folder = Path(folder)
        self.features = layout.all_features(features)
        self.info = layout.make_info(self.features, fps, robot_type)
        self.fps = float(fps)
        self.extra: dict[str, Any] = dict(extra or {})
        self.episodes: list[dict[str, Any]] = []
        self.tasks: list[str] = []
        self._stats: Stats = {}
        if (self.folder / layout.INFO).is_file():
            self._continue()
        self._write_info()

    def __len__(self) -> int:
        return len(self.episodes)

    def add_episode(
        self,
        rows: Mapping[str, Array],
        frames: Mapping[str, Sequence[NDArray[np.uint8]] | NDArray[np.uint8]],
        task: str,
        episode: Mapping[str, Scalar] | None = None,
    ) -> int:
        """Store one episode of N steps; when this returns, it is on disk.

        Args:
            rows: (N, *shape) of each column of `features`; scalars (N,) or (N, 1).
            frames: for each video N pictures (height, width, 3) RGB.
            task: the instruction.
            episode: numbers and texts that go into the episode's record.

        Returns:
            The episode's index.

        Raises:
            DatasetError: a column or video is missing, unknown, or has a wrong shape or type, or
                holds NaN.
            OutputError: it cannot be written.
        """
        table, length = self._checked(rows, frames)
        own = dict(episode or {})
        self._check_own(own)
        number = len(self.episodes)
        start = self.episodes[-1]["dataset_to_index"] if self.episodes else 0
        tasks = self.tasks if task in self.tasks else [*self.tasks, task]
        index = np.arange(length)
        table["timestamp"] = (index / self.fps).astype(np.float32)
        table["frame_index"] = index
        table["episode_index"] = np.full(length, number)
        table["index"] = start + index
        table["task_index"] = np.full(length, tasks.index(task))

        chunk, file = divmod(number, layout.CHUNK_FILES)
        place = {"chunk_index": chunk, "file_index": file}
        stats = {name: column_stats(values) for name, values in table.items()}
        record: dict[str, Any] = {
            "episode_index": number,
            "tasks": [task],
            "length": length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": start,
            "dataset_to_index": start + length,
        }
        for key in layout.video_keys(self.features):
            path = self.folder / layout.VIDEO.format(video_key=key, **place)
            with layout.staged(path, self.folder) as temporary:
                height, width, _ = self.features[key]["shape"]
                encode(temporary, frames[key], self.fps, (height, width))
            self.features[key].setdefault("info", describe(path))
            stats[key] = image_stats(frames[key])
            record |= {f"videos/{key}/{name}": value for name, value in place.items()}
            record[f"videos/{key}/from_timestamp"] = 0.0
            record[f"videos/{key}/to_timestamp"] = length / self.fps
        path = self.folder / layout.DATA.format(**place)
        write_table(to_table(table, self.features), path, self.folder)
        if tasks != self.tasks:
            write_tasks(tasks, self.folder)
            self.tasks = tasks
        record |= {"task_index": tasks.index(task), **own}
        self._add_record(record, stats, place)
        return number

    def close(self) -> None:
        """Write `info.json` and `stats.json` once more, with what `extra` holds now."""
        self._write_info()
        with contextlib.suppress(OSError):
            (self.folder / layout.STAGING).rmdir()

    def _check_own(self, episode: Mapping[str, Scalar]) -> None:
        """Raise DatasetError where an episode's own entries have reserved or other names."""
        if taken := [name for name in episode if name in RESERVED or "/" in name]:
            raise DatasetError(f"an episode's record may not hold {', '.join(taken)}; rename it")
        before = {*own_names(self.episodes[0])} - {"task_index"} if self.episodes else set(episode)
        if odd := set(episode) ^ before:
            raise DatasetError(
                f"episode {len(self)} and those before it differ in {', '.join(sorted(odd))}; "
                "give every episode the same"
            )

    def _add_record(self, record: dict[str, Any], stats: Stats, place: dict[str, int]) -> None:
        for name, feature_stats in stats.items():
            record |= {f"stats/{name}/{key}": value for key, value in feature_stats.items()}
        record |= {f"meta/episodes/{name}": value for name, value in place.items()}
        # From here on the episode is part of the data set.
        path = self.folder / layout.EPISODES.format(**place)
        write_table(to_episodes([record]), path, self.folder)
        self.episodes.append({k: v for k, v in record.items() if not k.startswith("stats/")})
        self._stats = combine([self._stats, stats]) if self._stats else stats
        self._write_info()

    def _checked(
        self, rows: Mapping[str, Array], frames: Mapping[str, Sequence[Array] | Array]
    ) -> tuple[dict[str, Array], int]:
        """The columns in their features' types, and the number of rows."""
        videos = layout.video_keys(self.features)
        named = [n for n in layout.columns(self.features) if n not in layout.AUTOMATIC]
        if odd := (set(rows) ^ set(named)) | (set(frames) ^ set(videos)):
            raise DatasetError(
                f"missing or unknown: {', '.join(sorted(odd))}; the features are "
                f"{', '.join([*named, *videos])}"
            )
        lengths = {name: len(values) for name, values in {**rows, **frames}.items()}
        length = max(lengths.values())
        if set(lengths.values()) != {length} or length == 0:
            raise DatasetError(f"columns differ in length, or are empty: {lengths}")
        table: dict[str, Array] = {}
        for name in named:
            feature, values = self.features[name], np.asarray(rows[name])
            shape = [] if feature["shape"] == [1] else feature["shape"]
            if list(values.shape[1:]) != shape and list(values.shape[1:]) != feature["shape"]:
                raise DatasetError(
                    f"column {name!r} has rows of shape {values.shape[1:]}, not {tuple(shape)}"
                )
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise DatasetError(f"column {name!r} holds NaN or infinity")
            table[name] = values.reshape(length, *shape).astype(feature["dtype"])
        return table, length

    def _continue(self) -> None:
        """Take up what an earlier run left: its whole episodes."""
        info = layout.read_info(self.folder)
        there = {name: dict(feature) for name, feature in info["features"].items()}
        described = {name: feature.pop("info", None) for name, feature in there.items()}
        if there != self.features or float(info["fps"]) != self.fps:
            raise DatasetError(
                f"{self.folder} holds a data set with other features or another rate; choose "
                "another folder, or delete it"
            )
        for name, known in described.items():
            if known is not None:
                self.features[name]["info"] = known
        shutil.rmtree(self.folder / layout.STAGING, ignore_errors=True)
        records = read_episodes(self.folder, stats=True)
        if any(record["data/file_index"] != i % layout.CHUNK_FILES
               for i, record in enumerate(records)):  # fmt: skip
            raise DatasetError(
                f"{self.folder} was packed by merge() and cannot be continued; write to a new "
                "folder and merge the two"
            )
        self.extra = {**info.get("armsight", {}), **self.extra}
        self.tasks = read_tasks(self.folder / layout.TASKS) if records else []
        self.episodes = [
            {k: v for k, v in record.items() if not k.startswith("stats/")} for record in records
        ]
        if records:
            self._stats = combine([stats_of(record, self.features) for record in records])

    def _write_info(self) -> None:
        count = len(self.episodes)
        self.info["total_episodes"] = count
        self.info["total_frames"] = self.episodes[-1]["dataset_to_index"] if count else 0
        self.info["total_tasks"] = len(self.tasks)
        self.info["splits"] = {"train": f"0:{count}"} if count else {}
        self.info["armsight"] = self.extra
        if count:
            layout.write_json(self.folder / layout.STATS, self._stats)
        layout.write_json(self.folder / layout.INFO, self.info)

    def __enter__(self) -> LeRobotWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
