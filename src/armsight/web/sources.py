"""Where a live page's pictures come from: a camera, an address, a clip, a folder of photos."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from armsight.camera.image import SUFFIXES as IMAGE_SUFFIXES
from armsight.camera.image import load_image
from armsight.data import video
from armsight.errors import BadImageError, BadVideoError
from armsight.outputs.sink import Shot
from armsight.prefetch import prefetch

SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")
OPEN_MS = 10_000
"""Longest wait [ms] for a network camera"""


class Source(Protocol):
    """Pictures, one after the other."""

    live: bool
    """It goes on whether somebody looks or not: of its pictures the newest is read. Of others each
    is read, and none before somebody looks."""
    photos: bool
    """Its pictures have nothing to do with each other"""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def shots(self) -> Iterator[Shot]:
        """The pictures, from the start.

        Raises:
            BadVideoError: the source cannot be opened, or broke off.
            BadImageError: a photo cannot be read; the iterator goes on with the next one.
        """
        ...


@dataclass
class Camera:
    """A camera of this machine (0, 1, /dev/video0), or one in the network."""

    place: int | str
    live: bool = True
    photos: bool = False

    @property
    def name(self) -> str:
        """As the page shows it, without the password that an address may hold."""
        if isinstance(self.place, int):
            return f"camera {self.place}"
        scheme, mark, rest = self.place.partition("://")
        return scheme + mark + rest.rpartition("@")[2] if mark else self.place

    def shots(self) -> Iterator[Shot]:
        """Pictures as they come, until the camera ends."""
        capture: Any = cv2.VideoCapture()
        if isinstance(self.place, int):
            capture.open(self.place)
        else:
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
            options = [value for name in limits for value in (name, OPEN_MS)]
            capture.open(self.place, cv2.CAP_ANY, options)
        try:
            if not capture.isOpened():
                raise BadVideoError(
                    f"cannot open {self.name}; give a camera's number (0, 1, ...) or an address "
                    "that a video player can open"
                )
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            start, index = time.monotonic(), 0
            while True:
                good, frame = capture.read()
                if not good:
                    raise BadVideoError(f"{self.name} ended after {index} frames")
                pixels = np.ascontiguousarray(frame[..., ::-1])
                yield Shot(load_image(pixels), index, time.monotonic() - start)
                index += 1
        finally:
            capture.release()


@dataclass
class Clip:
    """A video file: every frame is read, so that its numbers are those of `armsight estimate`."""

    path: Path
    live: bool = False
    photos: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def shots(self) -> Iterator[Shot]:
        """Its frames."""
        with video.VideoReader(self.path) as reader:
            frames = prefetch(reader)
            try:
                for frame in frames:
                    yield Shot(load_image(frame.pixels), frame.index, frame.time)
            finally:
                frames.close()


@dataclass
class Photos:
    """The photos of a folder, by name."""

    folder: Path
    paths: tuple[Path, ...]
    live: bool = False
    photos: bool = True

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name or str(self.folder)

    def shots(self) -> Iterator[Shot]:
        """The photos that can be read."""
        for index, path in enumerate(self.paths):
            try:
                image = load_image(path)
            except BadImageError:
                continue
            yield Shot(image, index, float(index))


def open_source(text: str) -> Source:
    """The source that a person named.

    Raises:
        BadImageError: a folder holds no photo, or a file is no video.
        BadVideoError: there is no such file.
    """
    if text.isdigit():
        return Camera(int(text))
    if text.startswith(SCHEMES) or text.startswith("/dev/"):
        return Camera(text)
    path = Path(text)
    if path.is_dir():
        found = (one for one in sorted(path.iterdir()) if one.suffix.lower() in IMAGE_SUFFIXES)
        paths = tuple(one for one in found if one.is_file() and not one.stem.endswith(".overlay"))
        if not paths:
            raise BadImageError(f"{path} holds no photo; looked for {', '.join(IMAGE_SUFFIXES)}")
        return Photos(path, paths)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        return Photos(path, (path,))
    with video.VideoReader(path):  # says what is wrong with it
        return Clip(path)
