"""Where frames come from: photos in a folder, a video, an episode of a LeRobot data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.recordings.recording import ReadFrames
from armsight.data.video import VideoReader
from armsight.errors import BadImageError, BadVideoError, DatasetError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photos:
    """Photos of one size."""

    paths: tuple[Path, ...]
    size: tuple[int, int]
    """Width, height [px] of the first photo that can be read"""

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: Sequence[int]) -> ReadFrames:
        """See `FrameSource`; photos of another size are left out, too."""
        kept, images, notes = [], [], []
        for index in indices:
            path = self.paths[index]
            try:
                image = load_image(path)
            except BadImageError as error:
                notes.append(f"left out: {error}")
                continue
            if (image.width, image.height) != self.size:
                notes.append(
                    f"left out: {path.name} has {image.width}x{image.height} pixels, the others "
                    f"{self.size[0]}x{self.size[1]}"
                )
                continue
            if image.pixels.shape[1] != image.width:
                # It was reduced while loading, and K belongs to the original.
                notes.append(f"left out: {path.name} is too large; shrink all photos, and K too")
                continue
            kept.append(index)
            images.append(image.pixels)
        return ReadFrames(tuple(kept), tuple(images), tuple(notes))


@dataclass(frozen=True)
class VideoFrames:
    """Frames of a video file, decoded in one pass."""

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int]) -> ReadFrames:
        """See `FrameSource`."""
        wanted, images = set(indices), {}
        notes: tuple[str, ...] = ()
        try:
            with VideoReader(self.path) as reader:
                for frame in reader:
                    if frame.index in wanted:
                        images[frame.index] = frame.pixels
                    if len(images) == len(wanted):
                        break
        except BadVideoError as error:
            notes = (str(error),)
        kept = sorted(images)
        return ReadFrames(tuple(kept), tuple(images[i] for i in kept), notes)


@dataclass(frozen=True)
class EpisodeFrames:
    """Frames of one episode of a LeRobot data set."""

    folder: Path
    episode: int
    camera_key: str
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int]) -> ReadFrames:
        """See `FrameSource`."""
        try:
            frames = LeRobotReader(self.folder).frames(self.episode, self.camera_key, list(indices))
        except DatasetError as error:
            return ReadFrames((), (), (str(error),))
        return ReadFrames(tuple(indices), tuple(frames))


def video_times(path: Path) -> tuple[NDArray[np.floating], tuple[int, int]]:
    """Times (N,) [s] of a video's frames from the first one on, and their width and height [px].

    Raises:
        BadVideoError: it cannot be read to its end.
    """
    times, size = [], (0, 0)
    with VideoReader(path) as reader:
        for frame in reader:
            times.append(frame.time)
            size = (frame.pixels.shape[1], frame.pixels.shape[0])
    return np.array(times), size
