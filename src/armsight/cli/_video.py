"""`armsight estimate` on a video: one row for each frame, and an overlay video."""

from __future__ import annotations

import contextlib
import csv
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from armsight.cli._report import for_a_video
from armsight.data.prefetch import prefetch
from armsight.data.video import VideoFrame, VideoReader, VideoWriter
from armsight.errors import BadVideoError, OutputError
from armsight.estimate.clip import ClipReader, clip_reader
from armsight.estimate.estimator import Estimator
from armsight.estimate.track import Tracker
from armsight.outputs.documents import csv_head, csv_row, dumps, frame_row
from armsight.robots import Robot
from armsight.state import Estimate
from armsight.viz.overlay import draw_overlay

Array = NDArray[np.floating]

PARTIAL = ".partial"
"""Added to names while they grow; a killed run leaves readable files under these names."""


@dataclass
class VideoResult:
    """How a video went."""

    frames: int = 0
    found: int = 0
    fps: float | None = None
    """None when the file could not be opened"""
    intrinsics_source: str | None = None
    """of the first frame; the camera stays the same"""
    problem: Exception | None = None
    interrupted: bool = False
    messages: tuple[str, ...] = ()


class VideoOutputs:
    """The files of one video's results, written as they come, named when they are whole."""

    def __init__(self, targets: dict[str, Path], fps: float, robot: Robot) -> None:
        """Open `targets`: `rows` (JSON lines), `csv`, and perhaps `overlay` (MP4)."""
        self._robot = robot
        self._targets = targets
        self._growing = {
            key: path.with_name(f".{path.stem}{PARTIAL}{path.suffix}")
            for key, path in targets.items()
        }
        try:
            self._rows: TextIO = self._growing["rows"].open("w", encoding="utf-8")
            self._csv: TextIO = self._growing["csv"].open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise OutputError(f"cannot write {targets['rows']}: {error.strerror}") from error
        self._table = csv.writer(self._csv, lineterminator="\n")
        self._video: VideoWriter | None = None
        if "overlay" in targets:
            self._video = VideoWriter(self._growing["overlay"], fps)

    def write(self, frame: VideoFrame, estimate: Estimate, row: str) -> None:
        """Add one frame; rows are on disk when this returns."""
        try:
            if frame.index == 0:
                self._table.writerow(csv_head(estimate))
            self._table.writerow(csv_row(frame.index, frame.time, estimate))
            self._rows.write(row + "\n")
            self._rows.flush()
            self._csv.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self._targets['rows']}: {error.strerror}") from error
        if self._video is not None:
            drawn = draw_overlay(frame.pixels, estimate, self._robot)
            self._video.write(drawn, frame.time)

    def close(self, keep: bool) -> None:
        """Close the files; `keep` gives them their names, else they are removed."""
        for file in (self._rows, self._csv, self._video):
            if file is not None:
                file.close()
        for key, path in self._growing.items():
            if keep:
                path.replace(self._targets[key])
            else:
                path.unlink(missing_ok=True)


Answered: TypeAlias = "Iterator[tuple[Estimate, VideoFrame]]"
ReadFrames: TypeAlias = "Callable[[Iterator[VideoFrame]], Answered]"


def follow(tracker: Tracker) -> ReadFrames:
    """Each frame by itself, where the last one found the arm."""

    def read(frames: Iterator[VideoFrame]) -> Answered:
        return ((tracker(frame.pixels), frame) for frame in frames)

    return read


def in_windows(reader: ClipReader, path: Path) -> ReadFrames:
    """Many frames at a time; answers come later than frames, which are read once more for them."""

    def read(frames: Iterator[VideoFrame]) -> Answered:
        with VideoReader(path) as again:
            yield from zip(reader(frames), again, strict=False)

    return read


def find_reader(
    estimator: Estimator,
    path: Path,
    K: Array | None,
    num_hypotheses: int | None,
    *,
    quiet: bool = False,
    **options: Any,
) -> tuple[ClipReader | None, str]:
    """`armsight.estimate.clip.clip_reader` for a video file, up to where it breaks off."""
    with VideoReader(path) as reader, contextlib.closing(prefetch(_good_frames(reader))) as frames:
        shown = _with_progress(frames, f"{path.name}: camera", reader.num_frames, quiet)
        return clip_reader(estimator, shown, K, num_hypotheses, **options)


def _good_frames(reader: VideoReader) -> Iterator[VideoFrame]:
    with contextlib.suppress(BadVideoError):
        yield from reader


def estimate_video(
    path: Path,
    read: ReadFrames,
    robot: Robot,
    targets: dict[str, Path],
    each: Callable[[str], Any],
    *,
    quiet: bool = False,
) -> VideoResult:
    """Track an arm through a video; what was done before an error or an interrupt is kept.

    Args:
        path: the video.
        read: from frames to estimates, in order: `follow` or `in_windows`.
        robot: for the overlay.
        targets: files to write, see `VideoOutputs`; none if empty.
        each: called with each frame's row, as JSON text.
        quiet: no progress bar.
    """
    result = VideoResult()
    with VideoReader(path) as reader, ThreadPoolExecutor(1, "write") as writing:
        result.fps = reader.fps
        outputs = VideoOutputs(targets, reader.fps, robot) if targets else None
        pending: list[Future[None]] = []
        try:
            with _interruptible() as stop, contextlib.closing(prefetch(reader)) as frames:
                shown = _with_progress(frames, path.name, reader.num_frames, quiet)
                for estimate, frame in read(_until(stop, shown)):
                    row = dumps(frame_row(frame.index, frame.time, estimate))
                    if outputs is not None:
                        pending.append(writing.submit(outputs.write, frame, estimate, row))
                        if len(pending) > 4:
                            pending.pop(0).result()
                    each(row)
                    result.frames += 1
                    result.found += estimate.robot_found
                    result.intrinsics_source = (
                        result.intrinsics_source or estimate.intrinsics_source
                    )
                    result.messages = tuple(
                        dict.fromkeys((*result.messages, *for_a_video(estimate.messages)))
                    )
                result.interrupted = stop.is_set()
        except BadVideoError as error:
            result.problem = error
        finally:
            try:
                for future in pending:
                    future.result()
            finally:
                if outputs is not None:
                    outputs.close(keep=result.frames > 0)
    return result


def _until(stop: threading.Event, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames up to a request to stop."""
    for frame in frames:
        if stop.is_set():
            return
        yield frame


def _with_progress(
    frames: Iterator[VideoFrame], name: str, length: int | None, quiet: bool
) -> Iterator[VideoFrame]:
    """The same frames, with a progress bar on standard error when that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield from frames
        return
    with click.progressbar(
        frames, length=length, label=name, file=sys.stderr, show_pos=True, update_min_steps=10
    ) as bar:
        yield from bar


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the frame at hand is finished and kept.

    A second Ctrl-C ends the program at once.
    """
    stop = threading.Event()

    def request(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, request)
    except ValueError:  # not the main thread: leave signals to whoever runs us
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
