"""From a path of joints to an `Estimate` of each frame, with honest standard deviations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.camera.intrinsics import Intrinsics
from armsight.estimate.clips.reading import FrameReading
from armsight.estimate.confidence import ARM_LIKE, refusal, refused_confidence
from armsight.estimate.tuning import Tuning
from armsight.fit.clip.path import ClipPath
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.uncertainty import Calibration
from armsight.geometry import (
    make_transform,
    project,
    rotation_from_rotvec,
    rotvec_from_rotation,
    transform_points,
)
from armsight.robots import Robot
from armsight.state import Estimate

Array = NDArray[np.floating]

RIGHT_RAD = math.radians(15.0)
"""[rad] An answer counts as right where all joints but the last are this near the truth."""
LEAST_CONFIDENT = 0.3
"""Frames with less confidence get no answer."""
HIDDEN = "the arm is hidden in some frames: their joints come from neighbouring frames"
CALIBRATION = Calibration(np.array([2.5]), np.array([math.radians(0.5)]))
"""of the joints' standard deviations: with it 97 % of the errors in 16 rendered clips, drawn for
tuning, lie within two of them"""
USUAL_ALIGNMENT, MOST_DOUBT = 0.65, 3.0
"""Usual alignment of a plain arm's contours: where it is lower, stds grow in proportion, up to this
factor"""


def frame_estimates(
    robot: Robot,
    tuning: Tuning,
    readings: Sequence[FrameReading],
    path: ClipPath | None,
    camera: SharedCamera,
    intrinsics: Intrinsics,
) -> list[Estimate]:
    """The estimate of each frame of a window; no robot where the path does not tell enough.

    Args:
        robot, tuning: of the estimator.
        readings: of the window's N frames.
        path: through them; None: no frame showed an arm.
        camera: the clip's.
        intrinsics: nominal ones.
    """
    if path is None:
        return [_no_robot(robot, one, tuning, intrinsics) for one in readings]
    J = len(robot.joint_names)
    doubt = _doubt(path.edge_alignment)
    variances = np.diagonal(path.covariance, axis1=-2, axis2=-1)[:, :J] * doubt[:, None] ** 2
    stds = [CALIBRATION.joint_std(std, robot.joint_limits) for std in np.sqrt(variances)]
    estimates = []
    for n, (one, std) in enumerate(zip(readings, stds, strict=True)):
        sure = _confidence(std)
        if sure < LEAST_CONFIDENT:
            estimates.append(_no_robot(robot, one, tuning, intrinsics))
            continue
        estimates.append(_found(robot, one, path, n, std, sure, camera, intrinsics))
    return estimates


def _found(
    robot: Robot, reading: FrameReading, path: ClipPath, n: int, std: Array, sure: float,
    camera: SharedCamera, intrinsics: Intrinsics,
) -> Estimate:  # fmt: skip
    K, T = camera.K(intrinsics.K), _turned(camera, reading.R_now_reference)
    points = transform_points(T, robot.keypoints(path.q[n]))
    notes = () if reading.has_arm else (HIDDEN,)
    return Estimate(
        robot=robot.name,
        robot_found=True,
        confidence=sure,
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        joint_positions=path.q[n],
        joint_std=std,
        keypoints_2d=project(points, K),
        keypoints_2d_std=CALIBRATION.joint_scale[0]
        * path.keypoints_2d_std[n]
        * _doubt(path.edge_alignment)[n],
        keypoints_3d_cam=points,
        T_cam_base=T,
        samples=reading.crop.hypotheses if reading.has_arm else None,
        K=K,
        intrinsics_source=intrinsics.source,
        messages=(*intrinsics.messages, *notes),
    )


def _doubt(edge_alignment: Array) -> Array:
    """(N,) factor of the stds; 1 where contours were not looked at."""
    looked = edge_alignment > 0
    factor: Array = USUAL_ALIGNMENT / np.where(looked, edge_alignment, USUAL_ALIGNMENT)
    return np.clip(factor, 1.0, MOST_DOUBT)


def _turned(camera: SharedCamera, R_now_reference: Array) -> Array:
    """`T_cam_base` (4, 4) of a camera that has turned since its reference picture."""
    if np.array_equal(R_now_reference, np.eye(3)):
        return camera.T_cam_base
    # The turn was measured in pixels: with another focal length it is another angle.
    turn = rotvec_from_rotation(R_now_reference) * [*2 * [math.exp(-camera.log_focal)], 1.0]
    R = rotation_from_rotvec(turn)
    return make_transform(R @ camera.R, R @ camera.t)


def _confidence(std: Array) -> float:
    """Probability that the least sure joint is right; the last only turns a tool about itself."""
    worst = float(std[:-1].max()) if len(std) > 1 else float(std[0])
    return math.erf(RIGHT_RAD / (math.sqrt(2) * worst))


def _no_robot(
    robot: Robot, reading: FrameReading, tuning: Tuning, intrinsics: Intrinsics
) -> Estimate:
    presence = reading.crop.presence
    sure = min(refused_confidence(presence, tuning.robot_found), 1 - LEAST_CONFIDENT)
    return Estimate(
        robot=robot.name,
        robot_found=False,
        confidence=sure,
        presence=presence,
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        K=intrinsics.K,
        intrinsics_source=intrinsics.source,
        messages=(
            *intrinsics.messages,
            *refusal(robot.name, presence, presence >= ARM_LIKE),
        ),
    )
