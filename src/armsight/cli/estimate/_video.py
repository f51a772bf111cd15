"""`armsight estimate` on a video: one row for each frame, and an overlay video."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import click

from armsight.camera.image import load_image
from armsight.cli._report import for_a_video
from armsight.estimate.clips.film import BREAKS_OFF, OpenFilm, ReadFrames
from armsight.estimate.clips.survey import VideoFrame
from armsight.outputs.sink import Shot, Sink
from armsight.prefetch import prefetch


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


def estimate_video(
    name: str,
    open_film: OpenFilm,
    read: ReadFrames,
    open_sink: Callable[[float], Sink],
    *,
    quiet: bool = False,
) -> VideoResult:
    """Track an arm through a video; what was done before an error or an interrupt is kept.

    Args:
        name: of the film, for the progress bar.
        open_film: opens it.
        read: from frames to estimates, in order; see `choose_reading`.
        open_sink: from frames a second to what takes the estimates, in a thread of its own.
        quiet: no progress bar.
    """
    result = VideoResult()
    with open_film() as film, ThreadPoolExecutor(1, "write") as writing:
        result.fps = film.fps
        sink = open_sink(film.fps)
        pending: list[Future[None]] = []
        try:
            with interruptible() as stop, contextlib.closing(prefetch(film)) as frames:
                shown = with_progress(frames, name, film.num_frames, quiet)
                for estimate, frame in read(_until(stop, shown)):
                    shot = Shot(load_image(frame.pixels), frame.index, frame.time)
                    pending.append(writing.submit(sink.write, shot, estimate))
                    if len(pending) > 4:
                        pending.pop(0).result()
                    result.frames += 1
                    result.found += estimate.robot_found
                    result.intrinsics_source = (
                        result.intrinsics_source or estimate.intrinsics_source
                    )
                    result.messages = tuple(
                        dict.fromkeys((*result.messages, *for_a_video(estimate.messages)))
                    )
                result.interrupted = stop.is_set()
        except BREAKS_OFF as error:
            result.problem = error
        finally:
            try:
                for future in pending:
                    future.result()
            finally:
                sink.close(keep=result.frames > 0)
    return result


def _until(stop: threading.Event, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames up to a request to stop."""
    for frame in frames:
        if stop.is_set():
            return
        yield frame


def with_progress(
    frames: Iterable[VideoFrame], name: str, length: int | None, quiet: bool
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
def interruptible() -> Iterator[threading.Event]:
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
