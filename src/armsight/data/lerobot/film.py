"""An episode as one of its cameras filmed it, frame by frame, as video files are read."""

from __future__ import annotations

from collections.abc import Iterator

from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.lerobot.video import each_frame
from armsight.data.video import VideoFrame


class EpisodeFilm:
    """The frames of one episode; a context manager like `VideoReader`."""

    def __init__(self, reader: LeRobotReader, episode: int, camera_key: str) -> None:
        """Find the episode's video.

        Raises:
            DatasetError: there is no such episode, or its video is missing.
        """
        record = reader.record(episode)
        self.fps = reader.fps
        self.num_frames = int(record["length"])
        self._path = reader.video_path(record, camera_key)
        self._start = float(record[f"videos/{camera_key}/from_timestamp"])

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames; after the last good one of a broken file, raise DatasetError."""
        rows = range(self.num_frames)
        for row, pixels in enumerate(each_frame(self._path, self._start, rows, self.fps)):
            yield VideoFrame(row, row / self.fps, pixels)

    def __enter__(self) -> EpisodeFilm:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""
