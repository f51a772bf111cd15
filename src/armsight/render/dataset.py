"""Rendering many frames with several processes, resumable after any interruption."""

from __future__ import annotations

import dataclasses
import multiprocessing as mp
from collections.abc import Callable
from pathlib import Path
from typing import Any

from armsight.render import shards
from armsight.render.frame import FrameMaker, FrameSettings
from armsight.robots import load_robot

_maker: FrameMaker | None = None


def _start_worker(robot: str, settings: FrameSettings, pictures: Path | None) -> None:
    import signal

    import cv2

    global _maker
    # The parent handles Ctrl-C and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _maker = FrameMaker(load_robot(robot), settings, pictures)


def _make_shard(job: tuple[Path, int, int]) -> int:
    path, start, stop = job
    assert _maker is not None
    shards.write_shard(path, [_maker.make(i) for i in range(start, stop)])
    return stop - start


def render_shards(
    robot: str,
    settings: FrameSettings,
    folder: Path,
    count: int,
    workers: int,
    pictures: Path | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> None:
    """Write `count` frames as shards into `folder`; finished shards are kept.

    Args:
        progress: called with the number of frames of each shard that was just made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described = load_robot(robot)
    index: dict[str, Any] = {
        "format": shards.FORMAT,
        "robot": robot,
        "keypoint_names": list(described.keypoint_names),
        "joint_names": list(described.joint_names),
        "image_size": settings.size,
        "count": count,
        "seed": settings.seed,
        "settings": dataclasses.asdict(settings),
    }
    shards.write_index(folder, index)
    jobs = [
        (shards.shard_path(folder, i), start, min(start + shards.ROWS, count))
        for i, start in enumerate(range(0, count, shards.ROWS))
    ]
    jobs = [job for job in jobs if not job[0].exists()]
    if not jobs:
        return
    with mp.get_context("spawn").Pool(
        min(workers, len(jobs)), _start_worker, (robot, settings, pictures)
    ) as pool:
        for made in pool.imap_unordered(_make_shard, jobs):
            progress(made)
