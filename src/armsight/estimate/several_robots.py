"""Which of the known robots are in an image, and the state of each.

Robots whose heads were trained on one encoder share its passes, so that asking for all of them
costs little more than asking for one. Only those that are seen in the whole frame are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from numpy.typing import ArrayLike

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import Box, square_around, whole_frame
from armsight.camera.image import ImageLike, LoadedImage, load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.errors import ConfigError
from armsight.estimate.arm_area import arm_area, lies_in
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.crop_reading import Crop, read_crops
from armsight.estimate.estimator import Estimator
from armsight.estimate.pretrained import available_weights
from armsight.state import Estimate

MOST_KINDS = 3
"""At most so many kinds of robot are read in one image: those with the largest presence in the
whole frame."""


class SeveralRobots:
    """Reads whichever of several robots are in an image; `Estimator` reads one kind."""

    def __init__(self, estimators: Sequence[Estimator]) -> None:
        """Use one estimator for each kind of robot.

        Raises:
            ConfigError: there is none, or two are for one robot.
        """
        names = [one.robot.name for one in estimators]
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"give one estimator for each robot, not {', '.join(names) or 'none'}"
            )
        self.estimators = {one.robot.name: one for one in estimators}

    @classmethod
    def from_pretrained(
        cls, names: Sequence[str] = (), *, threads: int = 0, device: str = "auto"
    ) -> SeveralRobots:
        """Load the weights of several robots.

        Args:
            names: as for `Estimator.from_pretrained`; all that come with the package by default.
            threads: CPU threads; 0 for half of the cores, at most four.
            device: where the network runs: auto, cpu, cuda, tensorrt, openvino, coreml, directml.

        Raises:
            UnknownRobotError: there are no such weights.
            WeightsError: they are broken.
            ConfigError: the device is unknown, or not there.
        """
        names = tuple(names) or available_weights()
        return cls(
            [Estimator.from_pretrained(name, threads=threads, device=device) for name in names]
        )

    def with_outline(self, outline: bool) -> SeveralRobots:
        """See `Estimator.with_outline`."""
        return SeveralRobots([one.with_outline(outline) for one in self.estimators.values()])

    def __call__(
        self,
        image: ImageLike | LoadedImage,
        K: ArrayLike | None = None,
        num_hypotheses: int | None = None,
        *,
        camera: CameraFile | None = None,
        fov_deg: float | None = None,
        box: Box | None = None,
    ) -> Estimate:
        """Estimate the state of each arm in an image.

        Args: as for `Estimator`, but for one image.

        Returns:
            the surest answer of all robots; its `others` hold the rest, of any robot.

        Raises:
            BadImageError, BadIntrinsicsError, ConfigError: an argument makes no sense.
        """
        picture = load_image(image)
        kinds = self.kinds_seen(picture, find_intrinsics(picture, K, camera, fov_deg), box)
        answers = [
            self.estimators[kind](
                picture, K, num_hypotheses, camera=camera, fov_deg=fov_deg, box=box
            )
            for kind in kinds
        ]
        arms = [
            arm
            for one in answers
            for arm in (replace(one, others=()), *one.others)
            if arm.robot_found
        ]
        if not arms:
            return self._none_found(answers[0])
        return _surest_with_others(arms)

    def kinds_seen(
        self, image: LoadedImage, camera: Intrinsics, box: Box | None = None
    ) -> list[str]:
        """Names of the robots seen in the whole frame, the clearest first; at least one."""
        first = whole_frame(image.width, image.height) if box is None else square_around(box)
        presence = {
            name: read_crops(one.session, [Crop(image, camera.K, first)], 0)[0].presence
            for name, one in self.estimators.items()
        }
        ranked = sorted(presence, key=lambda name: -presence[name])
        seen = [n for n in ranked if presence[n] >= self.estimators[n].tuning.first_look]
        return (seen or ranked[:1])[:MOST_KINDS]

    def most_seen(self, images: Sequence[ImageLike | LoadedImage]) -> Estimator:
        """The estimator of the robot that some frames of a video show most surely."""
        sure = dict.fromkeys(self.estimators, 0.0)
        for image in images:
            estimate = self(image)
            for arm in (estimate, *estimate.others):
                sure[arm.robot] += arm.confidence if arm.robot_found else 0.0
        return self.estimators[max(sure, key=lambda name: sure[name])]

    def _none_found(self, nearest: Estimate) -> Estimate:
        if len(self.estimators) == 1:
            return nearest
        note = f"none of {', '.join(self.estimators)} found"
        return replace(nearest, messages=(*nearest.messages, note))


def _surest_with_others(arms: list[Estimate]) -> Estimate:
    """The surest arm with the rest as its `others`, each arm once: where two robots' answers lie in
    one place, the surer one is kept."""
    kept: list[Estimate] = []
    for arm in sorted(arms, key=lambda arm: -arm.confidence):
        if kept and arm.confidence < SURE_CONFIDENCE:
            break  # a doubtful answer beside another says nothing
        areas = [arm_area(other) for other in kept if other.robot != arm.robot]
        if not lies_in(arm, areas):
            kept.append(arm)
    surest, *others = kept
    if not others:
        return surest
    robots = ", ".join(sorted({arm.robot for arm in kept}))
    note = f"{len(kept)} arms in view ({robots}); this is the surest answer"
    told = tuple(m for m in surest.messages if not m.endswith("this is the surest answer"))
    return replace(surest, others=tuple(others), messages=(*told, note))
