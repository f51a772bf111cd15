"""How a film is read: with one camera for all frames where that stands still, else one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

from numpy.typing import ArrayLike

from armsight.errors import BadVideoError, DatasetError
from armsight.estimate.clips.reader import ClipReader, clip_reader
from armsight.estimate.clips.survey import VideoFrame
from armsight.estimate.estimator import Estimator
from armsight.estimate.track import Tracker
from armsight.prefetch import prefetch
from armsight.state import Estimate

BREAKS_OFF = (BadVideoError, DatasetError)
"""What a film raises after its last good frame"""


class Film(Protocol):
    """Frames in order: a video file, an episode of a data set, a topic of a bag."""

    @property
    def fps(self) -> float: ...
    @property
    def num_frames(self) -> int | None:
        """None where nothing says how many there are"""

    def __iter__(self) -> Iterator[VideoFrame]: ...
    def __enter__(self) -> Film: ...
    def __exit__(self, *_: Any) -> None: ...


OpenFilm: TypeAlias = "Callable[[], Film]"
Answered: TypeAlias = "Iterator[tuple[Estimate, VideoFrame]]"
ReadFrames: TypeAlias = "Callable[[Iterable[VideoFrame]], Answered]"
Watch: TypeAlias = "Callable[[Iterable[VideoFrame], Film], Iterable[VideoFrame]]"
"""Hands on the frames of a film, and may show how many there were"""


def choose_reading(
    estimator: Estimator,
    open_film: OpenFilm,
    K: ArrayLike | None = None,
    num_hypotheses: int | None = None,
    *,
    still: bool | None = None,
    outline: bool | None = None,
    read_ahead: bool = False,
    watch: Watch = lambda frames, film: frames,
    **intrinsics: Any,
) -> tuple[ReadFrames, tuple[str, ...]]:
    """How to read a film, by whether its camera stands still, and what to say about it.

    Args:
        estimator: reads each frame.
        open_film: is called up to three times, since a film is looked through more than once.
        K, num_hypotheses: as for `Estimator.__call__`.
        still: whether the camera stands still; None: look.
        outline: use the arm's contours; None: where the camera stands still.
        read_ahead: see `ClipReader`.
        watch: is handed the frames of the first look.
        intrinsics: `camera` and `fov_deg`, as for `Estimator.__call__`.

    Raises:
        BadVideoError, DatasetError: the film cannot be opened.
        BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense.
    """
    notes: tuple[str, ...] = ()
    if still is not False:
        with open_film() as film, contextlib.closing(prefetch(_good_frames(film))) as frames:
            reader, note = clip_reader(
                estimator, watch(frames, film), K, num_hypotheses, still=still,
                outline=outline is not False, read_ahead=read_ahead, **intrinsics,
            )  # fmt: skip
        notes = (note,)
        if reader is not None:
            return _in_windows(reader, open_film), notes
    return follow(Tracker(estimator, K, num_hypotheses, outline=bool(outline), **intrinsics)), notes


def follow(tracker: Tracker) -> ReadFrames:
    """Each frame by itself, where the last one found the arm."""

    def read(frames: Iterable[VideoFrame]) -> Answered:
        return ((tracker(frame.pixels), frame) for frame in frames)

    return read


def _in_windows(reader: ClipReader, open_film: OpenFilm) -> ReadFrames:
    """Many frames at a time; answers come later than frames, which are read once more for them."""

    def read(frames: Iterable[VideoFrame]) -> Answered:
        with open_film() as again:
            yield from zip(reader(frames), again, strict=False)

    return read


def _good_frames(film: Film) -> Iterator[VideoFrame]:
    with contextlib.suppress(*BREAKS_OFF):
        yield from film
