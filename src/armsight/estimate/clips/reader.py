"""A video of a camera that stands still: one camera for all frames, and smooth joint paths.

1. Survey: frames from all over the video say whether the camera stands still, and where it is
   (armsight.fit.clip.find_camera).
2. Windows: the frames are read by the network, some hundred at a time; each window's joints are
   read both ways in time with that camera (armsight.fit.clip.path). A window begins where the last
   one's answers end, and looks ahead of its own. Memory does not grow with a video's length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.camera.still_camera import Background, Stillness
from armsight.estimate.clips.answer import frame_estimates
from armsight.estimate.clips.reading import (
    FrameReading,
    Steady,
    clip_keypoints,
    clip_samples,
    read_frames,
)
from armsight.estimate.clips.survey import BATCH, VideoFrame, shared_camera, survey
from armsight.estimate.estimator import Estimator, check_hypotheses
from armsight.fit.clip.path import ClipPath, follow_path
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.prefetch import prefetch
from armsight.state import UNRELIABLE_SOURCES, Estimate

Array = NDArray[np.floating]

WINDOW, LOOK_AHEAD = 100, 30
"""Frames that are answered at a time, and how many more are read before the last of them are
answered"""


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
    read_ahead: bool = False,
) -> tuple[ClipReader | None, str]:
    """A reader for a video whose camera stands still, and a message for people.

    Args:
        estimator: reads each frame.
        frames: all of the video, which is looked through once.
        K, num_hypotheses, camera, fov_deg: as for `Estimator.__call__`.
        outline: use the arm's contours, which is more exact and takes longer.
        still: whether the camera stands still; None: look.
        read_ahead: see `ClipReader`.

    None where the camera moves, or the arm is hardly seen: `Tracker` reads such videos.

    Raises:
        BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense.
    """
    hypotheses = check_hypotheses(num_hypotheses, estimator.session.num_hypotheses)
    seen = survey(frames)
    if not seen.images:
        return None, "no frame could be read"
    intrinsics = find_intrinsics(seen.images[0], K, camera, fov_deg)
    verdict, background = seen.stillness.verdict, seen.stillness.background
    if still and verdict != "sways":
        verdict = "still"
    by_itself = "every frame is read by itself"
    if verdict == "unknown":
        return None, (
            f"cannot tell whether the camera stands still, since {seen.stillness.reason}: "
            f"{by_itself} (--static-camera yes if it does)"
        )
    if verdict == "moves":
        return None, f"camera moves: {by_itself}"
    found = shared_camera(
        estimator, list(seen.images), intrinsics, np.array(seen.times), outline=outline,
        background=background,
    )  # fmt: skip
    if found is None:
        return None, (
            f"camera stands still, but the arm is plain in too few frames to tell where the "
            f"camera is: {by_itself}"
        )
    reader = ClipReader(
        estimator, found[0], intrinsics, hypotheses, outline=outline, background=background,
        read_ahead=read_ahead,
    )  # fmt: skip
    return reader, still_camera_message(found[0], intrinsics, seen.stillness)


class ClipReader:
    """Estimates of a video's frames, for a camera that is known."""

    def __init__(
        self,
        estimator: Estimator,
        camera: SharedCamera,
        intrinsics: Intrinsics,
        num_hypotheses: int,
        *,
        outline: bool = True,
        background: Background | None = None,
        read_ahead: bool = False,
    ) -> None:
        """Read with a camera from `shared_camera`; arguments as there.

        Args:
            read_ahead: let the network read the next window's frames while the joints of this one
                are solved: the same answers, with two cores busy.
        """
        self._estimator = estimator
        self._camera = camera
        self._intrinsics = intrinsics
        self._outline = outline
        self._hypotheses = num_hypotheses
        self._background = background
        self._ahead = (WINDOW + LOOK_AHEAD) // BATCH if read_ahead else 0

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[Estimate]:
        """The state in each frame, in order, one window after the other.

        What `frames` raises is raised after the estimates of the frames before it.
        """
        window: list[FrameReading] = []
        times: list[float] = []
        path: ClipPath | None = None
        answered = 0  # of the window's frames: the last one before those still to be answered
        before: tuple[Array, Array] | None = None
        error: Exception | None = None
        batches = self._batches(frames)
        if self._ahead:
            batches = prefetch(batches, self._ahead)
        while True:
            try:
                batch_times, readings = next(batches)
            except StopIteration:
                break
            except Exception as caught:  # raised again, after the last answer
                error = caught
                break
            times += batch_times
            window += readings
            if len(window) >= answered + WINDOW + LOOK_AHEAD:
                end = answered + WINDOW
                path = self._path(window, times, before)
                yield from self._estimates(window[answered:end], path, slice(answered, end))
                before = None
                if path is not None:
                    before = path.state[end - 1], path.state_covariance[end - 1]
                window, times, answered = window[end - 1 :], times[end - 1 :], 1
        if len(window) > answered:
            path = self._path(window, times, before)
            yield from self._estimates(window[answered:], path, slice(answered, None))
        if error is not None:
            raise error

    def _batches(
        self, frames: Iterable[VideoFrame]
    ) -> Iterator[tuple[list[float], list[FrameReading]]]:
        times: list[float] = []
        images: list[LoadedImage] = []
        steady = Steady(self._background, self._intrinsics.K)

        def read() -> tuple[list[float], list[FrameReading]]:
            readings = read_frames(
                self._estimator,
                images,
                self._intrinsics,
                self._hypotheses,
                self._outline,
                steady,
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

    def _path(
        self,
        window: list[FrameReading],
        times: list[float],
        before: tuple[Array, Array] | None,
    ) -> ClipPath | None:
        estimator = self._estimator
        return follow_path(
            clip_keypoints(estimator.robot, estimator.tuning, self._intrinsics.K, window),
            clip_samples(estimator.robot, window),
            [one.edges for one in window] if self._outline else [],
            _rising(times),
            self._camera,
            estimator.tuning.prior_std,
            before,
        )

    def _estimates(
        self, readings: list[FrameReading], path: ClipPath | None, part: slice
    ) -> list[Estimate]:
        estimates = frame_estimates(
            self._estimator.robot,
            self._estimator.tuning,
            readings,
            None if path is None else path[part],
            self._camera,
            self._intrinsics,
        )
        return [self._intrinsics.as_taken(estimate) for estimate in estimates]


def still_camera_message(camera: SharedCamera, intrinsics: Intrinsics, stillness: Stillness) -> str:
    """For people: that one pose holds for all frames, and a focal length that was found."""
    text = "camera stands still: one pose for all frames"
    if stillness.background is not None:
        text = f"{stillness.reason}, which is taken out: else one camera pose for all frames"
    if intrinsics.source in UNRELIABLE_SOURCES:
        focal = camera.K(intrinsics.K)[0, 0]
        std = focal * float(np.sqrt(camera.calibrated_covariance[6, 6]))
        text += f"; focal length {focal:.0f} ± {std:.0f} px from the arm itself"
    return text


def _rising(times: list[float]) -> Array:
    """Times [s] that rise: damaged files repeat their time stamps."""
    rising = np.array(times)
    for n in range(1, len(rising)):
        rising[n] = max(rising[n], rising[n - 1] + 1e-3)
    return rising
