"""What a recording is: the frames of one fixed camera, and the joint log beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

STRETCH = 16
"""Frames that are decoded in one go where they are read one after the other"""
UNKNOWN_INTRINSICS = "unknown"
"""`Recording.intrinsics_source` where nobody gave any; else one of state.INTRINSICS_SOURCES, or
'layout' (K.txt beside the photos) or 'dataset' (the data set's own)"""


@dataclass(frozen=True)
class JointLog:
    """The joint angles that were recorded. M rows, J joints."""

    joint_positions: Array
    """(M, J) [rad], in the order of the robot's joint names"""
    times: Array | None
    """(M,) [s] on the clock of `Recording.frame_times`, rising; None: row i belongs to frame i"""
    notes: tuple[str, ...] = ()
    """What was understood of the file: units, columns that were left alone"""
    degrees_inferred: bool = False
    """The angles were taken for degrees since they exceed the robot's limits as radians; no name
    says so"""


@dataclass(frozen=True)
class ReadFrames:
    """Frames that could be read, and why others could not."""

    indices: tuple[int, ...]
    """(n,) of the frames that were asked for, rising"""
    images: tuple[Pixels, ...]
    """(n) RGB (H, W, 3), all of one size"""
    notes: tuple[str, ...] = ()


class FrameSource(Protocol):
    """Where frames come from; holds no open file, so that it can be sent to other processes."""

    def __len__(self) -> int: ...

    def read(self, indices: Sequence[int]) -> ReadFrames:
        """The frames `indices` (rising) in one pass; those that are broken are left out."""
        ...


@dataclass(frozen=True)
class Recording:
    """Frames of one fixed camera (one episode of a data set), read only when asked for."""

    name: str
    """For people: a folder, a file, or 'episode 3, observation.images.front'"""
    source: FrameSource
    image_size: tuple[int, int]
    """Width, height [px] of the frames as read"""
    frame_times: Array | None = None
    """(N,) [s] from the first frame on, rising; None: unknown"""
    frame_names: tuple[str, ...] = ()
    """(N) file names of photos; empty for videos"""
    log: JointLog | None = None
    K: Array | None = None
    """(3, 3) [px] of the frames as read; None: unknown"""
    fov_deg: float | None = None
    """Horizontal field of view [deg] that a person or EXIF gave in place of K"""
    intrinsics_source: str = UNKNOWN_INTRINSICS
    episode: int | None = None
    camera_key: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the results should know, e.g. which photos could not be opened"""

    def __len__(self) -> int:
        return len(self.source)

    def frames(self, indices: Sequence[int]) -> list[Pixels]:
        """The frames `indices` as RGB (H, W, 3), in that order; only these are held in memory.

        Raises:
            DatasetError: there is no such frame, or one of them cannot be read.
        """
        wanted = sorted({int(index) for index in indices})
        read = self.read_frames(wanted)
        if lost := sorted(set(wanted) - set(read.indices)):
            raise DatasetError(
                f"{self.name}: frame {self.frame_name(lost[0])} cannot be read"
                + "".join(f"; {note}" for note in read.notes)
            )
        found = dict(zip(read.indices, read.images, strict=True))
        return [found[int(index)] for index in indices]

    def read_frames(self, indices: Sequence[int]) -> ReadFrames:
        """The frames `indices` (rising); those that are broken are left out, with a note.

        Raises:
            DatasetError: there is no such frame.
        """
        wanted = [int(index) for index in indices]
        if any(not 0 <= index < len(self) for index in wanted):
            raise DatasetError(f"{self.name} has frames 0 to {len(self) - 1}; asked for {wanted}")
        return self.source.read(wanted)

    def lazily(self, indices: Sequence[int]) -> LazyFrames:
        """The frames `indices` (rising), one after the other."""
        return LazyFrames(self, indices)

    def frame_name(self, index: int) -> str:
        """What a person calls frame `index`: its file's name, or its number."""
        return self.frame_names[index] if self.frame_names else str(index)

    def joint_positions_at(self, indices: Sequence[int], time_offset: float = 0.0) -> Array:
        """(n, J) [rad] of frames; logs with time stamps are interpolated.

        Args:
            time_offset: [s] of the log; a frame at t shows what the log has at t - time_offset.

        Raises:
            DatasetError: there is no log.
        """
        if self.log is None:
            raise DatasetError(f"{self.name} has no joint log")
        rows = np.asarray(indices, dtype=np.intp)
        q = self.log.joint_positions
        if self.log.times is None or self.frame_times is None:
            return q[rows]
        at = self.frame_times[rows] - time_offset
        columns = [np.interp(at, self.log.times, column) for column in q.T]
        return np.stack(columns, axis=-1)


class LazyFrames(Sequence[Pixels]):
    """Frames of a recording, read in stretches, of which one is held in memory."""

    def __init__(self, recording: Recording, indices: Sequence[int]) -> None:
        self._recording, self._indices = recording, indices
        self._start, self._held = 0, list[Pixels]()

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, item: int) -> Pixels:  # type: ignore[override]
        """Frame number `item` (H, W, 3) RGB; no slices."""
        item = range(len(self))[item]
        if not self._start <= item < self._start + len(self._held):
            self._start = item - item % STRETCH
            self._held = self._recording.frames(self._indices[self._start : self._start + STRETCH])
        return self._held[item - self._start]
