"""A robot's state through a video: each frame is looked at where the last one found the arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import box_around, overlap
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.crop_reading import Crop, CropReading, read_crops
from armsight.estimate.estimator import Estimator, check_hypotheses
from armsight.estimate.search import SAME_BOX
from armsight.state import Estimate

Array = NDArray[np.floating]

LOST_CONFIDENCE = 0.5
"""Below this share of the last frame's confidence the whole frame is searched again."""


class Tracker:
    """Estimates frame after frame of one video; one crop a frame while the arm stays in view."""

    def __init__(
        self,
        estimator: Estimator,
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
        outline: bool = False,
    ) -> None:
        """Start a video; intrinsics as for `Estimator.__call__`, one set for all frames.

        Where these do not tell the focal length, each frame's `K` is what the frame itself tells.

        Args:
            outline: move the arm's outline onto the edges of every frame, as it is done for single
                images: more exact, and several times slower.

        Raises:
            ConfigError: num_hypotheses is out of range.
        """
        self._estimator = estimator
        self._tuning = estimator.with_outline(outline).tuning
        self._intrinsics_options = (K, camera, fov_deg)
        self._intrinsics: Intrinsics | None = None
        default = estimator.session.num_video_hypotheses
        self._hypotheses = check_hypotheses(num_hypotheses, default)
        self._last: Estimate | None = None

    def __call__(self, frame: NDArray[np.uint8]) -> Estimate:
        """The state in the next frame (H, W, 3) RGB.

        Raises:
            BadImageError, BadIntrinsicsError: as for a single image.
        """
        image = load_image(frame)
        if self._intrinsics is None:
            self._intrinsics = find_intrinsics(image, *self._intrinsics_options)
        image = self._intrinsics.undistort(image)
        estimate = self._follow(image, self._intrinsics)
        if estimate is None:
            estimate = self._search(image, self._intrinsics)
        # A doubtful answer is no place to start from: the whole frame is searched again.
        sure = estimate.T_cam_base is not None and estimate.confidence >= SURE_CONFIDENCE
        self._last = estimate if sure else None
        return self._intrinsics.as_taken(estimate)

    def _follow(self, image: LoadedImage, camera: Intrinsics) -> Estimate | None:
        """The answer from where the arm was last; None when it was lost."""
        last = self._last
        if last is None or last.keypoints_2d is None:
            return None
        inside = (last.keypoints_2d > -0.5).all(axis=1)
        inside &= (last.keypoints_2d < (image.width - 0.5, image.height - 0.5)).all(axis=1)
        if inside.sum() < 3:
            return None
        engine = self._estimator
        view = Crop(image, camera.K, box_around(last.keypoints_2d[inside]))
        seen = read_crops(engine.session, [view], self._hypotheses)[0]
        if seen.presence < engine.tuning.robot_found:
            return None
        if overlap(engine.box(seen), seen.box) < SAME_BOX:
            return None
        estimate = build_estimate(
            engine.robot,
            self._tuning,
            image,
            camera,
            _with_last(seen, last),
            _nominal_pose(last, camera),
        )
        if not estimate.robot_found or estimate.confidence < LOST_CONFIDENCE * last.confidence:
            return None
        return replace(estimate, samples=seen.hypotheses)

    def _search(self, image: LoadedImage, camera: Intrinsics) -> Estimate:
        engine = self._estimator
        seen = engine.find([image], [camera], self._hypotheses, [()], in_parts=False)[0]
        return build_estimate(engine.robot, self._tuning, image, camera, seen)


def _with_last(seen: CropReading, last: Estimate) -> CropReading:
    """A reading with the last answer as a further hypothesis.

    What keypoints leave open, such as half a turn of the last joint, then stays as it was instead
    of following each frame's own guess.
    """
    assert last.joint_positions is not None
    return replace(seen, hypotheses=np.concatenate([seen.hypotheses, last.joint_positions[None]]))


def _nominal_pose(last: Estimate, camera: Intrinsics) -> Array | None:
    """`T_cam_base` (4, 4) from which a camera of nominal focal length sees the base as large."""
    if last.T_cam_base is None or last.K is None:
        return None
    T = last.T_cam_base.copy()
    T[2, 3] *= camera.K[0, 0] / last.K[0, 0]
    return T
