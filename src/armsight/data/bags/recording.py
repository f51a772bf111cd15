"""A bag as a recording: the frames of one camera, and the joint states beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.distortion import Distortion
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.data.bags.bag import JOINT_STATE, Bag, header_ns
from armsight.data.bags.cameras import camera_of_topic
from armsight.data.bags.pictures import pixels_of
from armsight.data.recordings.log_files import joint_log
from armsight.data.recordings.recording import JointLog, ReadFrames, Recording
from armsight.errors import ArmsightError, DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class BagFrames:
    """Frames of one topic, decoded when they are asked for, and without the lens' distortion."""

    path: Path
    topic: str
    count: int
    K: Array | None = None
    distortion: Distortion | None = None

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int]) -> ReadFrames:
        """See `FrameSource`."""
        wanted, images = set(indices), dict[int, Pixels]()
        notes: list[str] = []
        try:
            with Bag(self.path) as bag:
                for i, (_, raw, kind) in enumerate(bag.raw_messages(self.topic)):
                    if i in wanted:
                        self._add(bag, i, raw, kind, images, notes)
                    if i >= max(wanted, default=0):
                        break
        except DatasetError as error:
            notes.append(str(error))
        kept = sorted(images)
        return ReadFrames(tuple(kept), tuple(images[i] for i in kept), tuple(notes))

    def _add(
        self, bag: Bag, i: int, raw: bytes, kind: str, images: dict[int, Pixels], notes: list[str]
    ) -> None:
        try:
            pixels = pixels_of(bag.decode(raw, kind), f"{self.path}, {self.topic}")
        except ArmsightError as error:
            notes.append(f"left out: frame {i}: {error}")
            return
        if self.distortion is not None and self.K is not None:
            pixels = self.distortion.undistorted(pixels, self.K)
        images[i] = pixels


def bag_recording(
    path: Path, robot: Robot, topic: str, state_topic: str | None = None, *, log: bool = True
) -> Recording:
    """The recording of one image topic.

    Args:
        robot: whose joints are looked for.
        state_topic: of the joint states; by default the first that holds the robot's joints.
        log: whether joint states are read at all.

    Raises:
        DatasetError: the bag is damaged, has no such topic, or its joints are not the robot's.
        BadIntrinsicsError: its camera_info makes no sense.
    """
    with Bag(path) as bag:
        stamps = np.array([header_ns(bag.decode(raw, kind)) or ns
                           for ns, raw, kind in bag.raw_messages(topic)])  # fmt: skip
        first = pixels_of(bag.first(topic)[1], f"{path}, {topic}")
        joints = read_joint_states(bag, robot, state_topic) if log else None
        camera = camera_of_topic(bag, topic)
    size = (first.shape[1], first.shape[0])
    recording = Recording(
        name=f"{path}, {topic}",
        source=BagFrames(path, topic, len(stamps)),
        image_size=size,
        frame_times=(stamps - stamps[0]) * 1e-9,
        camera_key=topic,
    )
    if joints is not None:
        stamps_q, found = joints
        times = (stamps_q - stamps[0]) * 1e-9
        recording = replace(recording, log=replace(found, times=times), notes=found.notes)
    return recording if camera is None else _with_camera(recording, camera, path, topic)


def _with_camera(recording: Recording, camera: CameraFile, path: Path, topic: str) -> Recording:
    width, height = recording.image_size
    blank = load_image(np.zeros((height, width, 3), np.uint8))
    found = find_intrinsics(blank, camera=camera)
    return replace(
        recording,
        source=BagFrames(path, topic, len(recording), found.K, found.distortion),
        K=found.K,
        intrinsics_source=found.source,
        notes=(*recording.notes, *found.messages),
    )


def read_joint_states(
    bag: Bag, robot: Robot, topic: str | None = None
) -> tuple[NDArray[np.int64], JointLog] | None:
    """Stamps (M,) [ns] and joint positions of a bag; None where it holds no joint states.

    A topic may carry messages of several publishers, each with joints of its own: the most
    frequent that names this robot's joints is taken.

    Raises:
        DatasetError: there is no such topic, or none holds the robot's joints.
    """
    there = bag.topics(JOINT_STATE)
    if topic is not None and topic not in there:
        raise DatasetError(
            f"{bag.path} has no topic {topic!r} of joint states; valid: "
            f"{', '.join(there) or 'none'}"
        )
    problem: DatasetError | None = None
    for one in [topic] if topic is not None else there:
        try:
            return _states_of(bag, robot, one)
        except DatasetError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def _states_of(bag: Bag, robot: Robot, topic: str) -> tuple[NDArray[np.int64], JointLog]:
    groups: dict[tuple[str, ...], list[tuple[int, Array]]] = defaultdict(list)
    for ns, message in bag.messages(topic):
        if len(message.name) == len(message.position):
            groups[tuple(message.name)].append((ns, np.asarray(message.position, dtype=float)))
    problem = DatasetError(f"{bag.path}, {topic} has no message with names and positions")
    for names, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        stamps = np.array([ns for ns, _ in rows])
        rising = np.flatnonzero(np.diff(np.maximum.accumulate(stamps), prepend=stamps[0] - 1) > 0)
        values = np.stack([rows[i][1] for i in rising])
        try:
            return stamps[rising], joint_log(names, values, robot, f"{bag.path}, {topic}")
        except DatasetError as error:
            problem = error
    raise problem
