"""Which image topics a bag has, and the camera_info that belongs to each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from armsight.camera.camera_file import CameraFile, camera_of
from armsight.data.bags.bag import CAMERA_INFO, COMPRESSED, IMAGE, Bag
from armsight.data.bags.pictures import is_colour
from armsight.errors import BadIntrinsicsError, DatasetError

PACKED = "/compressed"
"""End of the names of compressed topics: the same pictures as those of the topic before it"""


def image_topics(bag: Bag) -> dict[str, int]:
    """The topics with colour or grey pictures and their numbers of messages, each camera once.

    Raises:
        DatasetError: there is none; the message names what there is.
    """
    found = {
        topic: count
        for topic, count in bag.topics(IMAGE, COMPRESSED).items()
        if is_colour(bag.first(topic)[1])
    }
    if not found:
        raise DatasetError(
            f"{bag.path} has no topic of pictures ({IMAGE} or {COMPRESSED}, not of depth); it has "
            f"{bag.other_topics() or 'no topics'}"
        )
    return {
        t: n
        for t, n in found.items()
        if t.removesuffix(PACKED) not in found or t[-len(PACKED) :] != PACKED
    }


def choose_topics(path: Path, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The image topics of a bag that are asked for; all by default.

    Raises:
        DatasetError: the bag cannot be read, or has no such topic.
        MissingExtraError: rosbags is not installed.
    """
    with Bag(path) as bag:
        there = image_topics(bag)
        every = bag.topics(IMAGE, COMPRESSED)
    if odd := [topic for topic in wanted if topic not in every]:
        raise DatasetError(f"{path} has no image topic {', '.join(odd)}; valid: {', '.join(there)}")
    return tuple(wanted) or tuple(there)


def camera_of_topic(bag: Bag, topic: str) -> CameraFile | None:
    """The intrinsics that the bag tells of an image topic; None where it tells none.

    A topic's camera_info lies beside it; where there is none, the bag's only one counts if it is
    of the same frame. Pictures of a rectified topic have P for their K, and no distortion.

    Raises:
        BadIntrinsicsError: it makes no sense.
        DatasetError: the bag is damaged.
    """
    infos = bag.topics(CAMERA_INFO)
    beside = f"{topic.removesuffix(PACKED).rpartition('/')[0]}/camera_info"
    named = beside in infos
    if not named and len(infos) != 1:
        return None
    chosen = beside if named else next(iter(infos))
    _, message = bag.first(chosen)
    if not named and message.header.frame_id != bag.first(topic)[1].header.frame_id:
        return None
    rectified = "rect" in topic.removesuffix(PACKED).rpartition("/")[2]
    return camera_of_message(message, f"{bag.path}, {chosen}", rectified=rectified)


def camera_of_message(
    message: Any, where: str = "camera_info", *, rectified: bool = False
) -> CameraFile | None:
    """The intrinsics of a sensor_msgs/CameraInfo; None where it has none.

    Args:
        rectified: of rectified pictures, whose camera is P.

    Raises:
        BadIntrinsicsError: it makes no sense.
    """
    document = _document(message)
    if not any(document["k"]):
        return None  # drivers send zeros where the camera was not calibrated
    if rectified and any(document["p"]):
        P = document["p"]
        document |= {"k": [*P[0:3], *P[4:7], *P[8:11]], "d": [], "p": None}
    try:
        return camera_of(document, Path(where))
    except (ValueError, TypeError) as error:
        raise BadIntrinsicsError(f"{where}: {error}") from error


def _document(message: Any) -> dict[str, Any]:
    """A CameraInfo message as the mapping that a file of it holds."""
    roi = {
        name: int(getattr(message.roi, name))
        for name in ("x_offset", "y_offset", "width", "height")
    }
    return {
        "width": int(message.width),
        "height": int(message.height),
        "distortion_model": str(message.distortion_model),
        "d": [float(value) for value in message.d],
        "k": [float(value) for value in message.k],
        "p": [float(value) for value in message.p],
        "binning_x": int(message.binning_x),
        "binning_y": int(message.binning_y),
        "roi": roi,
    }


def first_header(path: Path, topic: str) -> tuple[int, str]:
    """Stamp [ns] and frame of an image topic's first message.

    Raises: as `Bag`.
    """
    with Bag(path) as bag:
        ns, message = bag.first(topic)
    return ns, str(message.header.frame_id)
