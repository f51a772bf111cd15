"""Estimates as ROS 2 messages in an MCAP file, beside the pictures that they were read from.

    /armsight/joint_states       sensor_msgs/JointState, `position` [rad]
    /armsight/joint_std          sensor_msgs/JointState, `position` holds one std of each [rad]
    /armsight/confidence         std_msgs/Float64, in [0, 1]
    /armsight/image/compressed   sensor_msgs/CompressedImage, the picture with the overlay (JPEG)
    /tf                          tf2_msgs/TFMessage, the camera's optical frame in the base's

Stamps are those of the pictures. A frame without an answer has a confidence and a picture only.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.extrinsics_files import quaternion_xyzw
from armsight.data.bags.bag import COMPRESSED, JOINT_STATE, import_rosbags
from armsight.errors import MissingExtraError, OutputError
from armsight.geometry import invert_transform
from armsight.outputs.files import GrowingFile
from armsight.outputs.sink import Shot
from armsight.robots import Robot
from armsight.state import Estimate
from armsight.viz.overlay import draw_overlay

Array = NDArray[np.floating]

JPEG_QUALITY = 85
FLOAT, TF, TRANSFORM = "std_msgs/msg/Float64", "tf2_msgs/msg/TFMessage", "geometry_msgs/msg/"
TOPICS = {
    "/armsight/joint_states": JOINT_STATE,
    "/armsight/joint_std": JOINT_STATE,
    "/armsight/confidence": FLOAT,
    "/armsight/image/compressed": COMPRESSED,
    "/tf": TF,
}


@dataclass(frozen=True)
class Stamp:
    """What messages about a film have in common."""

    start_ns: int = 0
    """Of the first picture"""
    frame_id: str = "camera_optical"
    """The camera's optical frame: x right, y down, z forward"""


class RosBag:
    """An MCAP file of messages; needs rosbags and mcap (extra `ros`)."""

    def __init__(self, target: Path, robot: Robot, about: Stamp, pictures: bool = True) -> None:
        """Begin a file.

        Args:
            robot: that is drawn, and whose first link is the base frame.
            pictures: whether pictures with overlays are written.

        Raises:
            MissingExtraError: a package is missing.
            OutputError: the file cannot be written.
        """
        self._types, writer = _libraries()
        self._robot, self._about, self._pictures = robot, about, pictures
        self._file = GrowingFile(target)
        self._stream = self._file.path.open("wb")
        self._broken = False
        self._mcap = writer(self._stream)
        self._mcap.start(profile="ros2", library="armsight")
        self._channels: dict[str, int] = {}
        schemas: dict[str, int] = {}
        for topic, kind in TOPICS.items():
            if kind not in schemas:
                text, _ = self._types.generate_msgdef(kind, ros_version=2)
                schemas[kind] = self._mcap.register_schema(kind, "ros2msg", text.encode())
            self._channels[topic] = self._mcap.register_channel(topic, "cdr", schemas[kind])

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Add the messages of a frame.

        Raises:
            OutputError: the disk is full.
        """
        ns = self._about.start_ns + round(shot.time * 1e9)
        message = self._types.types
        header = self._header(ns, self._about.frame_id)
        messages: dict[str, Any] = {"/armsight/confidence": message[FLOAT](estimate.confidence)}
        if estimate.joint_positions is not None:
            joints = self._joints(ns, estimate.joint_names, estimate.joint_positions)
            messages["/armsight/joint_states"] = joints
        if estimate.joint_std is not None:
            std = self._joints(ns, estimate.joint_names, estimate.joint_std)
            messages["/armsight/joint_std"] = std
        if estimate.T_cam_base is not None:
            messages["/tf"] = self._tf(ns, invert_transform(estimate.T_cam_base))
        if self._pictures:
            drawn = draw_overlay(shot.image.pixels, estimate, self._robot, resize=False)
            data = np.frombuffer(_jpeg(drawn), np.uint8)
            messages["/armsight/image/compressed"] = message[COMPRESSED](header, "jpeg", data)
        try:
            for topic, one in messages.items():
                data = self._types.serialize_cdr(one, TOPICS[topic])
                self._mcap.add_message(self._channels[topic], ns, bytes(data), ns, shot.index)
        except OSError as error:
            self._broken = True
            raise OutputError(f"cannot write {self._file.target}: {error.strerror}") from error

    def close(self, keep: bool) -> None:
        """See `Sink`. A file that a full disk cut short is removed: no reader would take it."""
        try:
            if not self._broken:
                self._mcap.finish()
                self._stream.flush()
        except OSError as error:
            self._broken = True
            raise OutputError(f"cannot write {self._file.target}: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):  # it would try once more what failed
                self._stream.close()
            self._file.finish(keep and not self._broken)

    def _header(self, ns: int, frame_id: str) -> Any:
        types = self._types.types
        time = types["builtin_interfaces/msg/Time"](ns // 10**9, ns % 10**9)
        return types["std_msgs/msg/Header"](time, frame_id)

    def _joints(self, ns: int, names: tuple[str, ...], values: Array) -> Any:
        none = np.zeros(0)
        header = self._header(ns, "")
        position = np.ascontiguousarray(values, dtype=np.float64)
        return self._types.types[JOINT_STATE](header, list(names), position, none, none)

    def _tf(self, ns: int, T_base_cam: Array) -> Any:
        """Where the camera is, below the base: a robot's base may have a parent already."""
        types = self._types.types
        x, y, z = (float(value) for value in T_base_cam[:3, 3])
        turn = (float(value) for value in quaternion_xyzw(T_base_cam[:3, :3]))
        transform = types[TRANSFORM + "Transform"](
            types[TRANSFORM + "Vector3"](x, y, z), types[TRANSFORM + "Quaternion"](*turn)
        )
        header = self._header(ns, self._robot.link_names[0])
        stamped = types[TRANSFORM + "TransformStamped"](header, self._about.frame_id, transform)
        return types[TF]([stamped])


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _libraries() -> tuple[Any, Any]:
    """Message types of ROS 2 Humble, and the class that writes MCAP."""
    rosbags = import_rosbags()
    try:
        from mcap.writer import Writer
    except ImportError:
        raise MissingExtraError("writing MCAP", "mcap", "pip install 'armsight[ros]'") from None
    return rosbags.typesys.get_typestore(rosbags.typesys.Stores.ROS2_HUMBLE), Writer
