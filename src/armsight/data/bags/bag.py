"""An open bag: which topics it has, and their messages. Read by `rosbags` (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

from armsight.errors import DatasetError, MissingExtraError

SUFFIXES = (".mcap", ".db3")
METADATA = "metadata.yaml"
"""In the folder of a bag, beside its files"""
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO, JOINT_STATE = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/JointState"

HEADER = ("header.stamp.sec", "header.stamp.nanosec", "header.frame_id")
FIELDS = {
    IMAGE: attrgetter(*HEADER, "height", "width", "encoding", "is_bigendian", "step", "data"),
    COMPRESSED: attrgetter(*HEADER, "format", "data"),
    CAMERA_INFO: attrgetter(
        *HEADER, "height", "width", "distortion_model", "d", "k", "p", "binning_x", "binning_y",
        "roi.x_offset", "roi.y_offset", "roi.height", "roi.width",
    ),
    JOINT_STATE: attrgetter(*HEADER, "name", "position"),
}  # fmt: skip
"""What is read of each type: bags bring their own definitions, which may be damaged"""


def is_bag(path: Path) -> bool:
    """Whether a path is a bag's file or folder, by its name and what lies in it."""
    if path.is_dir():
        return (path / METADATA).is_file()
    return path.suffix.lower() in SUFFIXES


class Bag:
    """A bag that is open for the length of a `with` block."""

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Raises:
            DatasetError: it cannot be read: no bag, damaged, or cut short.
            MissingExtraError: rosbags is not installed.
        """
        self.path = path
        rosbags = import_rosbags()
        if not path.exists():
            raise DatasetError(f"{path} does not exist")
        # Old .db3 files hold no message definitions; those of sensor_msgs did not change since.
        known = rosbags.typesys.get_typestore(rosbags.typesys.Stores.ROS2_HUMBLE)
        try:
            self._reader = rosbags.highlevel.AnyReader([path], default_typestore=known)
            self._reader.open()
        except Exception as error:  # damaged files raise whatever their bytes lead to
            raise DatasetError(
                f"{path} is no ROS 2 bag that can be read: {str(error).rstrip('.')}. Where its "
                "recorder was killed, `mcap recover` mends an .mcap file, `sqlite3 FILE .recover` "
                "a .db3 file"
            ) from error

    def topics(self, *kinds: str) -> dict[str, int]:
        """Names of the topics of some message types, and how many messages each has."""
        counts: dict[str, int] = {}
        for one in self._reader.connections:
            if one.msgtype in kinds and one.msgcount:
                counts[one.topic] = counts.get(one.topic, 0) + one.msgcount
        return counts

    def other_topics(self) -> str:
        """All topics and their types, for people."""
        return ", ".join(f"{one.topic} ({one.msgtype})" for one in self._reader.connections)

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Times [ns] and messages of a topic, in the order in which they were recorded.

        The time is the header's, or the recorder's where the header has none.

        Raises:
            DatasetError: a message is damaged, or the file breaks off; after the last good one.
        """
        for stamp, raw, kind in self.raw_messages(topic):
            message = self.decode(raw, kind)
            yield header_ns(message) or stamp, message

    def first(self, topic: str) -> tuple[int, Any]:
        """Time [ns] and message with which a topic begins.

        Raises:
            DatasetError: it has none, though the bag says so, or it is damaged.
        """
        for found in self.messages(topic):
            return found
        raise DatasetError(f"{self.path} is damaged: it has no message of {topic}")

    def raw_messages(self, topic: str) -> Iterator[tuple[int, bytes, str]]:
        """Recorder's time [ns], bytes and type of the messages of a topic, not yet decoded.

        Raises:
            DatasetError: the file breaks off; after the last good message.
        """
        chosen = [one for one in self._reader.connections if one.topic == topic]
        messages = self._reader.messages(connections=chosen)
        while True:
            try:
                one, stamp, raw = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise DatasetError(f"{self.path} is damaged: {error}") from error
            yield stamp, raw, one.msgtype

    def decode(self, raw: bytes, kind: str) -> Any:
        """A message of `raw_messages`.

        Raises:
            DatasetError: it is damaged.
        """
        try:
            message = self._reader.deserialize(raw, kind)
            FIELDS[kind](message)
            return message
        except Exception as error:
            raise DatasetError(f"{self.path} has a damaged {kind}: {error}") from error

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def header_ns(message: Any) -> int:
    """[ns] 0 where the header was not filled."""
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def import_rosbags() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import rosbags.highlevel
        import rosbags.typesys
    except ImportError as error:
        raise MissingExtraError(
            "reading ROS bags", error.name or "rosbags", "pip install 'armsight[ros]'"
        ) from None
    return rosbags
