"""A copy of a LeRobotDataset v3 with further columns; the source is only read.

The copy is made beside its final place and renamed when it is whole. Videos are hard links where
the file system allows it, since nothing changes in them; every other file is a copy, because
LeRobot rewrites those in place.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import layout
from armsight.data.lerobot.stats import Stats, column_stats, combine
from armsight.data.lerobot.tables import read_table, to_table
from armsight.data.parquet import pyarrow
from armsight.errors import DatasetError, OutputError

Array = NDArray[Any]
EpisodeColumns = Callable[[int, int], Mapping[str, Array]]
"""Of an episode's index and length: its rows (length, *shape) of each new column"""


def copy_with_columns(
    source: Path,
    out: Path,
    features: Mapping[str, Mapping[str, Any]],
    values: EpisodeColumns,
    *,
    of_episode: Callable[[int], Mapping[str, Any]] = lambda episode: {},
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write the data set `source` with further columns to the new folder `out`.

    Args:
        features: `dtype`, `shape` and `names` of each new column, as in `info.json`.
        values: the rows of the new columns. NaN stands for 'not known' and is left out of the
            statistics.
        of_episode: what goes into an episode's record in `meta/episodes`, by column name.
        extra: goes into `info.json` under "armsight".

    Raises:
        DatasetError: the source is no such data set, is damaged, or has one of the columns.
        OutputError: `out` exists, or cannot be written; the disk may be full.
    """
    info = check_copy(source, out, features)
    growing = out.with_name(f".{out.name}.partial")
    shutil.rmtree(growing, ignore_errors=True)  # of a run that was killed
    try:
        _Copy(source, growing, info, features, values, of_episode).write(extra or {})
        growing.rename(out)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    return out


def check_copy(source: Path, out: Path, features: Iterable[str]) -> dict[str, Any]:
    """`info.json` of a data set that can be copied to `out` with further columns.

    Raises: as `copy_with_columns`.
    """
    info = layout.read_info(source)
    if taken := [name for name in features if name in info["features"]]:
        raise DatasetError(f"{source} already has the columns {', '.join(taken)}")
    if out.exists():
        raise OutputError(f"{out} exists and will not be overwritten; choose another folder")
    if out.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"{out} lies inside {source}; the copy must be somewhere else")
    return info


class _Copy:
    """One copy in the making."""

    def __init__(
        self,
        source: Path,
        folder: Path,
        info: dict[str, Any],
        features: Mapping[str, Mapping[str, Any]],
        values: EpisodeColumns,
        of_episode: Callable[[int], Mapping[str, Any]],
    ) -> None:
        self.source, self.folder, self.info = source, folder, info
        checked = layout.all_features(features)
        self.features = {name: checked[name] for name in features}
        self.values, self.of_episode = values, of_episode
        self.stats: dict[int, Stats] = {}

    def write(self, extra: Mapping[str, Any]) -> None:
        """Everything, `info.json` last."""
        data, episodes = self.source / "data", self.source / "meta" / "episodes"
        for path in _files(self.source):
            target = self.folder / path.relative_to(self.source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_relative_to(data) and path.suffix == ".parquet":
                self._write_parquet(self._with_columns(read_table(path), path), target)
            elif path.is_relative_to(self.source / "videos"):
                _link(path, target)
            elif not path.is_relative_to(episodes):
                shutil.copyfile(path, target)
        for path in sorted(episodes.rglob("*.parquet")):  # now that the statistics are known
            target = self.folder / path.relative_to(self.source)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write_parquet(self._with_records(read_table(path)), target)
        self._write_stats()
        self.info["features"] |= self.features
        self.info["armsight"] = {**self.info.get("armsight", {}), **extra}
        layout.write_json(self.folder / layout.INFO, self.info)

    def _with_columns(self, table: Any, path: Path) -> Any:
        """A table of frames with the new columns behind the others."""
        if "episode_index" not in table.column_names:
            raise DatasetError(f"{path} has no column 'episode_index'")
        owners = table["episode_index"].to_numpy()
        shapes = {name: feature["shape"] for name, feature in self.features.items()}
        new = {
            name: np.zeros(
                (len(owners), *([] if shape == [1] else shape)), self.features[name]["dtype"]
            )
            for name, shape in shapes.items()
        }
        for episode in np.unique(owners).tolist():
            own = owners == episode
            rows = self.values(episode, int(own.sum()))
            for name, column in new.items():
                column[own] = rows[name]
            self.stats[episode] = {name: _known_stats(rows[name]) for name in new}
        added = to_table(new, self.features)
        for field in added.schema:
            table = table.append_column(field, added[field.name])
        return _without_feature_types(table)

    def _with_records(self, table: Any) -> Any:
        """A table of episodes with the new columns' statistics and what `of_episode` tells."""
        pa = pyarrow()
        indices = [int(value) for value in table["episode_index"].to_pylist()]
        records = []
        for episode in indices:
            record = dict(self.of_episode(episode))
            for name, stats in self.stats.get(episode, {}).items():
                record |= {f"stats/{name}/{key}": value.tolist() for key, value in stats.items()}
            records.append(record)
        added = pa.Table.from_pylist(records)
        for field in added.schema:
            table = table.append_column(field, added[field.name])
        return _without_feature_types(table)

    def _write_stats(self) -> None:
        """`stats.json` of the source and the new columns."""
        path = self.source / layout.STATS
        try:
            stats = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise DatasetError(f"{path} is broken: {error}") from error
        for name in self.features:
            known = [{name: s[name]} for s in self.stats.values() if s[name]["count"][0]]
            if known:
                stats |= combine(known)
        layout.write_json(self.folder / layout.STATS, stats)

    def _write_parquet(self, table: Any, target: Path) -> None:
        pyarrow().parquet.write_table(table, target, compression="snappy", use_dictionary=True)


def _files(folder: Path) -> Iterator[Path]:
    """All files but what unfinished writers left, and what tools keep in hidden folders."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def _link(path: Path, target: Path) -> None:
    """A hard link, or a copy where there can be none (another disk, or links are forbidden)."""
    try:
        # Data sets from a hub's cache are symbolic links; what they point to is linked.
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)


def _known_stats(rows: Array) -> dict[str, Array]:
    """Statistics over the rows (N, ...) without NaN; where there are none, zeros."""
    rows = np.asarray(rows)
    known = ~np.isnan(rows.reshape(len(rows), -1).astype(float)).any(axis=1)
    if known.any():
        return column_stats(rows[known])
    return {name: np.zeros_like(value) for name, value in column_stats(np.zeros_like(rows)).items()}


def _without_feature_types(table: Any) -> Any:
    """The table without the column types that the package `datasets` left in its metadata: they
    list the old columns only, and it finds the types without them."""
    metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"huggingface"}
    return table.replace_schema_metadata(metadata or None)
