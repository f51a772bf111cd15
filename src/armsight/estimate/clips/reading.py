"""What the network and the edges say of each frame of a clip, small enough to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import whole_frame
from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import Intrinsics
from armsight.camera.still_camera import Background, small_grey
from armsight.estimate.crop_reading import Crop, CropReading, read_crops
from armsight.estimate.estimator import Estimator
from armsight.estimate.tuning import Tuning
from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.edges import EdgeMap
from armsight.fit.measurements import LARGEST_STD, SMALLEST_STD
from armsight.geometry import crop_intrinsics, rotation_from_rotvec
from armsight.robots import Robot

Array = NDArray[np.floating]

LEAST_PRESENCE = 0.5
"""Presence from which on a frame has a say. Less than for single images: one frame among many can
neither invent an arm nor move the camera."""
AS_MANY = 1.0
"""A crop has lost the arm where it shows fewer keypoints than the whole frame, by more than
this."""


@dataclass(frozen=True)
class FrameReading:
    """One frame."""

    crop: CropReading
    edges: EdgeMap | None
    """None where contours are not asked for, or no arm was seen"""
    R_now_reference: Array = field(default_factory=lambda: np.eye(3))
    """(3, 3) the camera's turn since the reference picture, which was taken out before reading"""

    @property
    def has_arm(self) -> bool:
        return self.crop.presence >= LEAST_PRESENCE and len(self.crop.hypotheses) > 0


class Steady:
    """Turns pictures of a camera that sways back to where its reference picture was taken."""

    def __init__(self, background: Background | None, K: Array) -> None:
        """Take out the turn since `background`; nothing where that is None."""
        self._background = background
        self._K = K
        self._last: Array = np.eye(3)

    def __call__(self, image: LoadedImage) -> tuple[LoadedImage, Array]:
        """The picture as the reference camera would have taken it, and its turn (3, 3).

        Where the background is not found again, the last picture's turn is taken.
        """
        if self._background is None:
            return image, self._last
        focal = self._K[0, 0] / max(image.width, image.height)
        turn = self._background.turn(small_grey(image.pixels), float(focal))
        if turn is not None:
            self._last = rotation_from_rotvec(turn)
        h, w = image.pixels.shape[:2]
        K = crop_intrinsics(self._K, (-0.5, -0.5, image.width - 0.5, image.height - 0.5), w)
        H = K @ self._last.T @ np.linalg.inv(K)
        steady = cv2.warpPerspective(image.pixels, H, (w, h), borderMode=cv2.BORDER_REPLICATE)
        return replace(image, pixels=np.asarray(steady, np.uint8)), self._last


def read_frames(
    estimator: Estimator,
    images: Sequence[LoadedImage],
    intrinsics: Intrinsics,
    hypotheses: int,
    outline: bool,
    steady: Steady,
) -> list[FrameReading]:
    """Read each frame for itself: the whole frame, then a box around what was seen of the arm.

    A video's frames are not followed from box to box here: where a wrist is far from its base, a
    box soon holds one of the two only, and never finds the other again.
    """
    turned = [steady(intrinsics.undistort(image)) for image in images]
    images = [image for image, _ in turned]
    whole = read_crops(
        estimator.session,
        [Crop(one, intrinsics.K, whole_frame(one.width, one.height)) for one in images],
        hypotheses,
    )
    there = [i for i, seen in enumerate(whole) if seen.presence >= estimator.tuning.first_look]
    crops = read_crops(
        estimator.session,
        [Crop(images[i], intrinsics.K, estimator.box(whole[i])) for i in there],
        hypotheses,
    )
    best = list(whole)
    for i, crop in zip(there, crops, strict=True):
        enough = crop.keypoints_seen.sum() >= whole[i].keypoints_seen.sum() - AS_MANY
        if crop.presence >= LEAST_PRESENCE and enough:
            best[i] = crop
    readings = [FrameReading(seen, None, R) for seen, (_, R) in zip(best, turned, strict=True)]
    if not outline:
        return readings
    return [
        replace(one, edges=_edges(image, intrinsics, one.crop)) if one.has_arm else one
        for one, image in zip(readings, images, strict=True)
    ]


def _edges(image: LoadedImage, intrinsics: Intrinsics, seen: CropReading) -> EdgeMap:
    edges = EdgeMap(image.pixels, intrinsics.K, (image.width, image.height), seen.box)
    edges.compress()
    return edges


def clip_keypoints(
    robot: Robot, tuning: Tuning, K: Array, readings: Sequence[FrameReading]
) -> ClipKeypoints:
    """The keypoints of all frames; those of frames without an arm count as not measured."""
    crops = [one.crop for one in readings]
    has_arm = np.array([one.has_arm for one in readings])
    seen = np.stack([one.keypoints_seen for one in crops]) >= tuning.keypoint_seen
    std = np.stack([one.keypoints_std for one in crops]) * tuning.calibration.keypoint_scale
    measured = seen & has_arm[:, None] & (std < LARGEST_STD * K[0, 0])
    depth_std = tuning.depth_scale * np.stack([one.keypoints_log_depth_std for one in crops])
    return ClipKeypoints(
        robot,
        K,
        np.stack([one.keypoints_2d for one in crops]),
        np.where(measured, np.maximum(std, SMALLEST_STD), np.inf),
        np.stack([one.keypoints_log_depth for one in crops]),
        np.where(measured, depth_std, np.inf),
    )


def clip_samples(robot: Robot, readings: Sequence[FrameReading]) -> list[Array]:
    """The hypotheses (S, J) [rad] of each frame; none where there is no arm."""
    nothing = np.zeros((0, len(robot.joint_names)))
    return [robot.clip(one.crop.hypotheses) if one.has_arm else nothing for one in readings]
