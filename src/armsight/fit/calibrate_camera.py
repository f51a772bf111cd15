"""The camera of recorded frames from the joints' log: no network, no markers, no first guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.image import load_image
from armsight.camera.intrinsics import Intrinsics, find_intrinsics
from armsight.fit.extrinsics.calibration import VERDICTS, CameraCalibration, FrameAlignment
from armsight.fit.extrinsics.inputs import (
    JointPath,
    check_image,
    check_images,
    in_degrees,
    joint_path,
)
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.search import spread_frames
from armsight.fit.extrinsics.shared_fit import Frames, SharedPrior
from armsight.fit.extrinsics.solve import Solution, edge_maps, find_camera
from armsight.robots import Robot, load_robot

__all__ = ["VERDICTS", "CameraCalibration", "FrameAlignment", "calibrate_camera"]

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

FOCAL_STD = {"given": 0.003, "camera_file": 0.003, "field_of_view": 0.03, "exif": 0.05}
"""of the log of the focal length, by where K came from; else it is FOCAL_UNKNOWN"""
FOCAL_UNKNOWN = 0.4
EVIDENCE_WEIGHT = 0.02
"""of a point of a contour: neighbours err together"""
MOST_FRAMES = 16
"""are fitted: those in which the arm stands most differently"""
FEWEST_FRAMES = 3
LEAST_MOTION = 0.04
"""The arm hardly moves where no point of it moves by more than this share of its reach"""
LEAST_CONTRAST = 0.13
"""between own and other frames' poses (`Solution.contrast`), of an answer that is believed"""


def calibrate_camera(
    robot: Robot | str,
    images: Sequence[Pixels],
    joint_positions: ArrayLike,
    *,
    K: ArrayLike | None = None,
    fov_deg: float | None = None,
    image_times: ArrayLike | None = None,
    log_times: ArrayLike | None = None,
    seed: int = 0,
    report: Callable[[float], None] | None = None,
) -> CameraCalibration:
    """Find where a fixed camera stood from frames of a robot arm whose joints are known.

    The arm is searched for by its motion: what differs between frames of a fixed camera. Then its
    contours are laid on the pictures' edges, with one camera for all frames.

    Args:
        robot: a robot with meshes, or the name or data file of one.
        images: N frames (H, W, 3) uint8 RGB of one size; indexed one at a time, so that they may
            be read as they are needed.
        joint_positions: (M, J) [rad], the robot's joint order; NaN where unknown.
        K: (3, 3) [px]; without it the focal length is found too.
        fov_deg: horizontal field of view [deg], if that is what is known.
        image_times, log_times: (N,) and (M,) [s] on one clock; without them row i is frame i's.
        seed: of the search.
        report: is told what share of the work is done, in [0, 1].

    Returns:
        the calibration, with a verdict; T_cam_base is None where no camera was found.

    Raises:
        BadImageError: frames are no images, or of different sizes.
        BadShapeError: the log has another number of joints, or does not go with the frames.
        BadIntrinsicsError: K or the field of view makes no sense.
        UnknownRobotError: no such robot, or it has no meshes.
    """
    robot = robot if isinstance(robot, Robot) else load_robot(robot)
    size = check_images(images)
    intrinsics = find_intrinsics(load_image(np.asarray(images[0])), K, None, fov_deg)
    path, known = joint_path(robot, len(images), joint_positions, image_times, log_times)
    answer = _Answer(robot, intrinsics, len(images), known)
    if path is None or known.sum() < FEWEST_FRAMES:
        return answer.without_camera(
            "too_few_frames",
            f"{int(known.sum())} of {len(images)} frames have known joints; at least "
            f"{FEWEST_FRAMES} are needed",
        )
    if in_degrees(robot, path.positions):
        return answer.without_camera(
            "wrong_units", "the joint angles exceed full turns, but would fit as degrees"
        )
    q = path.at(0.0)[0]
    usable = np.flatnonzero(known)
    hulls = LinkHulls.of(robot, q[usable])
    moved = float(np.linalg.norm(np.ptp(hulls.points, axis=0), axis=-1).max())
    if moved < LEAST_MOTION * hulls.reach:
        return answer.without_camera(
            "arm_hardly_moves",
            f"by the log no point of the arm moves by more than {100 * moved:.1f} cm",
        )
    chosen = usable[spread_frames(hulls, MOST_FRAMES)]
    pictures = [np.asarray(images[int(i)]) for i in chosen]
    for i, picture in zip(chosen, pictures, strict=True):
        check_image(picture, int(i), size)
    solution = _solve(robot, pictures, path, chosen, intrinsics, seed, report)
    return answer.of(solution, chosen)


def _solve(
    robot: Robot, pictures: list[Pixels], path: JointPath, chosen: NDArray[np.intp],
    intrinsics: Intrinsics, seed: int, report: Callable[[float], None] | None,
) -> Solution:  # fmt: skip
    frames = Frames(robot, edge_maps(pictures, intrinsics.K), path.among(chosen).at)
    prior = SharedPrior(
        FOCAL_STD.get(intrinsics.source, FOCAL_UNKNOWN), np.zeros(len(robot.joint_names))
    )
    return find_camera(robot, pictures, frames, intrinsics.K, prior, seed, EVIDENCE_WEIGHT, report)


class _Answer:
    """Puts the answer together."""

    def __init__(
        self, robot: Robot, intrinsics: Intrinsics, num_frames: int, known: NDArray[np.bool_]
    ) -> None:
        self.robot, self.intrinsics = robot, intrinsics
        self.frames = [
            FrameAlignment(i, np.nan, False, "" if known[i] else "its joints are not known")
            for i in range(num_frames)
        ]

    def without_camera(self, verdict: str, *messages: str) -> CameraCalibration:
        """No camera was found."""
        J = len(self.robot.joint_names)
        return CameraCalibration(
            self.robot.name, verdict, messages, self.robot.joint_names, None, None,
            self.intrinsics.K, self.intrinsics.source, np.zeros(J), np.zeros(J, bool), None,
            tuple(self.frames),
        )  # fmt: skip

    def of(self, solution: Solution, chosen: NDArray[np.intp]) -> CameraCalibration:
        """What was found, if it can be believed."""
        for i, alignment, used in zip(chosen, solution.alignment, solution.used, strict=True):
            reason = "" if used else "its edges do not go with the log and the other frames"
            self.frames[i] = FrameAlignment(int(i), float(alignment), bool(used), reason)
        said = (
            f"contours lie on edges to {solution.mean_alignment:.2f}, {solution.contrast:.2f} more "
            f"than those of other frames; motion agrees to {solution.motion_score:.2f}"
        )
        if solution.contrast < LEAST_CONTRAST:
            return self.without_camera("cannot_tell", said)
        J = len(self.robot.joint_names)
        K = self.intrinsics.K.copy()
        K[:2, :2] *= np.exp(solution.shared.log_focal)
        return CameraCalibration(
            self.robot.name, "fine", (said,), self.robot.joint_names, solution.shared.T_cam_base,
            None, K, self.intrinsics.source, np.zeros(J), np.zeros(J, bool), None,
            tuple(self.frames),
        )  # fmt: skip
