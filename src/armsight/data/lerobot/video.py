"""Videos of a LeRobotDataset: near-lossless H.264 that can be cut at every episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from armsight.data.video import writing
from armsight.errors import DatasetError

Pixels = NDArray[np.uint8]

CODEC, PIXEL_FORMAT = "libx264", "yuv444p"
"""Colour at full resolution: at 128 px an edge of the gripper is one pixel wide"""
OPTIONS = {"crf": "10", "preset": "veryfast", "g": "10", "bf": "0", "threads": "1"}
"""Near lossless; a key frame each half second for random access; no reordering of frames, so that
files can be joined without encoding again."""


def encode(path: Path, frames: Iterable[Pixels], fps: float, size: tuple[int, int]) -> int:
    """Write frames (height, width, 3) RGB to an MP4; frame i is shown from i / fps [s] on.

    Args:
        size: height, width.

    Returns:
        How many frames there were.

    Raises:
        DatasetError: a frame has another size or type.
        OutputError: the file cannot be written.
    """
    count = 0
    rate = Fraction(fps).limit_denominator(1001)
    with writing(path) as container:
        stream: Any = container.add_stream(CODEC, rate=rate, options=OPTIONS)
        stream.height, stream.width = size
        stream.pix_fmt = PIXEL_FORMAT
        for pixels in frames:
            if pixels.shape != (*size, 3) or pixels.dtype != np.uint8:
                raise DatasetError(
                    f"frame {count} is {pixels.dtype} {pixels.shape}; the video's feature says "
                    f"uint8 {(*size, 3)}"
                )
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = count, 1 / rate
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode(None))
    return count


def decode(path: Path, start: float, rows: Sequence[int], fps: float) -> Pixels:
    """Frames of one episode out of a video, (len(rows), H, W, 3) RGB; see `each_frame`."""
    found = list(each_frame(path, start, rows, fps))
    return np.stack(found) if found else np.zeros((0, 0, 0, 3), np.uint8)


def each_frame(path: Path, start: float, rows: Iterable[int], fps: float) -> Iterator[Pixels]:
    """Frames of one episode out of a video, one after the other, in one pass.

    Args:
        start: where the episode begins in the file [s].
        rows: which of its frames, rising.

    Yields:
        (H, W, 3) RGB.

    Raises:
        DatasetError: the file is missing or damaged, or ends too early; after its last good frame.
    """
    to_rgb = VideoReformatter()  # one for all: setting one up costs six times a conversion
    wanted = iter(rows)
    row = next(wanted, None)
    try:
        with av.open(str(path)) as container:
            stream: Any = container.streams.video[0]
            stream.thread_type = "NONE"
            # The key frame before the first wanted frame; a quarter of a frame for rounding.
            first = start + (row or 0) / fps + 0.25 / fps
            container.seek(int(first / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if row is None:
                    break
                index = round((float(frame.pts * stream.time_base) - start) * fps)
                while row is not None and row <= index:
                    if row < index:
                        raise DatasetError(f"{path} has no frame at {start + row / fps:.3f} s")
                    pixels: Any = to_rgb.reformat(frame, format="rgb24").to_ndarray()
                    yield pixels
                    row = next(wanted, None)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DatasetError(f"{path} cannot be read: {error}; fetch or write it again") from error
    if row is not None:
        raise DatasetError(
            f"{path} ends before {start + row / fps:.3f} s; fetch or write the data set again"
        )


def describe(path: Path) -> dict[str, Any]:
    """What `info.json` says of a video, by LeRobot's keys."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = float(stream.base_rate or 0)
        return {
            "video.height": stream.height,
            "video.width": stream.width,
            "video.codec": stream.codec.canonical_name,
            "video.pix_fmt": stream.pix_fmt,
            "video.is_depth_map": False,
            "video.fps": int(rate) if rate.is_integer() else rate,
            "video.channels": 3,
            "has_audio": bool(container.streams.audio),
        }
