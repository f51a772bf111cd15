"""armsight's estimator as a verifier: is one of the claimed joint angles wrong?

For each joint, two explanations of the picture are compared: the claim as it is, and the claim with
this one joint free; the camera is fitted anew for both, where nobody claimed it. How much better
the best of the second kind explains the measured keypoints and the picture's edges is a
generalised likelihood ratio for one wrong joint: sharp for small errors, since what the picture
cannot tell (two axes of the wrist in line) is fixed by the rest of the claim. The estimator's own
answer, less BEST_FIT_ALLOWANCE, is one more explanation: it speaks where several joints are wrong
at once.

The distance from the estimated angles alone ('angles'), and the ratio from keypoints alone
('keypoints'), are told beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import find_intrinsics
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.estimator import Estimator, check_hypotheses
from armsight.fit.contour import Contour, draw_contour
from armsight.fit.contour_fit import SCALES, KnownCamera, align
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import (
    Prior,
    States,
    data_cost,
    joined,
    levenberg_marquardt,
    residual_scale,
)
from armsight.fit.measurements import Measurements, check_measurements
from armsight.fit.one_joint import (
    OFFSETS,
    keeping_the_far_part,
    one_joint_free,
    one_joint_off,
)
from armsight.fit.pnp import MIN_KEYPOINTS, camera_candidates
from armsight.fit.refine_contour import explained, follow
from armsight.fit.residuals import linearise
from armsight.state import Estimate

Array = NDArray[np.floating]

STD_FLOOR = np.radians(1.0)
"""[rad] No claim is surer than this: encoders, offsets and shutters err by as much"""
HELD_JOINT_STD = 1e-4
"""[rad] of joints that are held at their claim"""
FREE_JOINT_STD = np.radians(60.0)
"""[rad] of the joint that may be wrong"""
TURN_STD, PLACE_STD = np.radians(0.3), 0.005
"""[rad], [m] by which a known camera's pose may be wrong about each axis"""
BEST_FIT_ALLOWANCE = 15.0
"""How much better than the truth the estimator's own answer may fit"""
LEAST_PRESENCE = 0.5
"""Presence of the robot from which on claims are judged, even where the card asks for more"""
ONE_JOINT_SHARE = 0.5
"""A joint is named where freeing it alone brings this share of what the best explanation brings"""
UNSEEN_SCORE = 100.0
"""Score of a claim that no camera could see as the arm was seen"""


class Fits(NamedTuple):
    """The keypoints' explanations of a claim."""

    held: States
    """(1) all joints as claimed"""
    gain: Array
    """(J,) log likelihood that freeing a joint brings"""


def angle_distance(estimate: Estimate, claimed: Array) -> float:
    """The largest |claimed - estimated| over the joints, in the estimate's standard deviations.

    What is left to judge by where too little was seen for a camera. NaN without a robot.
    """
    if estimate.joint_positions is None:
        return float("nan")
    std = np.zeros(len(claimed)) if estimate.joint_std is None else estimate.joint_std
    z = np.abs(claimed - estimate.joint_positions) / np.hypot(std, STD_FLOOR)
    return float(z.max())


def fit_keypoints(
    measured: Measurements, claimed: Array, estimated: States, scale: float, seed: int = 0
) -> Fits | None:
    """Cameras that see the keypoints as they were seen, with the claim held, and one joint free.

    Args:
        measured: keypoints of the image, at least MIN_KEYPOINTS.
        claimed: (J,) [rad].
        estimated: one state (B = 1), the free fit.
        scale: of its residuals: how well the keypoints can be fitted at all sets the unit.

    Returns:
        None where no camera could.
    """
    robot = measured.robot
    joints = len(robot.joint_names)
    claim = robot.clip(claimed)[None]
    R, t, _, _ = camera_candidates(measured, claim, np.random.default_rng(seed))
    starts = joined(
        States(np.repeat(claim, len(R), 0), R, t),
        States(claim, estimated.R, estimated.t, estimated.log_focal),
    )
    held = Prior(starts.q, np.full_like(starts.q, HELD_JOINT_STD))
    cameras, at = levenberg_marquardt(measured, starts, held, num_iterations=12, move_joints=False)
    costs = data_cost(at, np.full(len(starts.q), scale))
    best = int(np.argmin(costs))
    if not np.isfinite(costs[best]) or not at.in_front[best].any():
        return None
    base = cameras[np.full(joints, best)]
    std = np.where(np.eye(joints, dtype=bool), FREE_JOINT_STD, HELD_JOINT_STD)
    _, freed = levenberg_marquardt(
        measured, base, Prior(base.q, std), num_iterations=12, graduated=False
    )
    gain = costs[best] - data_cost(freed, np.full(joints, scale))
    return Fits(base[:1], np.maximum(gain, 0.0))


@dataclass(frozen=True)
class ImageFit:
    """What a picture has to be explained: keypoints and edges."""

    measured: Measurements
    """[px of `edges`], at least MIN_KEYPOINTS"""
    scale: float
    """of the keypoints' residuals"""
    edges: EdgeMap
    estimated: States
    """(1) the estimator's answer, moved to where its outline fits best"""
    best: float
    """What it explains"""

    @classmethod
    def of(cls, measured: Measurements, edges: EdgeMap, estimated: States) -> ImageFit:
        """With the estimator's answer (B = 1)."""
        fit = linearise(measured, *estimated.parts)
        scale = float(residual_scale(fit)[0])
        found = follow(measured, edges, scale, estimated)
        if not found.any:
            return cls(measured, scale, edges, estimated, -np.inf)
        return cls(measured, scale, edges, found.states, float(found.explained[0]))

    def explained(self, contour: Contour, states: States) -> Array:
        """(B,) log likelihood of keypoints and edges in B states, up to a constant."""
        return explained(self.measured, self.edges, self.scale, contour, states)

    def align(
        self, contour: Contour, states: States, free: NDArray[np.bool_], *more: Any
    ) -> States:
        """See `armsight.fit.contour_fit.align`."""
        return align(contour, self.edges, self.measured, self.scale, states, free, *more)

    def gains(self, fits: Fits) -> Array:
        """(J + 1,) how much better the picture is explained when one joint leaves its claim, and by
        the estimator's own answer."""
        joints = len(fits.gain)
        free = one_joint_free(joints)
        held = follow(self.measured, self.edges, self.scale, fits.held, free=free[:1])
        if not held.any:
            return fits.gain
        states = self.align(held.contour, self.searched(held.contour, held.states), free)
        value = self.explained(held.contour, states)
        gains: Array = np.append(value[1:], self.best - BEST_FIT_ALLOWANCE) - value[0]
        return gains

    def known_camera_gains(self, claimed: Array, T_cam_base: Array) -> Array:
        """(J + 1,) the same for a camera whose pose is known, as a monitor's fixed camera's is.

        The one joint is searched on a grid; then joint and camera move, the camera by no more than
        what calibrations err by.
        """
        robot = self.measured.robot
        T = T_cam_base[None]
        held = States(
            robot.clip(claimed)[None], T[:, :3, :3], T[:, :3, 3], self.estimated.log_focal
        )
        contour = draw_contour(robot, held, self.edges)
        states = self.searched(contour, held, camera_known=True)
        camera = KnownCamera(T_cam_base, TURN_STD, PLACE_STD)
        states = self.align(contour, states, one_joint_free(len(claimed)), SCALES[1:], camera)
        value = self.explained(contour, states) - camera.terms(states)[0]
        gains: Array = np.append(value[1:], self.best - BEST_FIT_ALLOWANCE) - value[0]
        return gains

    def searched(self, contour: Contour, held: States, camera_known: bool = False) -> States:
        """A claim (B = 1), and with each joint in turn where it explains most (B = 1 + J).

        The camera stays as it is or, where its pose is not known, turns along with the joint.
        """
        robot = self.measured.robot
        joints = len(robot.joint_names)
        tries = one_joint_off(robot, held)
        if not camera_known:
            tries = joined(tries, keeping_the_far_part(robot, held, tries))
        value = self.explained(contour, tries).reshape(-1, joints, len(OFFSETS))
        best = value.max(-1).argmax(0), np.arange(joints)
        index = np.ravel_multi_index((*best, value[best].argmax(-1)), value.shape)
        return joined(held, tries[index])


@dataclass(frozen=True)
class ImageEvidence:
    """What the estimator saw in one image; claims (J,) are scored against it."""

    estimate: Estimate
    picture: ImageFit | None

    def __call__(self, claimed: Array, T_cam_base: Array | None = None) -> float:
        """How surely the claim is wrong, about in standard deviations; NaN: no robot was seen."""
        return self.scores(claimed, T_cam_base)[kind_of(T_cam_base)]

    def scores(self, claimed: Array, T_cam_base: Array | None = None) -> dict[str, float]:
        """The score of the whole picture and its parts.

        NaN where no robot was seen; the whole picture's also where the arm was not read surely:
        there other poses explain it better by chance.

        Args:
            T_cam_base: (4, 4) where the camera's pose is known; adds 'camera known'.
        """
        angles = angle_distance(self.estimate, claimed)
        scores = dict.fromkeys(("picture", "angles", "keypoints"), angles)
        if T_cam_base is not None:
            scores["camera known"] = angles
        if self.picture is None:
            return scores
        seen = self.picture
        fits = fit_keypoints(seen.measured, claimed, seen.estimated, seen.scale)
        if fits is None:
            scores |= dict.fromkeys(("picture", "keypoints"), UNSEEN_SCORE)
        else:
            scores["keypoints"] = _deviations(fits.gain.max())
            scores["picture"] = _deviations(seen.gains(fits).max())
        if self.estimate.confidence < SURE_CONFIDENCE:
            scores["picture"] = float("nan")
        if T_cam_base is not None:
            scores["camera known"] = _deviations(seen.known_camera_gains(claimed, T_cam_base).max())
        return scores

    def suspect(self, claimed: Array, T_cam_base: Array | None = None) -> int | None:
        """The joint that most likely is the wrong one, if the claim is wrong in one joint.

        None where several must be, or nothing can be said.
        """
        if self.picture is None:
            return None
        if T_cam_base is not None:
            gains = self.picture.known_camera_gains(claimed, T_cam_base)
        else:
            seen = self.picture
            fits = fit_keypoints(seen.measured, claimed, seen.estimated, seen.scale)
            if fits is None:
                return None
            gains = seen.gains(fits)
        joint = int(gains[:-1].argmax()) if len(gains) > len(claimed) else int(gains.argmax())
        return joint if gains[joint] >= ONE_JOINT_SHARE * gains.max() else None


def kind_of(T_cam_base: Array | None) -> str:
    """Which score of an image counts: 'camera known' where its pose (4, 4) is, else 'picture'."""
    return "picture" if T_cam_base is None else "camera known"


def _deviations(gain: float) -> float:
    """A log likelihood ratio as the standard deviations that would bring it."""
    return float(np.sqrt(2 * max(gain, 0.0)))


class ClaimVerifier:
    """Reads images with an estimator, once each, however many claims are made about them."""

    def __init__(self, estimator: Estimator, hypotheses: int | None = None) -> None:
        self.estimator = estimator
        self.hypotheses = check_hypotheses(hypotheses, estimator.session.num_hypotheses)

    def read(
        self, image: LoadedImage, K: ArrayLike | None = None, camera: CameraFile | None = None
    ) -> ImageEvidence:
        """What there is to see in an image.

        Raises:
            BadIntrinsicsError: K or the camera makes no sense.
        """
        robot = self.estimator.robot
        tuning = self.estimator.tuning
        # A claim implies that the robot is there, and the answer need not be sure.
        tuning = replace(tuning, robot_found=min(tuning.robot_found, LEAST_PRESENCE), confident=0.0)
        intrinsics = find_intrinsics(image, K, camera, None)
        seen = self.estimator.find([image], [intrinsics], self.hypotheses, [()])[0]
        estimate = build_estimate(robot, tuning, image, intrinsics, seen)
        T, q = estimate.T_cam_base, estimate.joint_positions
        if T is None or q is None:
            return ImageEvidence(estimate, None)
        shown = seen.keypoints_seen >= tuning.keypoint_seen
        measured = check_measurements(
            robot,
            intrinsics.K,
            seen.keypoints_2d,
            np.where(shown, seen.keypoints_std, np.inf),
            tuning.calibration.keypoint_scale,
            (seen.keypoints_log_depth, tuning.depth_scale * seen.keypoints_log_depth_std),
            intrinsics.log_focal_std,
        )
        if measured.num_keypoints < MIN_KEYPOINTS:
            return ImageEvidence(estimate, None)
        assert estimate.K is not None
        zoom = np.log(estimate.K[0, 0] / intrinsics.K[0, 0])
        state = States(q[None], T[None, :3, :3], T[None, :3, 3], zoom)
        edges = EdgeMap(image.pixels, intrinsics.K, (image.width, image.height))
        return ImageEvidence(estimate, ImageFit.of(edges.own(measured), edges, state))
