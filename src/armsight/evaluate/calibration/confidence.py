"""From which presence on the robot counts as found, and how sure an answer is.

1. `robot_found` by presence alone: in the middle of the range in which at most 1 % of the robots
   are refused and at most 1 % of the empty pictures answered; where there is none, the lowest
   presence that answers at most 1 % of the empty pictures.
2. Confidence: a logistic regression for "what can be seen of the robot lies where the answer says".
   An unsure answer is given as one; only where it is right once in a hundred times it is none.

Confidences are cross-validated: each frame's comes from a fit to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.confidence import (
    CONFIDENCE_WEIGHTS,
    LEAST_RIGHT,
    SURE_CONFIDENCE,
    confidence,
    confidence_features,
)
from armsight.estimate.tuning import Tuning
from armsight.evaluate.calibration import fits
from armsight.evaluate.calibration.frames import Seen, Solved
from armsight.evaluate.calibration.stds import calibrated
from armsight.robots import Robot

Array = NDArray[np.floating]

MAX_REFUSED = 0.02
"""More of the robots refused than this is said"""
BUDGETS = {"refused": MAX_REFUSED, "false_answers": 0.02, "other_robots_found_and_sure": 0.05}
"""What is more than this on the calibration frames is said"""
SIGNS = {
    "presence_logit": 1,
    "consistency": 1,
    "inlier_share": 1,
    "log_residual_scale": -1,
    "log_joint_std": -1,
    "log_least_std": -1,
    "log_keypoint_std": -1,
    "outline": 1,
}
"""Whether more of a confidence feature speaks for an answer or against it"""
FEATURES = tuple(SIGNS)


def cross_visible_right(robot: Robot, tuning: Tuning, solved: Sequence[Solved]) -> Array:
    """(N,) how surely the visible part of each answer is right, by a fit to the others."""
    features = np.array([_features(robot, tuning, s) for s in solved])
    right = np.array([s.is_right(robot) for s in solved])
    return fits.cross_predict(features, right, np.array([SIGNS[name] for name in FEATURES]))


def fit_confidence(
    robot: Robot,
    tuning: Tuning,
    solved: Sequence[Solved],
    visible: Array,
    there: Sequence[Seen],
    without: Sequence[Seen],
    max_refused: float = MAX_REFUSED,
) -> tuple[Tuning, dict[str, Any]]:
    """Confidence weights, and what they and the threshold of presence bring.

    Args:
        robot: the one that is calibrated for.
        tuning: with all else on the card.
        solved: frames with and without the robot whose presence is worth an answer.
        visible: (N,) of `cross_visible_right`.
        there: all frames with the robot.
        without: all without it, those of other robots included.
        max_refused: more robots refused than this is said.
    """
    features = np.array([_features(robot, tuning, s) for s in solved])
    right = np.array([s.is_right(robot) for s in solved])
    signs = np.array([SIGNS[name] for name in FEATURES])
    figures = _found_figures(robot, tuning, solved, visible, right, len(there), without)
    bias, weights = fits.fit_logistic(features, right, signs)
    usual = fits.predict(
        features, tuning.confidence_bias, np.array([CONFIDENCE_WEIGHTS[n] for n in FEATURES])
    )
    report = {
        "found": figures,
        "max_refused": max_refused,
        "over_budget": over_budget(figures, max_refused),
        "confidence": {
            "answers": len(solved),
            "right": int(right.sum()),
            "log_loss_before": _log_loss(usual, right),
            "log_loss_cross_validated": _log_loss(visible, right),
            "auc_before": fits.separation(usual[right], usual[~right]),
            "auc_cross_validated": fits.separation(visible[right], visible[~right]),
        },
    }
    tuning = replace(
        tuning,
        confidence_bias=bias,
        confidence_weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
    )
    return tuning, report


def _found_figures(
    robot: Robot, tuning: Tuning, solved: Sequence[Solved], visible: Array,
    right: NDArray[np.bool_], num_there: int, without: Sequence[Seen],
) -> dict[str, float]:  # fmt: skip
    """Shares of the frames with the robot, with none and with others that get an answer."""
    is_robot = np.array([s.is_robot for s in solved])
    other = np.array([s.seen.frame.other_robot is not None for s in solved])
    found = np.array([s.seen.crop.presence >= tuning.robot_found for s in solved])
    found &= visible >= LEAST_RIGHT
    answers = [calibrated(robot, tuning, s, p) for s, p in zip(solved, visible, strict=True)]
    stds = [one.solution.joint_std for one in answers]
    sure = (
        np.array([confidence(p, std) for p, std in zip(visible, stds, strict=True)])
        >= SURE_CONFIDENCE
    )
    num_empty = sum(s.frame.other_robot is None for s in without)
    num_other = len(without) - num_empty
    return {
        "refused": 1 - float((found & is_robot).sum()) / num_there,
        "false_answers": float((found & ~is_robot & ~other).sum()) / max(1, num_empty),
        "false_sure_answers": float((found & sure & ~is_robot & ~other).sum()) / max(1, num_empty),
        "other_robots_found": float((found & other).sum()) / max(1, num_other),
        "other_robots_found_and_sure": float((found & sure & other).sum()) / max(1, num_other),
        "robots_sure": float((found & sure & is_robot).sum()) / num_there,
        "robots_sure_and_wrong": float((found & sure & is_robot & ~right).sum()) / num_there,
    }


def over_budget(figures: Mapping[str, float], max_refused: float) -> dict[str, float]:
    """Which rates are more than they may be, and what they may be."""
    budgets = BUDGETS | {"refused": max_refused}
    return {name: most for name, most in budgets.items() if figures[name] > most + 1e-9}


def _features(robot: Robot, tuning: Tuning, solved: Solved) -> list[float]:
    plain = calibrated(robot, tuning, solved, 1.0)
    features = confidence_features(plain.seen.crop, plain.solution, plain.measured)
    return [features[name] for name in FEATURES]


def _log_loss(p: Array, target: NDArray[np.bool_]) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(f"{-np.mean(np.where(target, np.log(p), np.log(1 - p))):.5g}")
