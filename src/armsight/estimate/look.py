"""One look of the network at one box of each image, in pixels of the whole image."""

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
class View:
    """What to look at: a box of an image, through a camera."""

    image: LoadedImage
    K: Array
    """(3, 3) [px] of the whole image"""
    box: Box
    blanked: tuple[Array, ...] = field(default=())
    """Polygons (N, 2) [px] that are painted black, e.g. over an arm that was already found"""


@dataclass(frozen=True)
class Look:
    """What the network said of one view. K keypoints, H hypotheses, J joints."""

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


def look(session: Session, views: Sequence[View], hypotheses: int) -> list[Look]:
    """Run the network on each view.

    Args:
        session: the network.
        views: what to look at.
        hypotheses: how many samples each; 0 for presence and keypoints only.
    """
    looks: list[Look] = []
    size = session.input_size
    for start in range(0, len(views), LARGEST_BATCH):
        batch = views[start : start + LARGEST_BATCH]
        crops = np.stack([_crop(view, size) for view in batch])
        cameras = np.stack([camera_token(view.K, view.box, size) for view in batch])
        reading = session.read(crops, cameras, hypotheses)
        for i, view in enumerate(batch):
            looks.append(
                Look(
                    box=view.box,
                    presence=float(reading.presence[i]),
                    keypoints_2d=to_image(reading.keypoints_2d[i], view.box, size),
                    keypoints_std=reading.keypoints_std[i] * (view.box[2] - view.box[0]) / size,
                    keypoints_seen=reading.keypoints_seen[i],
                    # The network does not know the camera: it tells depth over focal length.
                    keypoints_log_depth=reading.keypoints_log_depth[i] + cameras[i, 0],
                    keypoints_log_depth_std=reading.keypoints_log_depth_std[i],
                    hypotheses=reading.joint_positions[i],
                )
            )
    return looks


def _crop(view: View, size: int) -> NDArray[np.uint8]:
    crop = view.image.cut(view.box, size)
    A = crop_matrix(view.box, size)
    for polygon in view.blanked:
        corners = polygon * A[[0, 1], [0, 1]] + A[:2, 2]
        cv2.fillConvexPoly(crop, np.round(corners).astype(np.int32), (0, 0, 0))
    return crop
