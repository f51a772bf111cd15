"""Where is the camera of a clip, and does it stand still? Told from frames all over it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import LOG_FOCAL_STD, Intrinsics
from armsight.camera.still_camera import Background, Stillness, camera_stands_still, small_grey
from armsight.estimate.clips.reading import (
    FrameReading,
    Steady,
    clip_keypoints,
    clip_samples,
    read_frames,
)
from armsight.estimate.estimator import Estimator
from armsight.fit.clip.find_camera import find_camera
from armsight.fit.clip.shared_camera import SharedCamera

Array = NDArray[np.floating]

NUM_SURVEYED = 48
"""Frames, spread over the video, from which the camera is found"""
SURVEYED_SIDE = 960
"""[px] Longer side of these frames while they are kept"""
FEWEST_FRAMES = 3
"""Frames with a plain arm that finding a camera takes"""
FOCAL_STD = {**LOG_FOCAL_STD, "assumed": 0.2}
"""of the log focal length, by where the intrinsics come from. What films robots is no extreme lens,
and keypoints of many frames pull at a focal length that is held loosely"""
BATCH = 8


class VideoFrame(Protocol):
    """A frame as `armsight.data.video` reads it."""

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def pixels(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Survey:
    """Frames from all over a video, at even distances."""

    times: tuple[float, ...]
    images: tuple[LoadedImage, ...]
    stillness: Stillness


def survey(frames: Iterable[VideoFrame]) -> Survey:
    """Look through a whole video once.

    At most 2 * NUM_SURVEYED frames are kept at a time: whenever there are more, every other one
    is dropped. A video that breaks off in the middle is surveyed up to there.
    """
    kept: list[tuple[float, LoadedImage, NDArray[np.uint8]]] = []
    stride = 1
    for frame in frames:
        if frame.index % stride:
            continue
        kept.append((frame.time, _shrunk(frame.pixels), small_grey(frame.pixels)))
        if len(kept) > 2 * NUM_SURVEYED:
            kept, stride = kept[::2], 2 * stride
    stillness = camera_stands_still([grey for _, _, grey in kept])
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), NUM_SURVEYED)).astype(int))
    return Survey(tuple(kept[i][0] for i in chosen), tuple(kept[i][1] for i in chosen), stillness)


def shared_camera(
    estimator: Estimator,
    images: list[LoadedImage],
    intrinsics: Intrinsics,
    times: Array | None = None,
    *,
    outline: bool = True,
    background: Background | None = None,
) -> tuple[SharedCamera, list[FrameReading]] | None:
    """The one camera that took all images of an arm, whose joints differ from image to image.

    Args:
        estimator: reads each image.
        images: any number of photos or frames.
        intrinsics: of all of them.
        times: (N,) [s], rising, where they are frames of a video.
        outline: use the arm's contours, which is more exact and takes longer.
        background: of a camera that sways; the pose found is that of its picture.

    None where the arm is plain in fewer than three images, or no image tells the camera.
    """
    hypotheses = estimator.session.num_hypotheses
    steady = Steady(background, intrinsics.K)
    readings: list[FrameReading] = []
    for i in range(0, len(images), BATCH):
        readings += read_frames(
            estimator, images[i : i + BATCH], intrinsics, hypotheses, outline, steady
        )
    plain = [one.crop.presence >= estimator.tuning.robot_found for one in readings]
    if sum(plain) < FEWEST_FRAMES:
        return None
    kept = [n for n, one in enumerate(readings) if one.has_arm]
    used = [readings[n] for n in kept]
    camera = find_camera(
        clip_keypoints(estimator.robot, estimator.tuning, intrinsics.K, used),
        clip_samples(estimator.robot, used),
        [one.edges for one in used] if outline else [],
        FOCAL_STD[intrinsics.source],
        estimator.tuning.prior_std,
        None if times is None else times[kept],
    )
    return None if camera is None else (camera, readings)


def _shrunk(pixels: NDArray[np.uint8]) -> LoadedImage:
    """A frame in a size that can be kept."""
    image = load_image(pixels)
    factor = SURVEYED_SIDE / max(pixels.shape[:2])
    if factor >= 1:
        return replace(image, pixels=image.pixels.copy())
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return replace(image, pixels=small)
