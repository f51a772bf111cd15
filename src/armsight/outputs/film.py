"""The estimates of a film, handed on frame by frame; an interrupt keeps what was done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from armsight.camera.image import load_image
from armsight.errors import OutputError
from armsight.estimate.clips.film import BREAKS_OFF, OpenFilm, ReadFrames, Watch
from armsight.estimate.clips.survey import VideoFrame
from armsight.outputs.sink import Shot, Sink
from armsight.prefetch import prefetch
from armsight.state import Estimate

OF_ONE_FRAME = ("cannot be told from this picture", "field of view seen from the arm")


@dataclass
class FilmResult:
    """How a film went."""

    frames: int = 0
    found: int = 0
    fps: float | None = None
    """None when the file could not be opened"""
    intrinsics_source: str | None = None
    """of the first frame; the camera stays the same"""
    problem: Exception | None = None
    interrupted: bool = False
    messages: tuple[str, ...] = ()


def estimate_film(
    open_film: OpenFilm,
    read: ReadFrames,
    open_sink: Callable[[float], Sink],
    watch: Watch = lambda frames, film: frames,
) -> FilmResult:
    """Track an arm through a film; what was done before an error, a full disk or an interrupt is
    kept.

    Args:
        open_film: opens it.
        read: from frames to estimates, in order; see `choose_reading`.
        open_sink: from frames a second to what takes the estimates, in a thread of its own.
        watch: hands on the film's frames, and may show how far they are.
    """
    result = FilmResult()
    with open_film() as film, ThreadPoolExecutor(1, "write") as writing:
        result.fps = film.fps
        sink = open_sink(film.fps)
        pending: list[Future[None]] = []
        try:
            with interruptible() as stop, contextlib.closing(prefetch(film)) as frames:
                for estimate, frame in read(until(stop, watch(frames, film))):
                    shot = Shot(load_image(frame.pixels), frame.index, frame.time)
                    pending.append(writing.submit(_write, sink, shot, estimate, result))
                    if len(pending) > 4:
                        pending.pop(0).result()
                result.interrupted = stop.is_set()
        except (*BREAKS_OFF, OutputError) as error:
            result.problem = error
        finally:
            _finish(pending, sink, result)
    return result


def _write(sink: Sink, shot: Shot, estimate: Estimate, result: FilmResult) -> None:
    """Hand a frame on; what is written counts."""
    sink.write(shot, estimate)
    result.frames += 1
    result.found += estimate.robot_found
    result.intrinsics_source = result.intrinsics_source or estimate.intrinsics_source
    messages = (*result.messages, *_of_the_film(estimate.messages))
    result.messages = tuple(dict.fromkeys(messages))


def _finish(pending: Iterable[Future[None]], sink: Sink, result: FilmResult) -> None:
    """Wait for what is being written, and close; a full disk is the result's problem."""
    steps: list[Callable[[], None]] = [future.result for future in pending]
    steps.append(partial(_close, sink, result))
    for step in steps:
        try:
            step()
        except OutputError as error:
            result.problem = result.problem or error


def _close(sink: Sink, result: FilmResult) -> None:
    sink.close(keep=result.frames > 0)


def _of_the_film(messages: Iterable[str]) -> list[str]:
    """An estimate's messages without what is true of its frame alone."""
    kept = [message for message in messages if not any(one in message for one in OF_ONE_FRAME)]
    return [message.partition(" (presence")[0] for message in kept]


def until(stop: threading.Event, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames up to a request to stop."""
    for frame in frames:
        if stop.is_set():
            return
        yield frame


_stop: threading.Event | None = None
"""Of the block of `interruptible` that is running"""


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the frame at hand is finished and kept.

    A second Ctrl-C ends the program at once. A block inside of another has that one's event.
    """
    global _stop
    if _stop is not None:
        yield _stop
        return
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
    _stop = stop
    try:
        yield stop
    finally:
        _stop = None
        for number, handler in before.items():
            signal.signal(number, handler)
