"""The camera of frames whose joints nobody recorded: joints are read from the pictures, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.estimate.clips.survey import shared_camera
from armsight.estimate.estimator import Estimator
from armsight.fit.clip.shared_camera import NUM_CAMERA
from armsight.fit.extrinsics.calibration import CameraCalibration, FrameAlignment

Array = NDArray[np.floating]

FEWEST_FRAMES = 3


def camera_from_pictures(
    estimator: Estimator,
    images: Sequence[NDArray[np.uint8]],
    K: ArrayLike | None = None,
    *,
    fov_deg: float | None = None,
    times: Array | None = None,
) -> CameraCalibration:
    """Find the camera of N frames (H, W, 3) RGB of one fixed camera, without a joint log.

    The network reads each frame; one camera for all of them is fitted to what it read.

    Args:
        estimator: of the robot.
        images: all of one size.
        K: (3, 3) [px]; without it the focal length is found too.
        fov_deg: horizontal field of view [deg].
        times: (N,) [s] of a video's frames.

    Raises:
        BadImageError, BadIntrinsicsError: an argument makes no sense.
    """
    loaded = [load_image(image) for image in images]
    intrinsics = find_intrinsics(loaded[0], K, None, fov_deg)
    found = None
    if len(loaded) >= FEWEST_FRAMES:
        found = shared_camera(estimator, loaded, intrinsics, times)
    joints = estimator.robot.joint_names
    verdict, T, covariance, K_found = "fine", None, None, intrinsics.K
    seen = np.zeros(len(loaded), bool)
    if found is None:
        verdict = "too_few_frames" if len(loaded) < FEWEST_FRAMES else "arm_not_in_view"
        messages = (f"the {estimator.robot.name} is plain in too few of {len(loaded)} frames",)
    else:
        camera, readings = found
        T, K_found = camera.T_cam_base, camera.K(intrinsics.K)
        covariance = np.zeros((NUM_CAMERA + len(joints) + 1,) * 2)
        covariance[:NUM_CAMERA, :NUM_CAMERA] = camera.calibrated_covariance
        seen = np.array([reading.has_arm for reading in readings])
        messages = (
            f"there is no joint log: joints were read from the pictures, and the arm was seen in "
            f"{int(seen.sum())} of {len(loaded)} frames",
        )
    return CameraCalibration(
        robot=estimator.robot.name,
        verdict=verdict,
        messages=(*messages, *intrinsics.messages),
        joint_names=joints,
        T_cam_base=T,
        covariance=covariance,
        K=K_found,
        intrinsics_source=intrinsics.source,
        joint_zero_offsets=np.zeros(len(joints)),
        joint_zero_offsets_std=np.full(len(joints), np.inf),
        joint_zero_offsets_observable=np.zeros(len(joints), bool),
        time_offset=None,
        frames=tuple(
            FrameAlignment(i, np.nan, bool(one), "" if one else "the arm is not seen")
            for i, one in enumerate(seen)
        ),
    )
