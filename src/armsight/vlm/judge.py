"""armsight's estimator as a verifier: is one of the claimed joint angles wrong?

For each joint, two explanations of the measured keypoints are compared: the claim as it is, and
the claim with this one joint free; the camera is fitted anew for both, since nobody claimed it.
How many standard deviations better the best of the second kind is, is the generalised likelihood
ratio for one wrong joint: sharp for small errors, since what the image cannot tell (two axes of
the wrist in line) is fixed by the rest of the claim. The distance from the estimated angles is
blunter, but knows what the network saw beside the keypoints, and does not get lost when several
joints are far off. The score is the root of the sum of their squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.estimate.answer import answer
from armsight.estimate.camera_file import CameraFile
from armsight.estimate.estimator import Estimator, check_hypotheses
from armsight.estimate.image import LoadedImage
from armsight.estimate.intrinsics import find_intrinsics
from armsight.estimate.measurements import Measurements, check_measurements
from armsight.estimate.pnp import MIN_KEYPOINTS, camera_candidates
from armsight.estimate.polish import Prior, States, data_cost, polish, residual_scale
from armsight.estimate.residuals import linearise
from armsight.state import Estimate

Array = NDArray[np.floating]

STD_FLOOR = np.radians(1.0)
"""[rad] No claim is surer than this: encoders, offsets and shutters err by as much"""
HELD = 1e-4
"""[rad] of joints that are held at their claim"""
FREE = np.radians(60.0)
"""[rad] of the joint that may be wrong"""
UNSEEN = 100.0
"""Score where the claim puts the arm where no camera could see it as it was seen"""


def angle_distance(estimate: Estimate, claimed: Array) -> float:
    """The largest |claimed - estimated| over the joints, in the estimate's standard deviations.

    What is left to judge by where too little was seen for a camera. NaN without a robot.
    """
    if estimate.joint_positions is None:
        return float("nan")
    std = np.zeros(len(claimed)) if estimate.joint_std is None else estimate.joint_std
    z = np.abs(claimed - estimate.joint_positions) / np.hypot(std, STD_FLOOR)
    return float(z.max())


def one_joint_ratio(
    measured: Measurements, claimed: Array, estimated: States, seed: int = 0
) -> tuple[float, Array]:
    """How much better the keypoints fit when one joint leaves its claim.

    Args:
        measured: keypoints of the image, at least MIN_KEYPOINTS.
        claimed: (J,) [rad].
        estimated: one state (B = 1), the free fit: it tells how well the keypoints can be fitted
            at all, which sets the unit.

    Returns:
        The score in standard deviations, and what each joint alone brings (J,).
    """
    robot = measured.robot
    joints = len(robot.joint_names)
    claim = robot.clip(claimed)[None]
    rng = np.random.default_rng(seed)
    R, t, _, _ = camera_candidates(measured, claim, rng)
    R = np.concatenate([R, estimated.R])
    t = np.concatenate([t, estimated.t])
    starts = States(np.repeat(claim, len(R), 0), R, t)
    held = Prior(starts.q, np.full_like(starts.q, HELD))
    cameras, at = polish(measured, starts, held, num_iterations=12, move_joints=False)
    free_fit = linearise(measured, estimated.q, estimated.R, estimated.t)
    scale = residual_scale(free_fit)
    costs = data_cost(at, np.repeat(scale, len(R)))
    best = int(np.argmin(costs))
    if not np.isfinite(costs[best]) or not at.in_front[best].any():
        return UNSEEN, np.full(joints, UNSEEN)
    base = cameras[np.full(joints, best)]
    std = np.where(np.eye(joints, dtype=bool), FREE, HELD)
    _, at_freed = polish(measured, base, Prior(base.q, std), num_iterations=12, graduated=False)
    gain = np.maximum(costs[best] - data_cost(at_freed, np.repeat(scale, joints)), 0.0)
    each: Array = np.sqrt(2 * gain)
    return float(each.max()), each


def known_camera_ratio(measured: Measurements, claimed: Array, T_cam_base: Array) -> float:
    """The same for a camera whose pose is known, as a monitor's fixed camera's is.

    Nothing has to be fitted but the one joint, which is searched on a grid.
    """
    robot = measured.robot
    joints = len(robot.joint_names)
    offsets = np.radians(np.arange(-60, 60.5, 1.5))
    q = np.repeat(robot.clip(claimed)[None], 1 + joints * len(offsets), 0)
    for j in range(joints):
        rows = slice(1 + j * len(offsets), 1 + (j + 1) * len(offsets))
        q[rows, j] += offsets
    q = robot.clip(q)
    R = np.broadcast_to(T_cam_base[:3, :3], (len(q), 3, 3))
    t = np.broadcast_to(T_cam_base[:3, 3], (len(q), 3))
    at = linearise(measured, q, R, t)
    scale = residual_scale(at).min()
    costs = data_cost(at, np.full(len(q), scale))
    return float(np.sqrt(2 * max(costs[0] - costs.min(), 0.0)))


@dataclass(frozen=True)
class Sight:
    """What the estimator saw in one image; claims (J,) are scored against it."""

    estimate: Estimate
    measured: Measurements | None

    def __call__(self, claimed: Array) -> float:
        """Standard deviations; larger: more surely wrong; NaN where no robot was seen."""
        return self.scores(claimed)["both"]

    def scores(self, claimed: Array, T_cam_base: Array | None = None) -> dict[str, float]:
        """The score and its parts, all in standard deviations; NaN where no robot was seen.

        Args:
            T_cam_base: (4, 4) where the camera's pose is known; adds 'camera known'.
        """
        angles = angle_distance(self.estimate, claimed)
        keypoints, T = angles, self.estimate.T_cam_base
        q = self.estimate.joint_positions
        if T is not None and q is not None and self.measured is not None:
            state = States(q[None], T[None, :3, :3], T[None, :3, 3])
            keypoints = one_joint_ratio(self.measured, claimed, state)[0]
        scores = {
            "both": float(np.hypot(angles, keypoints) / np.sqrt(2)),
            "angles": angles,
            "keypoints": keypoints,
        }
        if T_cam_base is not None:
            scores["camera known"] = scores["both"]
            if self.measured is not None:
                scores["camera known"] = known_camera_ratio(self.measured, claimed, T_cam_base)
        return scores


class EstimatorJudge:
    """Looks at images with an estimator, once each, however many claims are made about them."""

    def __init__(self, estimator: Estimator, hypotheses: int | None = None) -> None:
        self.estimator = estimator
        self.hypotheses = check_hypotheses(hypotheses, estimator.session.num_hypotheses)

    def look(
        self, image: LoadedImage, K: ArrayLike | None = None, camera: CameraFile | None = None
    ) -> Sight:
        """What there is to see in an image.

        Raises:
            BadIntrinsicsError: K or the camera makes no sense.
        """
        robot, tuning = self.estimator.robot, self.estimator.tuning
        intrinsics = find_intrinsics(image, K, camera, None)
        seen = self.estimator.find([image], [intrinsics], self.hypotheses, [()])[0]
        estimate = answer(robot, tuning, image, intrinsics, seen)
        measured = None
        if estimate.T_cam_base is not None:
            shown = seen.keypoints_seen >= tuning.keypoint_seen
            std = np.where(shown, seen.keypoints_std, np.inf)
            scale = tuning.calibration.keypoint_scale
            measured = check_measurements(robot, intrinsics.K, seen.keypoints_2d, std, scale)
            if measured.num_keypoints < MIN_KEYPOINTS:
                measured = None
        return Sight(estimate, measured)
