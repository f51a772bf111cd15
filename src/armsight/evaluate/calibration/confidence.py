"""How sure an answer is, and from which confidence on it is given: the last of the card's fits.

Two thresholds decide whether a picture is answered. `robot_found` is for what the network sees,
`confident` for the answer that follows. They are chosen in this order:

1. `robot_found` by presence alone: in the middle of the range in which at most 1 % of the robots
   are refused and at most 1 % of the empty pictures answered.
2. `confident` is SURE: an answer that is more likely wrong than right is none. Where that would
   refuse more robots than may be refused (those of 1. included), the highest that does not.
3. With `robot_found` so low that hardly any robot is refused by it, 2. is tried again. This pair is
   taken if it makes fewer mistakes, by WORTHWHILE: the larger of the shares of refused robots and
   answered empty pictures, and OTHERS of the share of other makers' arms that are answered.

Confidences are cross-validated: each frame's comes from a fit to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.answer import CONFIDENCE_WEIGHTS, Tuning, confidence_features
from armsight.evaluate.calibration import fits
from armsight.evaluate.calibration.frames import Seen, Solved
from armsight.evaluate.poses.presence import SURE
from armsight.robots import Robot

Array = NDArray[np.floating]

MAX_REFUSED = 0.02
"""Share of the robots that may be refused"""
OTHERS = 0.25
"""Another maker's arm that is answered counts so much of an empty picture that is."""
WORTHWHILE = 0.005
"""The second pair of thresholds is taken only where it spares more wrong answers than this."""
BUDGETS = {"refused": MAX_REFUSED, "false_answers": 0.02, "other_robots_found_and_sure": 0.1}
"""What is more than this on the calibration frames is said"""
SIGNS = {
    "presence_logit": 1,
    "consistency": 1,
    "inlier_share": 1,
    "log_residual_scale": -1,
    "log_joint_std": -1,
    "log_keypoint_std": -1,
    "outline": 1,
}
"""Whether more of a confidence feature speaks for an answer or against it"""
FEATURES = tuple(SIGNS)


def choose_confident(sure: Array, robots: int, max_refused: float) -> tuple[float, str]:
    """From which confidence on answers are given, and by which rule.

    Args:
        sure: (N,) confidence of the answers about robots, of those that were not refused before.
        robots: how many robots there were, R >= N.
        max_refused: share of them that may be refused in all.
    """
    spare = max_refused * robots - (robots - len(sure))
    if spare < 0 or not len(sure):
        return 0.0, "none: presence alone refuses more robots than may be refused"
    most = fits.highest_threshold(sure, spare / len(sure))
    if most < SURE:
        return most, f"the highest that refuses at most {100 * max_refused:g} % of the robots"
    return SURE, "below it an answer is more likely wrong than right"


def fit_confidence(
    robot: Robot,
    tuning: Tuning,
    solved: Sequence[Solved],
    there: Sequence[Seen],
    without: Sequence[Seen],
    max_refused: float = MAX_REFUSED,
) -> tuple[Tuning, dict[str, Any]]:
    """Confidence weights, the thresholds that go with them, and what they bring.

    Args:
        robot: the one that is calibrated for.
        tuning: with all else on the card; its `robot_found` is the one by presence alone.
        solved: frames with and without the robot whose presence is worth an answer.
        there: all frames with the robot.
        without: all without it, those of other robots included.
        max_refused: see `choose_confident`.
    """
    features = np.array([_features(robot, tuning, s) for s in solved])
    right = np.array([s.is_right(robot) for s in solved])
    is_robot = np.array([s.is_robot for s in solved])
    other = np.array([s.seen.frame.other_robot is not None for s in solved])
    presence = np.array([s.seen.look.presence for s in solved])
    signs = np.array([SIGNS[name] for name in FEATURES])
    sure = fits.cross_predict(features, right, signs)
    num_empty = sum(s.frame.other_robot is None for s in without)
    num_other = len(without) - num_empty

    def cost(least_presence: float, confident: float) -> dict[str, float]:
        found = (presence >= least_presence) & (sure >= confident)
        wrong = found & ~is_robot
        return {
            "refused": 1 - float((found & is_robot).sum()) / len(there),
            "false_answers": float((wrong & ~other).sum()) / max(1, num_empty),
            "other_robots_found": float((wrong & other).sum()) / max(1, num_other),
            "other_robots_found_and_sure": float((wrong & other & (sure >= SURE)).sum())
            / max(1, num_other),
        }

    def pair(least_presence: float) -> tuple[float, str]:
        own = is_robot & (presence >= least_presence)
        return choose_confident(sure[own], len(there), max_refused)

    def total(of: Mapping[str, float]) -> float:
        return max(of["refused"], of["false_answers"]) + OTHERS * of["other_robots_found"]

    least = tuning.robot_found
    confident, rule = pair(least)
    figures = cost(least, confident)
    if (lowest := float(presence.min())) < least:
        tried, why = pair(lowest)
        instead = cost(lowest, tried)
        if total(instead) < total(figures) - WORTHWHILE:
            least, confident, rule, figures = lowest, tried, why, instead
    counted = presence >= least
    bias, weights = fits.fit_logistic(features[counted], right[counted], signs)
    usual = fits.predict(
        features, tuning.confidence_bias, np.array([CONFIDENCE_WEIGHTS[n] for n in FEATURES])
    )
    report = {
        "found_by_presence": cost(tuning.robot_found, 0.0),
        "found": figures,
        "max_refused": max_refused,
        "over_budget": over_budget(figures, max_refused),
        "confident_because": rule,
        "confidence": {
            "answers": len(solved),
            "right": int(right.sum()),
            "log_loss_before": _log_loss(usual, right),
            "log_loss_cross_validated": _log_loss(sure, right),
            "auc_before": fits.separation(usual[right], usual[~right]),
            "auc_cross_validated": fits.separation(sure[right], sure[~right]),
        },
    }
    tuning = replace(
        tuning,
        robot_found=least,
        confident=confident,
        confidence_bias=bias,
        confidence_weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
    )
    return tuning, report


def over_budget(figures: Mapping[str, float], max_refused: float) -> dict[str, float]:
    """Which rates are more than they may be, and what they may be."""
    budgets = BUDGETS | {"refused": max_refused}
    return {name: most for name, most in budgets.items() if figures[name] > most + 1e-9}


def _features(robot: Robot, tuning: Tuning, solved: Solved) -> list[float]:
    solution = solved.solution
    std = tuning.outline_calibration.joint_std(solution.joint_std, robot.joint_limits)
    features = confidence_features(
        solved.seen.look, replace(solution, joint_std=std), solved.measured
    )
    return [features[name] for name in FEATURES]


def _log_loss(p: Array, target: NDArray[np.bool_]) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(f"{-np.mean(np.where(target, np.log(p), np.log(1 - p))):.5g}")
