"""Reading and writing video, frame by frame, so that memory does not grow with its length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import BadVideoError, OutputError

Pixels = NDArray[np.uint8]

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".3gp")
TICKS = 90_000
"""Time stamps per second of written video: exact for all usual frame rates."""


@dataclass(frozen=True)
class VideoFrame:
    """One upright frame of a video."""

    index: int
    time: float
    """[s] from the start"""
    pixels: Pixels
    """(H, W, 3) RGB"""


class VideoReader:
    """An open video: iterate over it once for its frames; use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        """Open a video.

        Raises:
            BadVideoError: there is no such file, or it holds no video that can be read.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise BadVideoError(f"{path} does not exist or is not a file")
        if self.path.stat().st_size == 0:
            raise BadVideoError(f"{path} is empty (0 bytes)")
        try:
            self._container: Any = av.open(str(path))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise BadVideoError(
                f"{path} is not a video that can be read: {_reason(error)}"
            ) from error
        if not self._container.streams.video:
            self._container.close()
            raise BadVideoError(f"{path} has sound but no video")
        # Some files begin with a cover picture.
        self._stream: Any = max(self._container.streams.video, key=lambda one: one.frames)
        # Frame threads would be faster, but lose the good frames before a break.
        self._stream.thread_type = "SLICE"
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else 30.0
        self.num_frames: int | None = self._stream.frames or self._guess_length()
        """How many frames the file says it has; None when it does not say"""

    def _guess_length(self) -> int | None:
        seconds = self._container.duration
        return round(seconds / 1e6 * self.fps) if seconds else None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames; after the last good one of a broken file, raise BadVideoError."""
        index, start = 0, None
        shape: Any = None
        self._error: Exception | None = None
        for frame in self._decode():
            time = index / self.fps
            if frame.pts is not None:  # frame.time is NaN for what the decoder still held
                time = float(frame.pts * self._stream.time_base)
            start = time if start is None else start
            pixels = _upright(frame, self._stream.sample_aspect_ratio)
            if shape not in (None, pixels.shape):
                self._error = ValueError(
                    f"its pictures change from {shape[1]}x{shape[0]} to "
                    f"{pixels.shape[1]}x{pixels.shape[0]} pixels"
                )
                break
            shape = pixels.shape
            yield VideoFrame(index, time - start, pixels)
            index += 1
        declared = self._stream.frames
        if self._error is not None:
            raise BadVideoError(
                f"{self.path} is damaged after {index} frames: {_reason(self._error)}"
            ) from self._error
        if index == 0:
            raise BadVideoError(f"{self.path} holds no frame that can be read")
        if declared - index > max(2, 0.02 * declared):
            raise BadVideoError(f"{self.path} breaks off after {index} of {declared} frames")

    def _decode(self) -> Iterator[Any]:
        """Decoded frames up to the first error, which is kept in `_error`."""
        try:
            for packet in self._container.demux(self._stream):
                yield from packet.decode()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._error = error
            # The decoder still holds good frames from before the break.
            with contextlib.suppress(av.FFmpegError, EOFError, ValueError):
                yield from self._stream.codec_context.decode(None)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VideoWriter:
    """Writes an H.264 MP4 that can be played up to the point where writing stopped."""

    def __init__(self, path: str | Path, fps: float, name: Path | None = None) -> None:
        """Prepare to write; the first frame decides the size.

        Args:
            name: of the file in errors, where it is to get another one.

        Raises:
            OutputError: the file cannot be written.
        """
        self.path = Path(path)
        self._name = name or self.path
        # Fragments can be played without the index that is only written at the end.
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        try:
            self._file = open_unbuffered(self.path)
            self._container: Any = av.open(self._file, "w", format="mp4", options=options)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self._name}: {_reason(error)}") from error
        self._rate = Fraction(fps).limit_denominator(1001)
        self._stream: Any = None
        self._last = -1

    def write(self, pixels: Pixels, time: float) -> None:
        """Add a frame (H, W, 3) RGB shown from `time` [s] on. An odd last row or column is cut.

        Raises:
            OutputError: the disk is full.
        """
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"preset": "veryfast", "crf": "21"}
            self._stream.codec_context.time_base = Fraction(1, TICKS)
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels[:height, :width]), format="rgb24"
        )
        # Encoders insist on rising time stamps; damaged files repeat them.
        self._last = max(self._last + 1, round(time * TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._mux(frame)

    def close(self) -> None:
        """Write what the encoder still holds, and close the file.

        Raises:
            OutputError: the disk is full.
        """
        try:
            if self._stream is not None:
                self._mux(None)
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self._name}: {_reason(error)}") from error
        finally:
            self._file.close()

    def _mux(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self._name}: {_reason(error)}") from error

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_unbuffered(path: Path) -> Any:
    """A file to hand to `av.open`: FFmpeg's own ends without a word on a full disk.

    Raises:
        OSError: it cannot be opened.
    """
    return path.open("wb", buffering=0)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Any]:
    """Yield an MP4 container that is written to `path`.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    try:
        with open_unbuffered(path) as file:
            container = av.open(file, "w", format="mp4")
            try:
                yield container
            except BaseException:
                with contextlib.suppress(av.FFmpegError, OSError):  # the first error counts
                    container.close()
                raise
            container.close()
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def _upright(frame: Any, aspect: Any) -> Pixels:
    """RGB pixels of a decoded frame as a player shows them: square, turned and mirrored.

    `aspect` is the width of a stored pixel over its height; None or 0 where nothing is known.

    A phone stores which way was up beside the frames: a matrix [a b; c d] from stored to shown
    pixels, as 16.16 fixed-point numbers (ISO 14496-12, 6.2.2), which may also mirror.
    """
    pixels: Pixels = frame.to_ndarray(format="rgb24")
    if aspect and aspect != 1:
        size = (round(pixels.shape[1] * float(aspect)), pixels.shape[0])
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    data = next((side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"), None)
    if data is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / 65536
    if a * d - b * c < 0:
        # Mirrored left to right first, what remains is a turn.
        pixels, a, b = pixels[:, ::-1], -a, -b
    turns = round(np.degrees(np.arctan2(-b, a)) / 90) % 4  # anticlockwise; y points down
    return np.ascontiguousarray(np.rot90(pixels, turns))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
