"""The camera of recorded frames from the joints' log: no network, no markers, no first guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.image import load_image
from armsight.camera.intrinsics import LOG_FOCAL_STD, find_intrinsics
from armsight.fit.extrinsics.answer import Answer
from armsight.fit.extrinsics.background import LONGER_SIDE, CameraMotion
from armsight.fit.extrinsics.calibration import VERDICTS, CameraCalibration, FrameAlignment
from armsight.fit.extrinsics.diagnosis import (
    MIRRORED,
    diagnose,
    fit_near,
    mirrored_contrast,
    nothing_moves,
)
from armsight.fit.extrinsics.inputs import LoggedPath, check_images, in_degrees, joint_path
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.log_errors import (
    with_time_offset,
    with_zero_offsets,
    without_zero_offsets,
)
from armsight.fit.extrinsics.scan import Scan, scan
from armsight.fit.extrinsics.search import spread_frames
from armsight.fit.extrinsics.shared_fit import Frames, SharedPrior, fit_shared
from armsight.fit.extrinsics.solve import (
    FINE,
    LAST,
    SURE_CONTRAST,
    CameraSolution,
    edge_maps,
    find_camera,
    solution,
)
from armsight.fit.extrinsics.time_offset import coarse_time_offsets, image_motion, is_video
from armsight.fit.extrinsics.uncertainty import covariance, evidence_weight, of_principal_point
from armsight.robots import Robot, load_robot

__all__ = ["VERDICTS", "CameraCalibration", "FrameAlignment", "calibrate_camera"]

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

K_GIVEN = ("given", "camera_file")
"""Sources of K that know the principal point; the others take the picture's middle"""
MOST_FRAMES = 16
"""At most so many frames are fitted: those whose poses of the arm differ most"""
FEWEST_FRAMES = 3
LEAST_MOTION = 0.04
"""The arm hardly moves where no point of it moves by more than this share of its reach"""


def calibrate_camera(
    robot: Robot | str,
    images: Sequence[Pixels],
    joint_positions: ArrayLike,
    *,
    K: ArrayLike | None = None,
    fov_deg: float | None = None,
    image_times: ArrayLike | None = None,
    log_times: ArrayLike | None = None,
    find_zeros: bool = True,
    find_time_offset: bool = True,
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
        find_zeros: whether joints may have zeros that are off; otherwise the log's are right.
        find_time_offset: whether log and video may be shifted in time.
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
    answer = Answer(robot, intrinsics, len(images))
    answer.reasons.update({int(i): "its joints are not known" for i in np.flatnonzero(~known)})
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
    usable = np.flatnonzero(known)
    hulls = LinkHulls.of(robot, path.at(0.0)[0][usable])
    moved = float(np.linalg.norm(np.ptp(hulls.points, axis=0), axis=-1).max())
    if moved < LEAST_MOTION * hulls.reach:
        return answer.without_camera(
            "arm_hardly_moves",
            f"by the log no point of the arm moves by more than {100 * moved:.1f} cm",
        )
    seen = scan(images, usable, size)
    unknown = find_zeros, find_time_offset
    return _calibrated(robot, images, path, seen, answer, seed, report, unknown)


def _calibrated(
    robot: Robot, images: Sequence[Pixels], path: LoggedPath, seen: Scan, answer: Answer, seed: int,
    report: Callable[[float], None] | None, unknown: tuple[bool, bool],
) -> CameraCalibration:  # fmt: skip
    """What the fit says of frames whose joints are known."""
    indices, camera_moved = _one_camera(seen)
    if seen.camera_motion is not None:
        answer.camera_moved_at = seen.camera_motion.frame
    scanned = path.among(indices)
    small = seen.small[np.isin(seen.indices, indices)]
    if nothing_moves(small):
        return answer.without_camera(
            "arm_not_in_view", "nothing moves in the pictures, although the log's arm does"
        )
    find_zeros, find_time_offset = unknown
    video = find_time_offset and is_video(scanned)
    offsets = [0.0]
    if video:
        offsets = coarse_time_offsets(robot, scanned, image_motion(small))
    hulls = LinkHulls.of(robot, scanned.at(offsets[0])[0])
    chosen = indices[spread_frames(hulls, MOST_FRAMES)]
    if len(chosen) < FEWEST_FRAMES:
        return answer.without_camera("too_few_frames", *filter(None, [camera_moved]))
    pictures = [np.asarray(images[int(i)]) for i in chosen]
    K = answer.intrinsics.K
    frames = Frames(robot, edge_maps(pictures, K), path.among(chosen).at)
    prior = SharedPrior(LOG_FOCAL_STD[answer.intrinsics.source], np.zeros(len(robot.joint_names)))
    found = find_camera(pictures, frames, K, prior, seed, offsets, report=report)
    if found is None or not found.believed:
        if seen.camera_motion is not None:
            return answer.without_camera(
                "camera_moved", _shift_in_words(seen.camera_motion),
                f"no camera explains the {len(indices)} frames on the longer side of it",
            )  # fmt: skip
        q = frames.joints_at(0.0)[0]
        why = diagnose(robot, pictures, q, K, prior, small, scanned, seed)
        if why.camera is None:
            return answer.without_camera(why.verdict, *why.messages)
        found = fit_near(robot, pictures, q, K, prior, why.camera)
    if found.contrast < SURE_CONTRAST:
        q = frames.joints_at(found.shared.time_offset)[0]
        if mirrored_contrast(robot, pictures, q, K, prior, seed) > found.contrast:
            return answer.without_camera("cannot_tell", MIRRORED)
    return _refined(frames, found, prior, pictures, path, chosen, answer, video,
                    find_zeros, camera_moved)  # fmt: skip


def _refined(
    frames: Frames, found: CameraSolution, prior: SharedPrior, pictures: list[Pixels],
    path: LoggedPath, chosen: NDArray[np.intp], answer: Answer, video: bool, find_zeros: bool,
    camera_moved: str | None,
) -> CameraCalibration:  # fmt: skip
    """The last fit, with a time offset and zero offsets where the pictures ask for them."""
    weights = evidence_weight(frames, found.shared, found.used) * found.used
    shared, period = found.shared, None
    if video:
        period = path.frame_period
        shared, prior = with_time_offset(frames, shared, prior, weights, period)
    shared = fit_shared(frames, shared, prior, weights, FINE)
    compared = (
        with_zero_offsets(frames, shared, prior, weights)
        if find_zeros
        else without_zero_offsets(shared, prior)
    )
    shared = fit_shared(frames, compared.shared, compared.prior, weights, LAST)
    compared = replace(compared, shared=shared)
    found = solution(frames, shared, weights > 0, pictures, answer.intrinsics.K, found.agreement)
    covar = covariance(frames, shared, compared.prior, weights)
    if answer.intrinsics.source not in K_GIVEN:
        focal = answer.intrinsics.K[0, 0] * np.exp(shared.log_focal)
        width = pictures[0].shape[1]
        covar[:6, :6] += of_principal_point(shared.T_cam_base, focal, width)
    return answer.of(found, compared, covar, chosen, period, path.in_seconds, camera_moved)


def _one_camera(seen: Scan) -> tuple[NDArray[np.intp], str | None]:
    """The frames before or after the camera moved, whichever are more, and the move in words."""
    moved = seen.camera_motion
    if moved is None:
        return seen.indices, None
    before = seen.indices[seen.indices < moved.frame]
    after = seen.indices[seen.indices >= moved.frame]
    kept, name = (before, "before") if len(before) >= len(after) else (after, "since")
    return kept, f"{_shift_in_words(moved)}; the pose is the camera's {name} then"


def _shift_in_words(moved: CameraMotion) -> str:
    return (
        f"the room shifts by {moved.shift_px:.1f} px (of {LONGER_SIDE} px) at frame {moved.frame}"
    )
