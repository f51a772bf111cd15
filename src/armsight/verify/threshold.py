"""From which score on a claim of joint angles counts as wrong: fitted on true claims.

The threshold is the quantile of the true claims' scores that holds for new pictures too (split
conformal prediction: Vovk et al., Algorithmic Learning in a Random World, 2005): a new true claim
reaches it with at most the stated rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from armsight.camera.image import load_image
from armsight.data.frame import Dataset
from armsight.errors import DatasetError
from armsight.estimate.estimator import Estimator
from armsight.reports.intervals import wilson_interval
from armsight.verify.claims import ClaimVerifier
from armsight.verify.wrong_claims import shifted_claim

FALSE_ALARMS = 0.05
SHIFT_DEG = 15.0
"""[deg] by which one joint after the other is shifted, to see which wrong claims a threshold
finds"""
NAMES = {"picture": "claim_wrong", "camera known": "claim_wrong_camera_known"}
"""Kinds of scores (claims.py) and the names of their thresholds on the card"""
MOST_CLAIMED = 330
"""Most frames on which thresholds are fitted: it is the slowest part of a calibration"""
DEFAULTS = {"picture": 2.7, "camera known": 2.4}
"""For cards without them"""


def threshold(card: Mapping[str, Any], kind: str) -> float:
    """The score from which on a claim counts as wrong, by a weights' card."""
    return float(card.get("thresholds", {}).get(NAMES[kind], DEFAULTS[kind]))


def fit_thresholds(
    estimator: Estimator,
    datasets: Sequence[Dataset],
    false_alarms: float = FALSE_ALARMS,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Thresholds for the card, and what they bring.

    Args:
        estimator: with the tuning that it will be used with; claims that it cannot judge, since it
            reads the arm too unsurely, do not count.
        datasets: frames that nothing was trained on; those that show the robot and say its joint
            angles count.
        false_alarms: the rate at which true claims may be called wrong.
        progress: called with 1 for each of those frames.

    Raises:
        DatasetError: too few frames for that rate.
    """
    judge, robot = ClaimVerifier(estimator), estimator.robot
    rng = np.random.default_rng(0)
    right: dict[str, list[float]] = {kind: [] for kind in NAMES}
    wrong: dict[str, list[float]] = {kind: [] for kind in NAMES}
    for i, frame in enumerate(claimable(datasets)):
        evidence, true = judge.read(load_image(frame.load_image()), frame.K), frame.joint_positions
        joint = i % len(robot.joint_names)
        shifted = shifted_claim(robot, true, joint, SHIFT_DEG, rng).joint_positions
        for claim, scores in ((true, right), (shifted, wrong)):
            for kind, score in evidence.scores(claim, frame.T_cam_base).items():
                if kind in NAMES and np.isfinite(score):
                    scores[kind].append(score)
        progress(1)
    found: dict[str, float] = {}
    measured: dict[str, Any] = {"false_alarms": false_alarms, "shift_deg": SHIFT_DEG}
    for kind, name in NAMES.items():
        if not right[kind] and (kind == "camera known" or any(right.values())):
            continue
        found[name] = round(conformal_quantile(right[kind], false_alarms), 3)
        caught = sum(score >= found[name] for score in wrong[kind])
        measured[name] = {
            "true_claims": len(right[kind]),
            "wrong_claims": len(wrong[kind]),
            "wrong_claims_found": [caught / max(1, len(wrong[kind])),
                                   *wilson_interval(caught, len(wrong[kind]))],
        }  # fmt: skip
    return found, measured


def claimable(datasets: Sequence[Dataset]) -> list[Any]:
    """The frames that show the robot and say its joint angles, at most MOST_CLAIMED, spread out."""
    frames = [
        frame for dataset in datasets for frame in dataset.frames
        if frame.robot_in_view and frame.joint_positions is not None
    ]  # fmt: skip
    return frames[:: max(1, -(-len(frames) // MOST_CLAIMED))]


def conformal_quantile(scores: Sequence[float], rate: float) -> float:
    """The score that a new one, drawn like `scores` (N,), exceeds with a chance of at most `rate`.

    Raises:
        DatasetError: N is too small to say.
    """
    rank = int(np.ceil((len(scores) + 1) * (1 - rate) - 1e-9))
    if rank > len(scores):
        raise DatasetError(
            f"a false alarm rate of {rate:g} needs at least {int(np.ceil(1 / rate - 1 - 1e-9))} "
            f"frames with known joint angles in which the robot is found, not {len(scores)}"
        )
    return float(np.sort(scores)[rank - 1])
