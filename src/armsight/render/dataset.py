"""Rendering many frames with several processes, resumable after any interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from armsight.errors import ConfigError
from armsight.files import atomic_write
from armsight.render import ndds, shards
from armsight.render.frame import FrameMaker, FrameSettings
from armsight.render.imaging.camera import intrinsics
from armsight.render.scene.backgrounds import Pictures
from armsight.render.workers import RenderJob, run_jobs
from armsight.robots import Robot, load_robot

NDDS_JOB = 32
"""Frames of an NDDS folder that a worker takes at a time."""


@dataclass(frozen=True)
class SetJob:
    """What a worker needs to know to make frames of a set."""

    robot: str
    settings: FrameSettings
    folder: Path
    backgrounds: Path | None
    format: str
    rows: int
    """of a shard"""

    def start(self) -> SetWork:
        """Called once in a worker."""
        return SetWork(self)


class SetWork:
    """Makes and writes frames of a set."""

    def __init__(self, what: SetJob) -> None:
        self._what, self._robot = what, load_robot(what.robot)
        self._maker = FrameMaker(self._robot, what.settings, what.backgrounds)

    def __call__(self, job: RenderJob, made: Callable[[int], None]) -> None:
        """Make a shard, or some frames of an NDDS folder."""
        what, frames = self._what, []
        for index in job.indices:
            frame = self._maker.make(index)
            if what.format == "shards":
                frames.append(frame)
            else:
                ndds.write_frame(what.folder, index, frame, self._robot)
            made(1)
        if frames:
            path = shards.shard_path(what.folder, job.indices[0] // what.rows)
            shards.write_shard(path, frames, len(self._robot.keypoint_names))

    def close(self) -> None:
        """Free the graphics library's memory."""
        self._maker.close()


def render_set(
    robot: str,
    settings: FrameSettings,
    folder: Path,
    count: int,
    *,
    format: str = "shards",
    workers: int = 1,
    backgrounds: Path | None = None,
    progress: Callable[[int], None] = lambda n: None,
    rows: int = shards.ROWS,
) -> int:
    """Write `count` frames into `folder`; what is finished there already is kept.

    The same robot, settings and backgrounds give the same pictures, whatever the number of
    workers and however often the work was interrupted.

    Args:
        format: `shards` (square crops for training) or `ndds` (whole frames, DREAM's layout).
        progress: called with the number of frames that were just made.
        rows: of a shard.

    Returns:
        How many frames were left to make.

    Raises:
        ConfigError: the folder holds another set, or the format is unknown.
        DatasetError: `backgrounds` holds no pictures.
        OutputError: the folder cannot be written to.
    """
    if format not in ("shards", "ndds"):
        raise ConfigError(f"unknown format {format!r}; known: shards, ndds")
    settings = replace(settings, crop=format == "shards")
    described = load_robot(robot)
    pictures = Pictures(backgrounds)
    _write_index(folder, _index(described, settings, count, format, len(pictures)), rows)
    _remove_leftovers(folder)
    if format == "ndds":
        K = intrinsics(1.0, *settings.frame_size)
        ndds.write_settings(folder, described, settings.frame_size, K.tolist())
    jobs = _jobs(folder, count, format, rows)
    todo = sum(len(job.indices) for job in jobs)
    run_jobs(SetJob(robot, settings, folder, backgrounds, format, rows), jobs, workers, progress)
    return todo


def _jobs(folder: Path, count: int, format: str, rows: int) -> list[RenderJob]:
    """The frames that are not there yet, cut into jobs."""
    if format == "shards":
        starts = range(0, count, rows)
        return [
            RenderJob(tuple(range(start, min(start + rows, count))))
            for i, start in enumerate(starts)
            if not shards.shard_path(folder, i).exists()
        ]
    missing = [i for i in range(count) if not ndds.label_path(folder, i).exists()]
    return [RenderJob(tuple(missing[i : i + NDDS_JOB])) for i in range(0, len(missing), NDDS_JOB)]


def _index(
    robot: Robot, settings: FrameSettings, count: int, format: str, pictures: int
) -> dict[str, Any]:
    return {
        "format": shards.FORMAT if format == "shards" else ndds.FORMAT,
        "robot": robot.name,
        "joint_names": list(robot.joint_names),
        "keypoint_names": list(robot.keypoint_names),
        "units": "m",
        "count": count,
        "seed": settings.seed,
        "split": settings.split,
        "image_size": settings.size if format == "shards" else list(settings.frame_size),
        "background_pictures": pictures,
        "settings": asdict(settings),
    }


def _write_index(folder: Path, index: dict[str, Any], rows: int) -> None:
    """Write dataset.json, or see that the one that is there is of the same set."""
    path = folder / "dataset.json"
    index = json.loads(json.dumps(index))
    if path.exists():
        try:
            old = json.loads(path.read_text())
        except ValueError:
            old = {}
        differing = [key for key in index if old.get(key) != index[key] and key != "count"]
        if differing:
            raise ConfigError(
                f"{folder} already holds another set: {', '.join(differing)} differ in its "
                "dataset.json. Choose another --out, or delete the folder."
            )
        last, cut = divmod(old["count"], rows)
        if cut and old["count"] != index["count"]:
            # The last shard was cut short where the set ended then.
            shards.shard_path(folder, last).unlink(missing_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(index, indent=1) + "\n")


def _remove_leftovers(folder: Path) -> None:
    """Temporary files of a run that was killed."""
    for pattern in (".shard-*.safetensors", ".[0-9]*.json", ".[0-9]*.jpg"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
