"""One image in, the arm's state out.

1. Look at the whole frame: is the robot there, and where are its keypoints?
2. Look again at a box around them, with all hypotheses; once more if the box was off.
3. Solve hypotheses and keypoints together (solve.py) for joints, camera and uncertainty.
4. Blank the arm and look for further ones; the surest is the answer, the rest are its `others`.
   Where an arm is there, but no answer convinces, each half of the picture is looked at alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import (
    Box,
    check_box,
    overlap,
)
from armsight.camera.image import ImageLike, LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.errors import BadIntrinsicsError, ConfigError, WeightsError
from armsight.estimate.arm_area import arm_area, lies_in
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.camera_doubt import CONTRADICTED
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.crop_reading import CropReading
from armsight.estimate.pretrained import weights_folder
from armsight.estimate.search import next_box, search
from armsight.estimate.session import Session
from armsight.estimate.tuning import Tuning
from armsight.robots import Robot, load_robot
from armsight.state import Estimate

Array = NDArray[np.floating]
AnyImage: TypeAlias = "ImageLike | LoadedImage"

MOST_HYPOTHESES = 1024
SAME_ARM_OVERLAP = 0.5
"""A further find that overlaps an earlier one by more than this is the same arm, blanked in the
wrong place."""
MOST_ARMS = 4
"""At most so many arms of one image are read."""


class Estimator:
    """Reads a robot's state from images. `Estimator.from_pretrained("panda")` makes one."""

    def __init__(self, session: Session, robot: Robot, tuning: Tuning | None = None) -> None:
        """Use an exported network for a robot.

        Args:
            session: the network.
            robot: the arm that it was trained on.
            tuning: thresholds, calibration and solver; by default those of the weights' card.

        Raises:
            WeightsError: the network was trained for other joints or keypoints.
        """
        for what, theirs, ours in (
            ("joint_names", session.card.joint_names, robot.joint_names),
            ("keypoint_names", session.card.keypoint_names, robot.keypoint_names),
        ):
            if theirs != ours:
                raise WeightsError(
                    f"the weights' {what} differ from those of robot {robot.name}: "
                    f"{', '.join(theirs)} against {', '.join(ours)}"
                )
        self.session = session
        self.robot = robot
        self._tuning = tuning or Tuning.from_card(session.card.entries)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = "panda",
        *,
        revision: str | None = None,
        threads: int = 0,
        device: str = "auto",
    ) -> Estimator:
        """Load weights.

        Args:
            name: a robot whose weights come with the package, a local folder that `armsight
                export` wrote, or a Hugging Face Hub id `org/name` (extra `hub`).
            revision: of a Hub id: branch, tag or commit.
            threads: CPU threads; 0 for half of the cores, at most four.
            device: where the network runs: auto, cpu, cuda, tensorrt, openvino, coreml, directml.

        Raises:
            UnknownRobotError: there are no such weights.
            WeightsError: they are broken.
            ConfigError: the device is unknown, or not there.
            MissingExtraError: a Hub id without the package for it.
        """
        session = Session(weights_folder(name, revision=revision), threads, device)
        own = session.folder / f"{session.card.robot}.json"
        return cls(session, load_robot(own if own.is_file() else session.card.robot))

    @property
    def tuning(self) -> Tuning:
        """Thresholds, calibration and solver; `with_tuning` makes an estimator with others."""
        return self._tuning

    def with_tuning(self, tuning: Tuning) -> Estimator:
        """The same network with other settings; this estimator stays as it is."""
        return Estimator(self.session, self.robot, tuning)

    def with_outline(self, outline: bool) -> Estimator:
        """Whether the arm's outline is moved onto the picture's edges: more exact, and slower.

        Without it, an estimator of solver `outline` takes solver `both`.
        """
        if outline or self.tuning.solver != "outline":
            return self
        return self.with_tuning(replace(self.tuning, solver="both"))

    @overload
    def __call__(
        self,
        image: list[Any] | tuple[Any, ...],
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
        box: Box | None = None,
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
        box: Box | None = None,
    ) -> Estimate: ...

    def __call__(
        self,
        image: AnyImage | list[Any] | tuple[Any, ...],
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
        box: Box | None = None,
    ) -> Estimate | list[Estimate]:
        """Estimate the robot's state in an image, or in each of a list of images.

        Args:
            image: a path, a Pillow image, a uint8 array (H, W, 3) in RGB order, or a list of
                those. EXIF rotation is applied.
            K: (3, 3) camera matrix [px] of the upright image, or (B, 3, 3) for a list.
            num_hypotheses: samples of the diffusion model; by default what the card says (8).
            camera: intrinsics from `armsight.camera.camera_file.read_camera_file`.
            fov_deg: horizontal field of view [deg].
            box: outer edges x0, y0, x1, y1 [px] around the arm to read, in the upright image;
                by default it is searched for, and further arms are read as `others`.

        Without K, camera and fov_deg, EXIF or an assumed field of view stands in, which
        `intrinsics_source` and `messages` of the answer say.

        Raises:
            BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense, such as a
                box that does not touch the image.
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
        if box is not None:
            for one in images:
                check_box(box, one.width, one.height)
        seen = [camera.undistort(one) for one, camera in zip(images, cameras, strict=True)]
        estimates = self._estimate(seen, cameras, hypotheses, box)
        estimates = [c.as_taken(one) for one, c in zip(estimates, cameras, strict=True)]
        return estimates if many else estimates[0]

    def _estimate(
        self,
        images: list[LoadedImage],
        cameras: list[Intrinsics],
        hypotheses: int,
        box: Box | None,
    ) -> list[Estimate]:
        readings = self.find(images, cameras, hypotheses, [()] * len(images), box)
        estimates = [
            build_estimate(self.robot, self.tuning, image, camera, seen)
            for image, camera, seen in zip(images, cameras, readings, strict=True)
        ]
        if box is not None:
            return estimates
        for i, estimate in enumerate(estimates):
            if (
                readings[i].presence >= self.tuning.robot_found
                and estimate.confidence < SURE_CONFIDENCE
                and not any(note.startswith(CONTRADICTED) for note in estimate.messages)
            ):
                # With a wrong camera either half of one arm may pass for an arm.
                readings[i], estimates[i] = self._halves(images[i], cameras[i], hypotheses) or (
                    readings[i],
                    estimate,
                )
            # What is left when a doubtful arm is blanked is mostly the rest of it.
            if estimates[i].T_cam_base is not None and estimates[i].confidence >= SURE_CONFIDENCE:
                estimates[i] = self._with_others(
                    estimates[i], readings[i], images[i], cameras[i], hypotheses
                )
        return estimates

    def _with_others(
        self,
        first: Estimate,
        seen: CropReading,
        image: LoadedImage,
        camera: Intrinsics,
        hypotheses: int,
    ) -> Estimate:
        """The surest of all arms in view, and the rest as its `others`.

        Arms that were read are blanked, one after the other, until no further one is found.
        """
        arms, boxes = [first], [seen.box]
        while len(arms) < MOST_ARMS:
            blanked = tuple(arm_area(arm) for arm in arms)
            # A second arm is about as large as the first: one reading of the frame will do.
            seen = self.find(
                [image], [camera], hypotheses, [blanked], in_parts=False, with_border=False
            )[0]
            if seen.presence < self.tuning.robot_found:
                break
            if any(overlap(seen.box, box) > SAME_ARM_OVERLAP for box in boxes):
                break
            another = build_estimate(self.robot, self.tuning, image, camera, seen)
            if another.T_cam_base is None or another.confidence < SURE_CONFIDENCE:
                break
            if lies_in(another, blanked):
                break
            arms.append(another)
            boxes.append(seen.box)
        surest, *others = sorted(arms, key=lambda arm: -arm.confidence)
        if not others:
            return surest
        note = f"{len(arms)} {self.robot.name} arms in view; this is the surest answer"
        return replace(surest, others=tuple(others), messages=(*surest.messages, note))

    def _halves(
        self, image: LoadedImage, camera: Intrinsics, hypotheses: int
    ) -> tuple[CropReading, Estimate] | None:
        """The surest answer to either half of a picture: two arms side by side confuse one reading.

        None where neither is sure.
        """
        middle, right, bottom = image.width / 2 - 0.5, image.width - 0.5, image.height - 0.5
        blanks = [
            (np.array([[x0, -0.5], [x1, -0.5], [x1, bottom], [x0, bottom]]),)
            for x0, x1 in ((middle, right), (-0.5, middle))
        ]
        readings = self.find([image] * 2, [camera] * 2, hypotheses, blanks)
        answers = [
            (seen, build_estimate(self.robot, self.tuning, image, camera, seen))
            for seen in readings
        ]
        found = [
            one for one in answers if one[1].robot_found and one[1].confidence >= SURE_CONFIDENCE
        ]
        return max(found, key=lambda one: one[1].confidence, default=None)

    def find(
        self,
        images: list[LoadedImage],
        cameras: list[Intrinsics],
        hypotheses: int,
        blanked: Sequence[tuple[Array, ...]],
        box: Box | None = None,
        in_parts: bool = True,
        with_border: bool = True,
    ) -> list[CropReading]:
        """See `armsight.estimate.search.search`."""
        return search(
            self.session, self.tuning, images, cameras, hypotheses, blanked, box,
            in_parts=in_parts, with_border=with_border,
        )  # fmt: skip

    def box(self, seen: CropReading) -> Box:
        """The next crop: around the keypoints that were seen."""
        return next_box(seen, self.tuning)


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
