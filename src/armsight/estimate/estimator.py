"""One image in, the arm's state out.

1. Look at the whole frame: is the robot there, and where are its keypoints?
2. Look again at a box around them, with all hypotheses; once more if the box was off.
3. Solve hypotheses and keypoints together (solve.py) for joints, camera and uncertainty.
4. Blank the arm and look for a second one; the more confident one is reported. Where an arm is
   there, but no answer convinces, each half of the picture is looked at alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import Box, box_around, overlap, whole_frame
from armsight.camera.image import ImageLike, LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.errors import BadIntrinsicsError, ConfigError, WeightsError
from armsight.estimate.answer import Tuning, answer
from armsight.estimate.look import Look, View, look
from armsight.estimate.pretrained import weights_folder
from armsight.estimate.session import Session
from armsight.robots import Robot, load_robot
from armsight.state import Estimate

Array = NDArray[np.floating]
AnyImage: TypeAlias = "ImageLike | LoadedImage"

MOST_HYPOTHESES = 1024
SAME_BOX = 0.5
"""Overlap with the box around its own keypoints from which on a look counts as well aimed."""
STILL_THERE = 0.5
"""Presence from which on a further look counts. No calibrated threshold: those are fitted to
what was looked at, which must then not depend on them."""
FEWEST_KEYPOINTS = 3
"""Keypoints that make a box; with fewer the whole frame stays in view."""
BLANK_MARGIN = 1.2
SECOND_ARM_OVERLAP = 0.5
"""A second find that overlaps the first by more is the same arm, blanked in the wrong place."""


class Estimator:
    """Reads a robot's state from images. `Estimator.from_pretrained("panda")` makes one."""

    def __init__(self, session: Session, robot: Robot) -> None:
        """Use an exported network for a robot.

        Raises:
            WeightsError: the network was trained for other joints or keypoints.
        """
        for what, ours in (
            ("joint_names", robot.joint_names),
            ("keypoint_names", robot.keypoint_names),
        ):
            if tuple(session.card[what]) != ours:
                raise WeightsError(
                    f"the weights' {what} differ from those of robot {robot.name}: "
                    f"{', '.join(session.card[what])} against {', '.join(ours)}"
                )
        self.session = session
        self.robot = robot
        self.tuning = Tuning.from_card(session.card)

    @classmethod
    def from_pretrained(cls, name: str | Path = "panda", *, threads: int = 0) -> Estimator:
        """Load weights.

        Args:
            name: a robot whose weights come with the package, a local folder with `model.onnx`
                and `model.json`, or a Hugging Face Hub id `org/name` (extra `hub`).
            threads: CPU threads; 0 for half of the cores, at most four.

        Raises:
            UnknownRobotError: there are no such weights.
            WeightsError: they are broken.
            MissingExtraError: a Hub id without the package for it.
        """
        session = Session(weights_folder(name), threads)
        own = session.folder / f"{session.card['robot']}.json"
        return cls(session, load_robot(own if own.is_file() else session.card["robot"]))

    @overload
    def __call__(
        self,
        image: list[Any] | tuple[Any, ...],
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
    ) -> list[Estimate]: ...

    @overload
    def __call__(
        self,
        image: AnyImage,
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
    ) -> Estimate: ...

    def __call__(
        self,
        image: AnyImage | list[Any] | tuple[Any, ...],
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
    ) -> Estimate | list[Estimate]:
        """Estimate the robot's state in an image, or in each of a list of images.

        Args:
            image: a path, a Pillow image, a uint8 array (H, W, 3) in RGB order, or a list of
                those. EXIF rotation is applied.
            K: (3, 3) camera matrix [px] of the upright image, or (B, 3, 3) for a list.
            num_hypotheses: samples of the diffusion model; by default what the card says (16).
            camera: intrinsics from `armsight.camera.camera_file.read_camera_file`.
            fov_deg: horizontal field of view [deg].

        Without any of the last three, EXIF or an assumed field of view stands in, which
        `intrinsics_source` and `messages` of the answer say.

        Raises:
            BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense.
        """
        hypotheses = check_hypotheses(num_hypotheses, self.session.num_hypotheses)
        many = isinstance(image, list | tuple)
        images = [
            load_image(one) for one in (image if isinstance(image, list | tuple) else [image])
        ]
        Ks = _one_K_each(K, len(images), many)
        cameras = [
            find_intrinsics(one, one_K, camera, fov_deg)
            for one, one_K in zip(images, Ks, strict=True)
        ]
        estimates = self._estimate(images, cameras, hypotheses)
        return estimates if many else estimates[0]

    def _estimate(
        self, images: list[LoadedImage], cameras: list[Intrinsics], hypotheses: int
    ) -> list[Estimate]:
        looks = self.find(images, cameras, hypotheses, [()] * len(images))
        estimates = [
            answer(self.robot, self.tuning, image, camera, seen)
            for image, camera, seen in zip(images, cameras, looks, strict=True)
        ]
        for i, estimate in enumerate(estimates):
            if not estimate.robot_found and looks[i].presence >= self.tuning.robot_found:
                looks[i], estimates[i] = self._halves(images[i], cameras[i], hypotheses) or (
                    looks[i],
                    estimate,
                )
        found = [i for i, estimate in enumerate(estimates) if estimate.T_cam_base is not None]
        blanks = [(_hull(estimates[i]),) for i in found]
        others = self.find(
            [images[i] for i in found], [cameras[i] for i in found], hypotheses, blanks
        )
        for i, other in zip(found, others, strict=True):
            if other.presence < self.tuning.robot_found:
                continue
            if overlap(other.box, looks[i].box) > SECOND_ARM_OVERLAP:
                continue
            second = answer(self.robot, self.tuning, images[i], cameras[i], other)
            if not second.robot_found:
                continue
            best = max(estimates[i], second, key=lambda estimate: estimate.confidence)
            note = f"two {self.robot.name} arms in view; this is the more confident one"
            estimates[i] = replace(best, messages=(*best.messages, note))
        return estimates

    def _halves(
        self, image: LoadedImage, camera: Intrinsics, hypotheses: int
    ) -> tuple[Look, Estimate] | None:
        """The best answer to either half of a picture: two arms side by side confuse one look."""
        middle, right, bottom = image.width / 2 - 0.5, image.width - 0.5, image.height - 0.5
        blanks = [
            (np.array([[x0, -0.5], [x1, -0.5], [x1, bottom], [x0, bottom]]),)
            for x0, x1 in ((middle, right), (-0.5, middle))
        ]
        looks = self.find([image] * 2, [camera] * 2, hypotheses, blanks)
        answers = [(seen, answer(self.robot, self.tuning, image, camera, seen)) for seen in looks]
        found = [one for one in answers if one[1].robot_found]
        return max(found, key=lambda one: one[1].confidence, default=None)

    def find(
        self,
        images: list[LoadedImage],
        cameras: list[Intrinsics],
        hypotheses: int,
        blanked: Sequence[tuple[Array, ...]],
    ) -> list[Look]:
        """The best look at the robot in each image: the frame, then a box, then a better box.

        Where the robot is not in the frame, that first look is returned, without hypotheses.
        """

        def look_at(which: list[int], boxes: list[Box], count: int) -> list[Look]:
            views = [
                View(images[i], cameras[i].K, box, blanked[i])
                for i, box in zip(which, boxes, strict=True)
            ]
            return look(self.session, views, count)

        everyone = list(range(len(images)))
        frames = [whole_frame(image.width, image.height) for image in images]
        looks = look_at(everyone, frames, 0)
        there = [i for i in everyone if looks[i].presence >= self.tuning.first_look]
        boxes = [self.box(looks[i]) for i in there]
        for i, seen in zip(there, look_at(there, boxes, hypotheses), strict=True):
            looks[i] = seen
        off = [i for i in there if overlap(self.box(looks[i]), looks[i].box) < SAME_BOX]
        boxes = [self.box(looks[i]) for i in off]
        for i, seen in zip(off, look_at(off, boxes, hypotheses), strict=True):
            if seen.presence >= min(looks[i].presence, STILL_THERE):
                looks[i] = seen
        return looks

    def box(self, seen: Look) -> Box:
        """Where to look next: around the keypoints that were seen."""
        visible = seen.keypoints_seen >= self.tuning.keypoint_seen
        if visible.sum() < FEWEST_KEYPOINTS:
            return seen.box
        return box_around(seen.keypoints_2d[visible])


def check_hypotheses(count: int | None, default: int) -> int:
    """How many hypotheses to sample.

    Raises:
        ConfigError: `count` is not from 1 to MOST_HYPOTHESES.
    """
    if count is None:
        return default
    if not 1 <= count <= MOST_HYPOTHESES:
        raise ConfigError(f"num_hypotheses is {count}; it must be 1 to {MOST_HYPOTHESES}")
    return count


def _one_K_each(K: ArrayLike | None, count: int, many: bool) -> list[ArrayLike | None]:
    if K is None or not many or np.ndim(K) != 3:
        return [K] * count
    if len(np.asarray(K)) != count:
        raise BadIntrinsicsError(
            f"there are {len(np.asarray(K))} matrices K for {count} images; give one for all, or "
            "one for each"
        )
    return list(np.asarray(K))


def _hull(estimate: Estimate) -> Array:
    """The convex hull (N, 2) [px] of an arm's keypoints, a little enlarged."""
    assert estimate.keypoints_2d is not None
    points = estimate.keypoints_2d[np.isfinite(estimate.keypoints_2d).all(axis=1)]
    if len(points) < FEWEST_KEYPOINTS:
        return np.zeros((0, 2))
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(float)
    centre = hull.mean(axis=0)
    enlarged: Array = centre + BLANK_MARGIN * (hull - centre)
    return enlarged
