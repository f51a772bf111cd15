"""Joining the videos of episodes into few large files, without encoding them again."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from armsight.data.lerobot import layout
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.video import open_unbuffered
from armsight.errors import DatasetError

MB = 1024 * 1024


class Place:
    """Chunk and file number of the file at hand."""

    def __init__(self, chunk: int = 0, file: int = 0) -> None:
        self.chunk, self.file = chunk, file

    def next(self) -> Place:
        """The place after this one."""
        if self.file == layout.CHUNK_FILES - 1:
            return Place(self.chunk + 1)
        return Place(self.chunk, self.file + 1)

    def path(self, folder: Path, pattern: str, **more: str) -> Path:
        """Path by a pattern of the layout; its folder is made."""
        path = folder / pattern.format(chunk_index=self.chunk, file_index=self.file, **more)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class VideoPacker:
    """Joins the videos of episodes packet by packet, without encoding them again."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self.place = Place()
        self._extradata: bytes | None = None
        self._container: Any = None
        self._file: Any = None
        self._stream: Any = None
        self._frames = self._size = 0

    def add(self, reader: LeRobotReader, record: Mapping[str, Any]) -> dict[str, Any]:
        """Append an episode; what its record says of the video.

        Raises:
            DatasetError: the episode's video cannot be cut out of its file.
        """
        key, fps, length = self.key, reader.fps, int(record["length"])
        path = reader.video_path(record, key)
        start = round(float(record[f"videos/{key}/from_timestamp"]) * fps)
        with av.open(str(path)) as source:
            stream: Any = source.streams.video[0]
            packets = []
            source.seek(int((start + 0.25) / fps / stream.time_base), stream=stream)
            for packet in source.demux(stream):
                if packet.pts is None:
                    continue
                if packet.pts != packet.dts:
                    raise DatasetError(f"{path} has reordered frames and cannot be joined")
                index = round(float(packet.pts * stream.time_base) * fps) - start
                if index >= length:
                    break
                if index >= 0:
                    packets.append((index, packet))
            if len(packets) != length or not packets[0][1].is_keyframe:
                raise DatasetError(f"{path}: episode {record['episode_index']} cannot be cut out")
            size = sum(packet.size for _, packet in packets)
            self._open(stream, size)
            first, tick = self._frames, 1 / Fraction(fps).limit_denominator(1001)
            for index, packet in packets:
                packet.stream = self._stream
                packet.time_base = tick
                packet.pts = packet.dts = first + index
                packet.duration = 1
                self._container.mux(packet)
        self._frames += length
        self._size += size
        return {
            f"videos/{key}/chunk_index": self.place.chunk,
            f"videos/{key}/file_index": self.place.file,
            f"videos/{key}/from_timestamp": first / fps,
            f"videos/{key}/to_timestamp": self._frames / fps,
        }

    def _open(self, like: Any, size: int) -> None:
        """Make sure that a file is open to which a stream `like` this can be appended."""
        if self._container is not None:
            full = self._size + size > layout.VIDEO_FILE_MB * MB
            headers = self._extradata != like.codec_context.extradata
            if not full and not headers:
                return
            self.close()
            self.place = self.place.next()
        path = self.place.path(self.folder, layout.VIDEO, video_key=self.key)
        self._file = open_unbuffered(path)
        self._container = av.open(self._file, "w", format="mp4")
        self._stream = self._container.add_stream_from_template(like)
        self._extradata = like.codec_context.extradata
        self._frames = self._size = 0

    def close(self) -> None:
        """Finish the file."""
        if self._container is not None:
            self._container.close()
            self._file.close()
            self._container = None
