"""How sure an answer is: of the robot's presence, of what can be seen of it, and of each joint.

Three answers, kept apart: `robot_found` says that the robot is there, `confidence` that the part of
it which can be seen lies where the answer says, and `joint_std` how well each joint is known. Of
half an arm the joints out of view have large stds, which `cannot_tell` puts into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.crop_reading import CropReading
from armsight.fit.solution import Solution
from armsight.fit.uncertainty import narrowed, with_joint_stds

Array = NDArray[np.floating]

TYPICAL_OUTLINE = 0.65
"""`Solution.outline` of a middling answer; what was not looked at counts as such."""
CONFIDENCE_BIAS = -3.0
CONFIDENCE_WEIGHTS = {
    "presence_logit": 0.5,
    "consistency": 3.0,
    "inlier_share": 2.0,
    "log_residual_scale": -1.0,
    "log_joint_std": -0.5,
    "log_least_std": 0.0,
    "log_keypoint_std": 0.0,
    "outline": 0.0,
}
"""Used until a card brings weights that were fitted on a validation set (`armsight calibrate`)."""
NUM_LEAST = 3
"""`log_least_std` is of so many joints, those that are known best: half an arm has few of them"""
CANNOT_TELL = np.radians(25.0)
"""[rad] A joint with a larger std is one that the picture cannot tell"""
UNTOLD_COST = 0.5
"""Share of the confidence that is lost where no joint can be told"""
LEAST_RIGHT = 0.01
"""Answers that are less probably right than this are not given: something was seen, but not
understood"""
ANY_TURN = np.pi / np.sqrt(3)
"""[rad] std of an angle about which nothing is known"""
SURE_CONFIDENCE = 0.5
"""Confidence from which on an answer is more likely right than wrong"""
ARM_LIKE = 0.3
"""Presence from which on a refusal says that something like the robot was seen"""


def confidence_features(
    crop: CropReading, solution: Solution, seen: NDArray[np.bool_]
) -> dict[str, float]:
    """The numbers that tell right answers from wrong ones; see `Tuning.confidence_weights`."""
    presence = np.clip(crop.presence, 1e-6, 1 - 1e-6)
    # In units of the box, so that far and near arms count alike.
    spread = crop.keypoints_std[seen] / (crop.box[2] - crop.box[0])
    least = np.sort(solution.joint_std)[:NUM_LEAST]
    return {
        "presence_logit": float(np.log(presence / (1 - presence))),
        "consistency": float(solution.consistency),
        "inlier_share": float(solution.inliers.sum() / max(1, seen.sum())),
        "log_residual_scale": float(np.log(max(solution.residual_scale, 0.1))),
        "log_joint_std": float(np.log(np.mean(solution.joint_std) + 1e-3)),
        "log_least_std": float(np.log(np.mean(least) + 1e-3)),
        "log_keypoint_std": float(np.log(np.median(spread) if seen.any() else 1.0)),
        "outline": solution.outline - TYPICAL_OUTLINE if solution.outline else 0.0,
    }


def visible_part_right(
    features: Mapping[str, float], bias: float, weights: Mapping[str, float]
) -> float:
    """Probability that what can be seen of the robot lies where the answer says, in [0, 1].

    Args:
        features: of `confidence_features`.
        bias, weights: of a logistic regression on them.
    """
    logit = bias + sum(weight * features[name] for name, weight in weights.items())
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


def doubted(
    solution: Solution,
    visible_right: float,
    power: float,
    joint_limits: Array,
    log_focal_std: float = 0.0,
) -> Solution:
    """The solution with wider stds, the less surely it is right.

    None becomes wider than what is known without the picture: an angle within the joint's limits,
    any turn of the base, a place as far off as the base is.

    Args:
        visible_right: probability that what can be seen lies where the answer says; stds are
            multiplied by its reciprocal to the `power` (0: not at all).
        joint_limits: (J, 2) [rad]
        log_focal_std: how far the focal length may be off.
    """
    factor = doubt(visible_right, power)
    if factor == 1.0:
        return solution
    widest = np.ptp(joint_limits, axis=-1) / np.sqrt(12)
    std = np.minimum(factor * solution.joint_std, np.maximum(widest, solution.joint_std))
    covariance, T = solution.covariance, solution.T_cam_base
    if covariance is not None and T is not None:
        place = np.full(3, np.linalg.norm(T[:3, 3]))
        focal = np.maximum(log_focal_std, np.sqrt(covariance[-1:, -1]))
        widest = np.concatenate([widest, np.full(3, ANY_TURN), place, focal])
        covariance = with_joint_stds(narrowed(factor**2 * covariance, widest), std)
    return replace(solution, joint_std=std, covariance=covariance)


def doubt(visible_right: float, power: float) -> float:
    """The factor of `doubted`, at least 1."""
    return float(max(visible_right, LEAST_RIGHT) ** -power)


def confidence(visible_right: float, joint_std: Array) -> float:
    """That probability, less for the joints (J,) [rad] that cannot be told: up to half of it."""
    untold = float(np.mean(joint_std > CANNOT_TELL))
    return visible_right * (1 - UNTOLD_COST * untold)


def cannot_tell(names: Sequence[str], joint_std: Array) -> tuple[str, ...]:
    """A message that names the joints (J,) [rad] which a picture cannot tell; none where it can."""
    untold = [name for name, std in zip(names, joint_std, strict=True) if std > CANNOT_TELL]
    if not untold:
        return ()
    which = "no joint can" if len(untold) == len(names) else f"{', '.join(untold)} cannot"
    return (f"{which} be told from this picture (std over {np.degrees(CANNOT_TELL):.0f} deg)",)


def refusal(robot: str, presence: float, arm_like: bool) -> tuple[str, ...]:
    """Why there is no answer, and what would help.

    Args:
        presence: of the robot, as the network gives it.
        arm_like: something was seen, but not understood.
    """
    why = f"no {robot} found (presence {presence:.2f})"
    if not arm_like:
        return (why,)
    return (
        why,
        f"something like a {robot} was seen, but not understood; what helps: the camera's "
        "intrinsics (--K, --fov), the arm's place in the picture (--box), or a picture that shows "
        "a larger part of the arm",
    )


def refused_confidence(presence: float, threshold: float) -> float:
    """Presence as a confidence: 1/2 at the threshold, less below it, so that no refusal looks sure.

    The presence of the raw network is not calibrated; its odds are taken relative to those of
    the threshold from which on the robot counts as found.
    """
    p, least = np.clip([presence, threshold], 1e-6, 1 - 1e-6)
    odds = p / (1 - p) * (1 - least) / least
    return float(odds / (1 + odds))
