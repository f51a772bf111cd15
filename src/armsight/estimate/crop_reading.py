"""What the network says of boxes of images, in pixels of the whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import Box, camera_token, to_image
from armsight.camera.image import LoadedImage
from armsight.estimate.session import Session
from armsight.geometry import crop_matrix

Array = NDArray[np.floating]

LARGEST_BATCH = 8
"""Crops in one run of the network: more would cost memory and save no time."""


@dataclass(frozen=True)
class Crop:
    """A box of an image, seen through a camera."""

    image: LoadedImage
    K: Array
    """(3, 3) [px] of the whole image"""
    box: Box
    blanked: tuple[Array, ...] = field(default=())
    """Polygons (N, 2) [px] that are painted black, e.g. over an arm that was already found"""


@dataclass(frozen=True)
class CropReading:
    """What the network said of one crop. K keypoints, H hypotheses, J joints."""

    box: Box
    presence: float
    """Probability that the robot is in the box"""
    keypoints_2d: Array
    """(K, 2) [px]"""
    keypoints_std: Array
    """(K,) [px]"""
    keypoints_seen: Array
    """(K,) probability"""
    keypoints_log_depth: Array
    """(K,) log of the depth [m] along the optical axis"""
    keypoints_log_depth_std: Array
    """(K,) infinite where the weights do not tell it"""
    hypotheses: Array
    """(H, J) [rad]"""


def read_crops(session: Session, crops: Sequence[Crop], hypotheses: int) -> list[CropReading]:
    """Run the network on each crop.

    Args:
        session: the network.
        crops: what is to be read.
        hypotheses: how many samples each; 0 for presence and keypoints only.
    """
    readings: list[CropReading] = []
    size = session.input_size
    for start in range(0, len(crops), LARGEST_BATCH):
        batch = crops[start : start + LARGEST_BATCH]
        pixels = np.stack([_pixels(crop, size) for crop in batch])
        cameras = np.stack([camera_token(crop.K, crop.box, size) for crop in batch])
        reading = session.read(pixels, cameras, hypotheses)
        for i, crop in enumerate(batch):
            readings.append(
                CropReading(
                    box=crop.box,
                    presence=float(reading.presence[i]),
                    keypoints_2d=to_image(reading.keypoints_2d[i], crop.box, size),
                    keypoints_std=reading.keypoints_std[i] * (crop.box[2] - crop.box[0]) / size,
                    keypoints_seen=reading.keypoints_seen[i],
                    # The network does not know the camera: it tells depth over focal length.
                    keypoints_log_depth=reading.keypoints_log_depth[i] + cameras[i, 0],
                    keypoints_log_depth_std=reading.keypoints_log_depth_std[i],
                    hypotheses=reading.joint_positions[i],
                )
            )
    return readings


def _pixels(crop: Crop, size: int) -> NDArray[np.uint8]:
    pixels = crop.image.cut(crop.box, size)
    A = crop_matrix(crop.box, size)
    for polygon in crop.blanked:
        corners = polygon * A[[0, 1], [0, 1]] + A[:2, 2]
        cv2.fillConvexPoly(pixels, np.round(corners).astype(np.int32), (0, 0, 0))
    return pixels
