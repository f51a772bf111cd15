"""An image topic of a bag as a film: frame by frame, as video files are read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from armsight.data.bags.bag import COMPRESSED, IMAGE, Bag
from armsight.data.bags.pictures import pixels_of
from armsight.data.video import VideoFrame
from armsight.errors import BadImageError, BadVideoError, DatasetError

USUAL_FPS = 30.0
"""Of topics with one message"""
FRAMES_FOR_FPS = 50
"""Whose distances tell the rate"""


class BagFilm:
    """The pictures of one topic; a context manager like `VideoReader`."""

    def __init__(self, path: Path, topic: str) -> None:
        """Open a bag.

        Raises:
            DatasetError: it cannot be read, or has no such topic.
            MissingExtraError: rosbags is not installed.
        """
        self._bag, self.topic = Bag(path), topic
        self.num_frames = self._bag.topics(IMAGE, COMPRESSED).get(topic, 0)
        if not self.num_frames:
            self._bag.close()
            raise DatasetError(f"{path} has no messages of {topic}")
        first = islice(self._bag.raw_messages(topic), FRAMES_FOR_FPS)
        steps = np.diff([stamp for stamp, _, _ in first]) * 1e-9
        self.fps = float(1 / np.median(steps)) if len(steps) and np.median(steps) else USUAL_FPS

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames; after the last good one of a damaged bag, raise BadVideoError."""
        start, shape, index = 0, None, 0
        where = f"{self._bag.path}, {self.topic}"
        try:
            for stamp, message in self._bag.messages(self.topic):
                pixels = pixels_of(message, where)
                start = start if index else stamp
                shape = shape or pixels.shape
                if pixels.shape != shape:
                    raise BadImageError("the size of its pictures changes")
                yield VideoFrame(index, (stamp - start) * 1e-9, pixels)
                index += 1
        except (BadImageError, DatasetError) as error:
            raise BadVideoError(f"{where} is damaged after {index} frames: {error}") from error

    def __enter__(self) -> BagFilm:
        return self

    def __exit__(self, *_: object) -> None:
        self._bag.close()
