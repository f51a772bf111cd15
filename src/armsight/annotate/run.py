"""Estimate every frame of a data set, and write a copy that holds the estimates."""

from __future__ import annotations

import base64
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight import __version__
from armsight.annotate.columns import Columns, columns, full_name, unknown
from armsight.annotate.episode import TABLE, EpisodeEstimator, empty_row
from armsight.annotate.plan import EstimatePlan
from armsight.data.lerobot.copy import check_copy, copy_with_columns
from armsight.data.lerobot.layout import Features
from armsight.data.lerobot.tables import read_table, to_columns
from armsight.episodes.run import Engine, Row, Runner, Worker
from armsight.episodes.units import Unit
from armsight.files import atomic_write
from armsight.reports.journal import Journal

FORMAT = "armsight-dataset-estimates/1"
ROWS = "episodes.jsonl"


def work_folder(out: Path) -> Path:
    """Where finished episodes are kept until the copy is whole."""
    return out.with_name(f".{out.name}.estimates")


def estimate_dataset(
    plan: EstimatePlan,
    out: Path,
    *,
    workers: int = 1,
    engine: Engine = "local",
    make_worker: Callable[[EstimatePlan], Worker] = EpisodeEstimator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Row]:
    """Read what is not read yet, then write the copy; a row for each episode and camera.

    A run that was interrupted or killed goes on where it stopped. Frames that could not be read
    are NaN in the copy.

    Args:
        out: the new data set's folder.
        workers: processes, or Ray actors.
        make_worker: called once in each process; must be picklable.
        progress: called with the number of finished and of all episodes.

    Raises:
        ConfigError: an interrupted run had other settings.
        DatasetError: the data set's metadata cannot be read, or it has such columns already.
        MissingExtraError: a package is missing.
        OutputError: `out` exists or cannot be written, or another run is writing it.
    """
    features, short = _features(plan)
    check_copy(plan.dataset, out, features)
    folder = work_folder(out)
    runner = Runner(
        plan.dataset, partial(make_worker, plan), empty_row, workers=workers, engine=engine
    )
    journal = Journal(folder / ROWS, FORMAT, plan.settings(), "key")
    try:
        rows = runner.run(plan.units(), journal, partial(_keep_table, folder), progress)

        def values(episode: int, length: int) -> Mapping[str, NDArray[np.floating]]:
            tables = {
                key: _read_table(folder, Unit(episode, key), plan.joint_names, length)
                for key in plan.camera_keys
            }
            return {full: tables[key][name] for full, (key, name) in short.items()}

        copy_with_columns(
            plan.dataset, out, features, values, of_episode=_records(rows), extra=_record(plan)
        )
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        journal.close()
    return rows


def _features(plan: EstimatePlan) -> tuple[Features, dict[str, tuple[str, str]]]:
    """The new columns, and of which video each is under which short name."""
    alone = len(plan.camera_keys) == 1
    features: Features = {}
    short = {}
    for key in plan.camera_keys:
        for name, feature in columns(plan.joint_names).items():
            full = full_name(name, key, alone)
            features[full] = feature
            short[full] = (key, name)
    return features, short


def _read_table(folder: Path, unit: Unit, joint_names: tuple[str, ...], length: int) -> Columns:
    """What was kept of an episode; nothing is known of one that was not read."""
    path = _table_path(folder, unit)
    if not path.is_file():
        return unknown(joint_names, length)
    return to_columns(read_table(path), columns(joint_names), path)


def _table_path(folder: Path, unit: Unit) -> Path:
    camera = "".join(c if c.isalnum() or c in "-_." else "_" for c in unit.camera_key)
    return folder / camera / f"episode-{unit.episode:06d}.parquet"


def _keep_table(folder: Path, row: Row) -> None:
    """Write the row's table to its file, and take it out of the row."""
    content = row.pop(TABLE)
    path = _table_path(folder, Unit(row["episode"], row["camera_key"]))
    if content is None:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as temporary:
        temporary.write_bytes(base64.b64decode(content))


def _records(rows: list[Row]) -> Callable[[int], Mapping[str, Any]]:
    """What `meta/episodes` says of an episode: in how many frames each camera shows the arm."""
    cameras = list(dict.fromkeys(row["camera_key"] for row in rows))
    found: dict[int, dict[str, Any]] = defaultdict(
        lambda: {f"estimate.{key}.num_robot_found": None for key in cameras}
    )
    for row in rows:
        name = f"estimate.{row['camera_key']}.num_robot_found"
        found[row["episode"]][name] = row["num_robot_found"]
    return lambda episode: found[episode]


def _record(plan: EstimatePlan) -> dict[str, Any]:
    """What `info.json` says of the estimates."""
    return {
        "estimate": {
            "written_by": f"armsight {__version__} estimate",
            **plan.settings(),
            "columns": "rad, px and metres; T_cam_base row by row, OpenCV camera; NaN: not known",
        }
    }
