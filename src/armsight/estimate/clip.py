"""A video of a camera that stands still: one camera for all frames, and smooth joint paths.

1. Survey: frames from all over the video say whether the camera stands still, and where it is
   (armsight.fit.clip.find_camera).
2. Windows: the frames are read by the network, some hundred at a time; each window's joints are
   read both ways in time with that camera (armsight.fit.clip.path). Windows overlap, so that every
   answer has seen what follows. Memory does not grow with the video's length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.estimate.clip_answer import frame_estimates
from armsight.estimate.clip_reading import (
    FrameReading,
    clip_keypoints,
    clip_samples,
    read_frames,
)
from armsight.estimate.clip_survey import BATCH, VideoFrame, shared_camera, survey
from armsight.estimate.estimator import Estimator, check_hypotheses
from armsight.fit.clip.path import follow_path
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.state import UNRELIABLE_SOURCES, Estimate

Array = NDArray[np.floating]

WINDOW, OVERLAP = 100, 20
"""Frames answered at a time, and further ones on either side"""


def clip_reader(
    estimator: Estimator,
    frames: Iterable[VideoFrame],
    K: ArrayLike | None = None,
    num_hypotheses: int | None = None,
    *,
    camera: CameraFile | None = None,
    fov_deg: float | None = None,
    outline: bool = True,
    still: bool | None = None,
) -> tuple[ClipReader | None, str]:
    """A reader for a video whose camera stands still, and a message for people.

    Args:
        estimator: reads each frame.
        frames: all of the video, which is looked through once.
        K, num_hypotheses, camera, fov_deg: as for `Estimator.__call__`.
        outline: use the arm's contours, which is more exact and takes longer.
        still: whether the camera stands still; None: look.

    None where the camera moves, or the arm is hardly seen: `Tracker` reads such videos.

    Raises:
        BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense.
    """
    hypotheses = check_hypotheses(num_hypotheses, estimator.session.num_hypotheses)
    seen = survey(frames)
    if not seen.images:
        return None, "no frame could be read"
    intrinsics = find_intrinsics(seen.images[0], K, camera, fov_deg)
    verdict = seen.stillness.still if still is None else still
    by_itself = "every frame is read by itself"
    if verdict is None:
        return None, (
            f"cannot tell whether the camera stands still, since {seen.stillness.reason}: "
            f"{by_itself} (--static-camera yes if it does)"
        )
    if not verdict:
        return None, f"camera moves: {by_itself}" if still is None else by_itself
    found = shared_camera(
        estimator, list(seen.images), intrinsics, np.array(seen.times), outline=outline
    )
    if found is None:
        return None, (
            f"camera stands still, but the arm is plain in too few frames to tell where the "
            f"camera is: {by_itself}"
        )
    reader = ClipReader(estimator, found[0], intrinsics, outline=outline, num_hypotheses=hypotheses)
    return reader, still_camera_message(found[0], intrinsics)


class ClipReader:
    """Estimates of a video's frames, for a camera that is known."""

    def __init__(
        self,
        estimator: Estimator,
        camera: SharedCamera,
        intrinsics: Intrinsics,
        *,
        outline: bool = True,
        num_hypotheses: int | None = None,
    ) -> None:
        """Read with a camera from `shared_camera`."""
        self._estimator = estimator
        self._camera = camera
        self._intrinsics = intrinsics
        self._outline = outline
        self._hypotheses = num_hypotheses or estimator.session.num_hypotheses

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[Estimate]:
        """The state in each frame, in order, one window after the other.

        What `frames` raises is raised after the estimates of the frames before it.
        """
        window: list[FrameReading] = []
        times: list[float] = []
        begin = 0  # of the frames that are still to be answered
        before: Array | None = None
        error: Exception | None = None
        images = self._batches(frames)
        while True:
            try:
                batch_times, readings = next(images)
            except StopIteration:
                break
            except Exception as caught:
                error = caught
                break
            times += batch_times
            window += readings
            if len(window) >= begin + WINDOW + OVERLAP:
                end = begin + WINDOW
                estimates = self._answers(window, times, before)
                yield from estimates[begin:end]
                keep = max(0, end - OVERLAP)
                before = estimates[keep].joint_positions
                window, times, begin = window[keep:], times[keep:], end - keep
        if len(window) > begin:
            yield from self._answers(window, times, before)[begin:]
        if error is not None:
            raise error

    def _batches(
        self, frames: Iterable[VideoFrame]
    ) -> Iterator[tuple[list[float], list[FrameReading]]]:
        times: list[float] = []
        images: list[LoadedImage] = []

        def read() -> tuple[list[float], list[FrameReading]]:
            readings = read_frames(
                self._estimator, images, self._intrinsics, self._hypotheses, self._outline
            )
            return times, readings

        try:
            for frame in frames:
                times.append(frame.time)
                images.append(load_image(frame.pixels))
                if len(images) == BATCH:
                    yield read()
                    times, images = [], []
        except Exception:
            if images:
                yield read()
            raise
        if images:
            yield read()

    def _answers(
        self, window: list[FrameReading], times: list[float], before: Array | None
    ) -> list[Estimate]:
        estimator = self._estimator
        path = follow_path(
            clip_keypoints(estimator.robot, estimator.tuning, self._intrinsics.K, window),
            clip_samples(estimator.robot, window),
            [one.edges for one in window] if self._outline else [],
            _rising(times),
            self._camera,
            estimator.tuning.prior_std,
            before,
        )
        return frame_estimates(
            estimator.robot, estimator.tuning, window, path, self._camera, self._intrinsics
        )


def still_camera_message(camera: SharedCamera, intrinsics: Intrinsics) -> str:
    """For people: that one pose holds for all frames, and a focal length that was found."""
    text = "camera stands still: one pose for all frames"
    if intrinsics.source in UNRELIABLE_SOURCES:
        focal = camera.K(intrinsics.K)[0, 0]
        std = focal * float(np.sqrt(camera.covariance[6, 6]))
        text += f"; focal length {focal:.0f} ± {std:.0f} px from the arm itself"
    return text


def _rising(times: list[float]) -> Array:
    """Times [s] that rise: damaged files repeat their time stamps."""
    rising = np.array(times)
    for n in range(1, len(rising)):
        rising[n] = max(rising[n], rising[n - 1] + 1e-3)
    return rising
