"""What takes estimates, one after the other: files, a viewer, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from armsight.camera.image import LoadedImage
from armsight.state import Estimate


@dataclass(frozen=True)
class Shot:
    """One picture that was read: a photo, or a frame of a video."""

    image: LoadedImage
    index: int = 0
    """of the frame in its video"""
    time: float = 0.0
    """[s] from the video's start"""


class Sink(Protocol):
    """Takes the shots of one source in order, then is closed once."""

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Take one shot and its estimate.

        Raises:
            OutputError: it cannot be written.
        """
        ...

    def close(self, keep: bool) -> None:
        """Finish; `keep` says whether what was written is of use."""
        ...


class Sinks:
    """Several sinks as one. All are closed, also when one fails."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Each takes the shot, in order."""
        for sink in self._sinks:
            sink.write(shot, estimate)

    def close(self, keep: bool) -> None:
        """Close all, then raise the first error."""
        errors: list[Exception] = []
        for sink in self._sinks:
            try:
                sink.close(keep)
            except Exception as error:  # raised below
                errors.append(error)
        if errors:
            raise errors[0]


class Borrowed:
    """A sink that takes more than one source: closing it is left to its owner."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Hand on."""
        self._sink.write(shot, estimate)

    def close(self, keep: bool) -> None:
        """Nothing: the owner closes it."""
