"""What the network sees of a labelled frame, the answer that follows, and how right it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import whole_frame
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.data.frame import Frame
from armsight.estimate.build_estimate import solve_crop
from armsight.estimate.crop_reading import Crop, CropReading, read_crops
from armsight.estimate.estimator import Estimator
from armsight.estimate.tuning import Tuning
from armsight.evaluate.poses.metrics import ADD_THRESHOLD_M, keypoints_in_frame
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS
from armsight.fit.solution import Solution
from armsight.geometry import project, transform_points
from armsight.robots import Robot

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

RIGHT_JOINTS_DEG = 10.0
"""An answer is right below this mean joint error where no 3D truth tells where the arm is."""
RIGHT_SHARE = 0.04
"""An answer is right where what is in view lies within this share of the arm's reach: 50 mm of a
Panda's 1.25 m"""
GROSS_JOINTS_DEG = 20.0
"""Mean joint errors above this are all equally bad to `Solved.loss`."""


UNKNOWN_FOCAL_FRAMES = 150
"""Frames looked at a second time as if their focal length was unknown: for its std"""


@dataclass(frozen=True)
class Seen:
    """One frame, and what the network saw of it."""

    frame: Frame
    K: Array
    first: float
    """Presence in the whole frame"""
    crop: CropReading
    """The last crop, read whatever `first` was"""
    log_focal_std: float = 0.0
    """How far the focal length of K may be off; 0: it is known"""


@dataclass(frozen=True)
class Solved:
    """One frame's answer with standard deviations as the fit gives them."""

    seen: Seen
    solution: Solution
    measured: Mask
    """(K,) keypoints that it was measured on"""

    @property
    def is_robot(self) -> bool:
        """This robot is in view."""
        return self.seen.frame.robot_in_view

    @property
    def joint_errors_deg(self) -> Array:
        """(J,) [deg]"""
        assert self.seen.frame.joint_positions is not None
        errors: Array = np.degrees(
            np.abs(self.solution.joint_positions - self.seen.frame.joint_positions)
        )
        return errors

    def add(self, robot: Robot) -> float:
        """ADD [m] over the link origins; infinite without a camera, in answer or truth."""
        frame, T = self.seen.frame, self.solution.T_cam_base
        if T is None or frame.T_cam_base is None or frame.joint_positions is None:
            return float("inf")
        n = robot.num_origin_keypoints
        true = transform_points(frame.T_cam_base, robot.keypoints(frame.joint_positions)[:n])
        ours = transform_points(T, robot.keypoints(self.solution.joint_positions)[:n])
        return float(np.linalg.norm(ours - true, axis=-1).mean())

    def visible_error(self, robot: Robot) -> float:
        """[m] mean distance of the keypoints that are in the picture, those of the surface too."""
        frame, T = self.seen.frame, self.solution.T_cam_base
        if T is None or frame.T_cam_base is None or frame.joint_positions is None:
            return float("inf")
        true = transform_points(frame.T_cam_base, robot.keypoints(frame.joint_positions))
        ours = transform_points(T, robot.keypoints(self.solution.joint_positions))
        inside = keypoints_in_frame(project(true, self.seen.K), frame.image_size)
        distances = np.linalg.norm(ours - true, axis=-1)
        return float(distances[inside].mean()) if inside.any() else float("inf")

    def is_right(self, robot: Robot) -> bool:
        """The robot is in view, and what can be seen of it lies where the answer says."""
        if not self.is_robot:
            return False
        if self.seen.frame.T_cam_base is not None:
            return self.visible_error(robot) < RIGHT_SHARE * robot.reach
        return float(self.joint_errors_deg[:NUM_SCORED_JOINTS].mean()) < RIGHT_JOINTS_DEG

    def loss(self, robot: Robot) -> float:
        """What trials compare, in [0, 2]: where what is in view lies, and the mean joint error,
        gross errors cut off."""
        joints = float(self.joint_errors_deg[:NUM_SCORED_JOINTS].mean())
        place = self.visible_error(robot) / ADD_THRESHOLD_M
        return min(place, 1.0) + min(joints / GROSS_JOINTS_DEG, 1.0)


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of them, evenly spread."""
    return list(items[:: max(1, -(-len(items) // most))])


def observe(
    estimator: Estimator,
    frames: Sequence[Frame],
    progress: Callable[[int], None],
    assume_intrinsics: bool = False,
) -> list[Seen]:
    """Look at every frame; pictures without intrinsics get assumed ones.

    The looks are taken with the default thresholds, whatever the card says now, so that
    calibrating twice gives the same numbers.

    Args:
        progress: called with 1 for each frame.
        assume_intrinsics: as if none of the frames had any.
    """
    plain = estimator.with_tuning(Tuning(first_look=0.0))
    count = estimator.session.num_hypotheses
    everything = []
    for frame in frames:
        image = load_image(frame.load_image())
        camera = find_intrinsics(image, None if assume_intrinsics else frame.K, None, None)
        box = whole_frame(image.width, image.height)
        first = read_crops(plain.session, [Crop(image, camera.K, box)], 0)[0].presence
        last = plain.find([image], [camera], count, [()])[0]
        everything.append(Seen(frame, camera.K, first, last, camera.log_focal_std))
        progress(1)
    return everything


def solve_one(robot: Robot, tuning: Tuning, seen: Seen) -> Solved:
    """One frame's answer under some tuning."""
    image = load_image(seen.frame.load_image()) if tuning.solver == "outline" else None
    return Solved(
        seen,
        *solve_crop(
            robot, tuning, seen.K, seen.crop, image=image, log_focal_std=seen.log_focal_std
        ),
    )


def keypoint_ratios(robot: Robot, seen: Sequence[Seen], threshold: float) -> Array:
    """(N,) |error| / std of keypoints that count as seen, and are in sight in truth."""
    ratios = [np.zeros(0)]
    for s in seen:
        frame, T = s.frame, s.frame.T_cam_base
        if T is None or frame.joint_positions is None:
            continue
        true = project(transform_points(T, robot.keypoints(frame.joint_positions)), s.K)
        there = keypoints_in_frame(true, frame.image_size)
        if frame.keypoints_visible is not None:
            hidden = {
                name
                for name, visible in zip(frame.keypoint_names, frame.keypoints_visible, strict=True)
                if visible == 0
            }
            there &= np.array([name not in hidden for name in robot.keypoint_names])
        there &= s.crop.keypoints_seen >= threshold
        distance = np.linalg.norm(s.crop.keypoints_2d - true, axis=-1)
        ratios.append((distance / s.crop.keypoints_std)[there])
    return np.concatenate(ratios)
