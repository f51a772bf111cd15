"""From the last crop to an `Estimate`: the geometry, the uncertainty and the confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import Intrinsics
from armsight.estimate.camera_doubt import camera_messages, with_camera_doubt
from armsight.estimate.confidence import (
    ARM_LIKE,
    cannot_tell,
    confidence,
    confidence_features,
    doubted,
    refusal,
    refused_confidence,
    visible_part_right,
)
from armsight.estimate.crop_reading import CropReading
from armsight.estimate.tuning import Tuning
from armsight.fit.edges import EdgeMap
from armsight.fit.measurements import Measurements, check_measurements
from armsight.fit.refine_contour import refine
from armsight.fit.residuals import linearise
from armsight.fit.solve import Solution, solve, solve_keypoints
from armsight.geometry import project, transform_points
from armsight.robots import Robot
from armsight.state import Estimate

Array = NDArray[np.floating]


def build_estimate(
    robot: Robot,
    tuning: Tuning,
    image: LoadedImage,
    intrinsics: Intrinsics,
    crop: CropReading,
    T_start: Array | None = None,
) -> Estimate:
    """Solve for joints and camera, and say how sure the answer is.

    Args:
        robot: the arm that the network was trained on.
        tuning: thresholds and calibration.
        image: where its name and messages come from.
        intrinsics: of the whole image.
        crop: its keypoints and hypotheses; its presence decides whether there is an answer.
        T_start: (4, 4) the camera's pose in the last frame of a video.
    """
    if crop.presence < tuning.robot_found or len(crop.hypotheses) == 0:
        sure = refused_confidence(crop.presence, tuning.robot_found)
        return no_robot(robot, image, intrinsics, crop.presence, sure)
    solution, seen = solve_crop(
        robot, tuning, intrinsics.K, crop, T_start, image, intrinsics.log_focal_std
    )
    features = confidence_features(crop, solution, seen)
    right = visible_part_right(features, tuning.confidence_bias, tuning.confidence_weights)
    # The threshold was fitted to the full solver's answers; one part alone is less consistent.
    if tuning.solver in ("outline", "both") and right < tuning.confident:
        return no_robot(robot, image, intrinsics, crop.presence, min(right, crop.presence))
    solution = doubted(
        solution, right, tuning.doubt_power, robot.joint_limits, intrinsics.log_focal_std
    )
    messages = (*image.messages, *tuning.notes, *intrinsics.messages)
    messages += cannot_tell(robot.joint_names, solution.joint_std)
    K = intrinsics.K.copy()
    K[:2, :2] *= np.exp(solution.log_focal)
    if solution.T_cam_base is None:
        messages += ("too little of the arm is seen to find the camera's pose",)
    else:
        messages += camera_messages(K, image, solution)
    return Estimate(
        robot=robot.name,
        robot_found=True,
        confidence=with_camera_doubt(confidence(right, solution.joint_std), solution),
        presence=crop.presence,
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        joint_positions=solution.joint_positions,
        joint_std=solution.joint_std,
        **_keypoints(robot, K, crop, seen, solution),
        T_cam_base=solution.T_cam_base,
        covariance=_with_centre(solution, intrinsics.centre_std),
        samples=crop.hypotheses,
        K=K,
        intrinsics_source=intrinsics.source,
        messages=messages,
        image=image.name,
    )


def _keypoints(
    robot: Robot, K: Array, crop: CropReading, seen: NDArray[np.bool_], solution: Solution
) -> dict[str, Any]:
    """An estimate's keypoints: where the solved arm has them, or as seen where there is no camera.

    Args:
        seen: (K,) which of the crop's keypoints were measured.
    """
    if solution.T_cam_base is None:
        return {
            "keypoints_2d": np.where(seen[:, None], crop.keypoints_2d, np.nan),
            "keypoints_2d_std": np.where(seen, crop.keypoints_std, np.inf),
            "keypoints_3d_cam": None,
        }
    points = transform_points(solution.T_cam_base, robot.keypoints(solution.joint_positions))
    return {
        "keypoints_2d": project(points, K),
        "keypoints_2d_std": projected_std(robot, K, solution),
        "keypoints_3d_cam": points,
    }


def solve_crop(
    robot: Robot,
    tuning: Tuning,
    K: Array,
    crop: CropReading,
    T_start: Array | None = None,
    image: LoadedImage | None = None,
    log_focal_std: float = 0.0,
) -> tuple[Solution, NDArray[np.bool_]]:
    """The geometry of one crop, and which keypoints (K,) it was measured on.

    Arguments as for `answer`; `K` (3, 3) [px] is that of the whole image, and `log_focal_std` how
    far its focal length may be off. Without `image` solver `outline` is `both`.
    """
    seen = crop.keypoints_seen >= tuning.keypoint_seen
    keypoints = (robot, K, crop.keypoints_2d, np.where(seen, crop.keypoints_std, np.inf))
    log_depth = crop.keypoints_log_depth, tuning.depth_scale * crop.keypoints_log_depth_std
    cal = tuning.calibration
    if tuning.solver == "keypoints":
        return solve_keypoints(
            *keypoints, log_depth=log_depth, calibration=cal, log_focal_std=log_focal_std
        ), seen
    solution = solve(
        *keypoints,
        crop.hypotheses,
        log_depth=log_depth,
        move_joints=tuning.solver != "diffusion",
        T_start=T_start,
        prior_std=tuning.prior_std,
        calibration=cal,
        log_focal_std=log_focal_std,
    )
    if image is not None and tuning.solver == "outline" and solution.modes is not None:
        measured = check_measurements(*keypoints, cal.keypoint_scale, log_depth, log_focal_std)
        edges = EdgeMap(image.pixels, K, (image.width, image.height), crop.box)
        solution = refine(measured, edges, solution, tuning.outline_calibration)
    return solution, seen


def no_robot(
    robot: Robot, image: LoadedImage, intrinsics: Intrinsics, presence: float, confidence: float
) -> Estimate:
    """The answer that this robot is not in view, or not understood.

    Args:
        presence: of the robot, by the network.
        confidence: that an answer would be right.
    """
    return Estimate(
        robot=robot.name,
        robot_found=False,
        confidence=confidence,
        presence=presence,
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        K=intrinsics.K,
        intrinsics_source=intrinsics.source,
        messages=(*image.messages, *refusal(robot.name, presence, presence >= ARM_LIKE)),
        image=image.name,
    )


def projected_std(robot: Robot, K: Array, solution: Solution) -> Array:
    """(K,) [px] root mean square over u and v of the keypoints' projected covariance."""
    assert solution.T_cam_base is not None
    assert solution.covariance is not None
    count = len(robot.keypoint_names)
    everything = Measurements(robot, K, np.arange(count), np.zeros((count, 2)), np.ones(count))
    T = solution.T_cam_base[None]
    J = linearise(everything, solution.joint_positions[None], T[:, :3, :3], T[:, :3, 3]).jacobian[0]
    variances = np.einsum("acn,ab,bcn->cn", J, solution.covariance, J)
    return np.asarray(np.sqrt(variances.mean(axis=0)))


def _with_centre(solution: Solution, centre_std: float) -> Array | None:
    """The covariance, with what an unknown principal point adds to the camera's pose.

    It turns all that is seen about the camera. Pixels of the keypoints stay where they are.
    """
    covariance, T = solution.covariance, solution.T_cam_base
    if covariance is None or T is None or not centre_std:
        return covariance
    covariance = covariance.copy()
    for axis in np.eye(3)[:2]:
        turned = np.concatenate(
            [np.zeros(len(covariance) - 7), axis, np.cross(axis, T[:3, 3]), [0]]
        )
        covariance += centre_std**2 * np.outer(turned, turned)
    return covariance
