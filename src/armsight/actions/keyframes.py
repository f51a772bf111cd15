"""Keyframes from anything that people have: a video, a folder of pictures, arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import whole_frame
from armsight.camera.image import SUFFIXES, ImageLike, LoadedImage, load_image
from armsight.data.video import SUFFIXES as VIDEO_SUFFIXES
from armsight.data.video import VideoReader
from armsight.errors import BadImageError, KeyframesError

Pixels = NDArray[np.uint8]
Frames: TypeAlias = "str | Path | NDArray[Any] | Sequence[ImageLike]"
Progress: TypeAlias = Callable[[Iterable[Any], int | None], Iterable[Any]]
"""Yields the same items, and may draw a bar; told how many there are, if that is known"""

Read: TypeAlias = "Callable[[], LoadedImage]"


@dataclass(frozen=True)
class Keyframes:
    """N pictures of one size, as the network takes them."""

    images: Pixels
    """(N, S, S, 3) RGB; the whole picture, black at its sides if it was not square"""
    width: int
    height: int
    """Of the originals [px]"""
    source: str | None = None
    fps: float | None = None
    """Of the video they came from"""
    moments: NDArray[np.float64] | None = None
    """(N,) when they were taken: a video's time stamps [s], or the numbers in pictures' names"""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of `images` that show the picture, and nothing of the black around."""
        size, longer = self.images.shape[1], max(self.width, self.height)

        def part(side: int) -> slice:
            edge = min(math.ceil(size * (longer - side) / longer / 2), (size - 1) // 2)
            return slice(edge, size - edge)

        return part(self.height), part(self.width)

    @property
    def shown(self) -> Pixels:
        """(N, h, w, 3) that part of `images`"""
        return self.images[(slice(None), *self.inside)]


def load_keyframes(
    frames: Frames | Keyframes, size: int, every: int = 1, progress: Progress | None = None
) -> Keyframes:
    """Read keyframes and bring them to the network's size.

    Args:
        frames: a video file, a folder of pictures (read in the order of the numbers in their
            names), an array (N, H, W, 3), or pictures as `armsight.camera.image` reads them.
        size: sides of the result [px].
        every: take each `every`-th frame, from the first on.
        progress: called with the frames and their number.

    Raises:
        KeyframesError: there are none, they differ in size, or `frames` is none of the above.
        BadImageError: a picture cannot be read, or holds NaN.
        BadVideoError: the video cannot be read.
    """
    if isinstance(frames, Keyframes):
        return frames
    if isinstance(frames, str | Path) and Path(frames).suffix.lower() in VIDEO_SUFFIXES:
        with VideoReader(frames) as reader:
            total = None if reader.num_frames is None else -(-reader.num_frames // every)
            times: list[float] = []

            def taken() -> Iterator[tuple[str, Read]]:
                for frame in reader:
                    if frame.index % every == 0:
                        times.append(frame.time)
                        yield str(frame.index), _read(frame.pixels)

            made = _collect(taken(), total, size, str(frames), reader.fps, progress)
            return replace(made, moments=np.array(times))
    pictures = list(_pictures(frames))[::every]
    if not isinstance(frames, str | Path):
        return _collect(iter(pictures), len(pictures), size, None, None, progress)
    made = _collect(iter(pictures), len(pictures), size, str(frames), None, progress)
    return replace(made, moments=numbers_in([name for name, _ in pictures]))


def numbers_in(names: Sequence[str]) -> NDArray[np.float64] | None:
    """(N,) the number that counts files, such as 12 in `frame_0012.png`; None without such a one.

    Names may hold other numbers, if these are the same in all of them.
    """
    parts = [re.split(r"(\d+)", Path(name).stem) for name in names]
    texts = {tuple(part[::2]) for part in parts}
    if len(texts) != 1 or len(parts) < 2:
        return None
    columns = list(zip(*(part[1::2] for part in parts), strict=True))
    varying = [column for column in columns if len({int(one) for one in column}) > 1]
    if len(varying) != 1:
        return None
    first = int(varying[0][0])  # nanoseconds since 1970 do not fit into a float
    return np.array([float(int(one) - first) for one in varying[0]])


def _read(picture: ImageLike) -> Read:
    return lambda: load_image(picture)


def _pictures(frames: Any) -> Iterator[tuple[str, Read]]:
    """Name of each picture, and how to read it."""
    if isinstance(frames, str | Path):
        for path in picture_files(Path(frames)):
            yield path.name, _read(path)
        return
    if isinstance(frames, np.ndarray) and frames.ndim != 4:
        raise KeyframesError(
            f"frames have shape {frames.shape}; give (N, H, W, 3), two or more pictures in RGB"
        )
    if not hasattr(frames, "__len__"):
        raise KeyframesError(
            f"cannot read keyframes from {type(frames).__name__}; give a video file, a folder of "
            "pictures, an array (N, H, W, 3) or a list of pictures"
        )
    for i, picture in enumerate(frames):
        yield str(i), _read(picture)


def picture_files(folder: Path) -> list[Path]:
    """Pictures of a folder in the order of the numbers in their names.

    Raises:
        KeyframesError: there are none.
    """
    if folder.is_file():
        raise KeyframesError(
            f"{folder} is one file and no video; give a video ({', '.join(VIDEO_SUFFIXES)}) or a "
            "folder of pictures"
        )
    if not folder.is_dir():
        raise KeyframesError(f"{folder} does not exist; give a video or a folder of pictures")
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        videos = sorted(x for x in folder.iterdir() if x.suffix.lower() in VIDEO_SUFFIXES)
        instead = f"; give its video {videos[0]}" if videos else ""
        if len(videos) > 1:
            instead = f"; give one of its {len(videos)} videos, such as {videos[0]}"
        raise KeyframesError(
            f"{folder} holds no picture; looked for {', '.join(SUFFIXES)}{instead}"
        )
    return sorted(found, key=_by_number)


def _by_number(path: Path) -> list[Any]:
    """frame_2 before frame_10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _collect(
    reads: Iterator[tuple[str, Read]],
    total: int | None,
    size: int,
    source: str | None,
    fps: float | None,
    progress: Progress | None,
) -> Keyframes:
    images: list[Pixels] = []
    first: tuple[int, int] | None = None
    for name, read in reads if progress is None else progress(reads, total):
        try:
            image = read()
        except BadImageError as error:
            raise BadImageError(f"frame {name}: {error}") from error
        shape = image.width, image.height
        first = first or shape
        if shape != first:
            raise KeyframesError(
                f"frame {name} is {shape[0]}x{shape[1]} pixels, and the first is "
                f"{first[0]}x{first[1]}; give frames of one size, from one camera"
            )
        images.append(_fit(image, size))
    if first is None:
        raise KeyframesError("there are no frames; give two or more")
    return Keyframes(np.stack(images), *first, source, fps)


def _fit(image: LoadedImage, size: int) -> Pixels:
    if image.pixels.shape[:2] == (size, size):
        return image.pixels
    return image.cut(whole_frame(image.width, image.height), size)


def fit_square(pixels: Pixels, size: int) -> Pixels:
    """A picture (H, W, 3) as the network takes it: (size, size, 3), whole, black at its sides."""
    return _fit(load_image(pixels), size)
