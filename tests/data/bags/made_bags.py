"""Bags with known content, written by mcap-ros2-support or rosbags."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_HUMBLE)
START = 1_700_000_000_000_000_003
"""[ns] of the first picture"""
STEP = 40_000_000
FRAME = "cam_optical"
IMAGES, INFO, STATES = "/cam/image_raw", "/cam/camera_info", "/joint_states"
K = np.array([[90.0, 0, 47.5], [0, 91.0, 31.5], [0, 0, 1]])
NAMES = [f"panda_joint{i}" for i in range(1, 8)]

Pixels = NDArray[np.uint8]
Message = tuple[str, str, int, Any]
"""Topic, type, time [ns], message"""


def make(kind: str, *fields: Any) -> Any:
    """A message."""
    return TYPES.types[kind](*fields)


def header(ns: int, frame: str = FRAME) -> Any:
    """std_msgs/Header"""
    time = make("builtin_interfaces/msg/Time", ns // 10**9, ns % 10**9)
    return make("std_msgs/msg/Header", time, frame)


def raw_image(ns: int, data: NDArray[Any], encoding: str, pad: int = 0, big: bool = False) -> Any:
    """sensor_msgs/Image of (H, W, ...) as it lies, with `pad` bytes behind each row."""
    lines = np.ascontiguousarray(data).view(np.uint8).reshape(len(data), -1)
    lines = np.pad(lines, ((0, 0), (0, pad)))
    height, width = data.shape[:2]
    return make("sensor_msgs/msg/Image", header(ns), height, width, encoding, int(big),
                lines.shape[1], lines.ravel())  # fmt: skip


def packed_image(ns: int, pixels: Pixels, format_: str = "png") -> Any:
    """sensor_msgs/CompressedImage"""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    data = np.frombuffer(stream.getvalue(), np.uint8)
    return make("sensor_msgs/msg/CompressedImage", header(ns), format_, data)


def camera_info(ns: int, size: tuple[int, int], **changes: Any) -> Any:
    """sensor_msgs/CameraInfo of a camera with K."""
    P = np.zeros((3, 4))
    P[:, :3] = K
    fields: dict[str, Any] = {
        "header": header(ns), "height": size[1], "width": size[0],
        "distortion_model": "plumb_bob", "d": np.zeros(5), "k": K.ravel(),
        "r": np.eye(3).ravel(), "p": P.ravel(), "binning_x": 0, "binning_y": 0,
        "roi": make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False),
    }  # fmt: skip
    return make("sensor_msgs/msg/CameraInfo", *(fields | changes).values())


def joint_state(ns: int, names: Sequence[str], positions: Sequence[float]) -> Any:
    """sensor_msgs/JointState"""
    none = np.zeros(0)
    values = np.ascontiguousarray(positions, dtype=float)
    return make("sensor_msgs/msg/JointState", header(ns, ""), list(names), values, none, none)


def camera_messages(frames: Sequence[Pixels]) -> list[Message]:
    """Pictures as bgr8, and their camera_info."""
    found: list[Message] = []
    for i, pixels in enumerate(frames):
        ns = START + i * STEP
        size = (pixels.shape[1], pixels.shape[0])
        image = raw_image(ns, pixels[..., ::-1], "bgr8")
        found += [
            (IMAGES, "sensor_msgs/msg/Image", ns, image),
            (INFO, "sensor_msgs/msg/CameraInfo", ns, camera_info(ns, size)),
        ]
    return found


def write_folder(path: Path, messages: Sequence[Message], plugin: StoragePlugin) -> Path:
    """A bag's folder, by rosbags."""
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        topics = {}
        for topic, kind, ns, message in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            writer.write(topics[topic], ns, TYPES.serialize_cdr(message, kind))
    return path


def write_sqlite(path: Path, messages: Sequence[Message]) -> Path:
    """A folder with a .db3 file."""
    return write_folder(path, messages, StoragePlugin.SQLITE3)


def write_mcap(path: Path, messages: Sequence[Message]) -> Path:
    """One .mcap file, by mcap-ros2-support, which knows nothing of rosbags."""
    from mcap_ros2.writer import Writer as Mcap

    with path.open("wb") as stream:
        writer = Mcap(stream)
        schemas = {}
        for topic, kind, ns, message in messages:
            if kind not in schemas:
                text, _ = TYPES.generate_msgdef(kind, ros_version=2)
                schemas[kind] = writer.register_msgdef(kind, text)
            writer.write_message(topic, schemas[kind], _plain(asdict(message)), ns, ns)
        writer.finish()
    return path


def _plain(value: Any) -> Any:
    """Lists and bytes in place of arrays, as mcap-ros2-support wants them."""
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.uint8 else value.tolist()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


WRITERS: dict[str, Callable[[Path, Sequence[Message]], Path]] = {
    "bag.mcap": write_mcap,
    "bag": write_sqlite,
}
