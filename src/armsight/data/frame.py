"""One labelled picture of a robot, and a set of them, whatever layout they were read from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.errors import DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class Frame:
    """A picture and what is known about it; None where the data set does not say."""

    name: str
    """Unique in its data set, e.g. '000017'"""
    image_path: Path
    image_size: tuple[int, int]
    """Width, height [px]"""
    K: Array | None = None
    """(3, 3) [px], pixel centres at integers"""
    joint_positions: Array | None = None
    """(J,) [rad], in the order of the robot's joint names"""
    keypoint_names: tuple[str, ...] = ()
    keypoints_2d: Array | None = None
    """(K, 2) [px], in the order of `keypoint_names`; may lie outside of the picture"""
    keypoints_3d_cam: Array | None = None
    """(K, 3) [m], camera frame"""
    keypoints_visible: NDArray[np.uint8] | None = None
    """(K,): 0 out of frame or behind something else, 1 in sight, 2 behind the arm itself"""
    T_cam_base: Array | None = None
    """(4, 4) [m]"""
    mask_path: Path | None = None
    """Picture of the same size that is white where the robot is in sight"""
    robot_in_view: bool = True
    """False: nobody, or only another robot, is in the picture"""
    other_robot: str | None = None
    """Name of another robot that is in view, if the data set says so"""

    def load_image(self) -> NDArray[np.uint8]:
        """The picture as RGB (H, W, 3).

        Raises:
            DatasetError: the file is missing, truncated, or not of the size that was announced.
        """
        try:
            with Image.open(self.image_path) as image:
                pixels = np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DatasetError(
                f"cannot read picture {self.image_path}: {error}. Copy the data set again, or "
                f"remove frame {self.name} with its labels."
            ) from error
        if (pixels.shape[1], pixels.shape[0]) != self.image_size:
            raise DatasetError(
                f"picture {self.image_path} is {pixels.shape[1]}x{pixels.shape[0]}, but its labels "
                f"are for {self.image_size[0]}x{self.image_size[1]}: the pixels of the labels "
                "would be wrong. Use the picture in its original size."
            )
        return pixels


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures of one robot."""

    path: Path
    layout: str
    """'ndds', 'joint-folder' or 'images'"""
    robot: Robot
    frames: tuple[Frame, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the results should know, e.g. how the units were told"""

    @property
    def fingerprint(self) -> str:
        """Changes when a frame is added, removed or labelled differently (not with its pixels)."""
        digest = hashlib.sha256(self.robot.name.encode())
        for frame in self.frames:
            digest.update(f"\n{frame.name} {frame.image_size} {frame.robot_in_view}".encode())
            for values in (frame.K, frame.joint_positions, frame.keypoints_3d_cam):
                if values is not None:
                    digest.update(np.asarray(values, dtype=np.float64).tobytes())
        return digest.hexdigest()[:16]


def image_size(path: Path) -> tuple[int, int]:
    """Width, height [px] of a picture, from its header alone.

    Raises:
        DatasetError: the file is not a picture.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"cannot read picture {path}: {error}. Copy the data set again, or remove the frame."
        ) from error


def read_text(path: Path) -> str:
    """Text of a label file.

    Raises:
        DatasetError: it is missing or not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}: {error}. Copy the data set again.") from error
