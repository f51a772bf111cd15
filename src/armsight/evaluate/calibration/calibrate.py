"""The numbers on a weights' card that turn raw outputs into calibrated ones.

They come from a validation set, which must be neither training nor test data. The network looks
at every frame once; all fits then work on what it saw.

1. Presence thresholds: robots that are refused against false answers.
2. Scale of the keypoints' stds, on keypoints whose truth is known.
3. `depth_scale`, `keypoint_seen` and `prior_std` by trial: which give the best joints and camera.
4. Scale and floor of each joint's std, and scales of the camera's, so that two of them hold 95.4 %
   of the errors of right answers.
5. Confidence: logistic regression for "what can be seen lies where the answer says".
6. `doubt_power`: how fast stds grow where that is less sure, so that two hold the errors of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError
from armsight.estimate.confidence import LEAST_RIGHT
from armsight.estimate.estimator import Estimator
from armsight.estimate.tuning import Tuning
from armsight.evaluate.calibration import fits
from armsight.evaluate.calibration.confidence import (
    MAX_REFUSED,
    cross_visible_right,
    fit_confidence,
)
from armsight.evaluate.calibration.frames import Seen, Solved, keypoint_ratios, solve_one, spread
from armsight.evaluate.calibration.stds import camera_coverage, fit_calibration, fit_doubt
from armsight.evaluate.poses.metrics import ADD_THRESHOLD_M
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS
from armsight.fit.uncertainty import FIT_VERSION, Calibration
from armsight.robots import Robot

Array = NDArray[np.floating]

FEWEST_FRAMES = 20
"""With fewer frames of the robot, 95 % is a guess."""
ALLOWED = 0.01
"""Share of robots that presence may refuse, and of empty pictures that it may answer."""
MOST_FIRST_LOOK = 0.2
"""Pictures unlike the validation set deserve a crop, too; it costs some 50 ms."""
TRIAL_FRAMES = 80
"""Each is solved some fifteen times, outline and all: what is best without it is not with it."""
SEEN_TRIALS = (0.1, 0.2, 0.3, 0.4, 0.5)
DEPTH_TRIALS = (1.5, 2.0, 3.0, 4.5, 7.0)
PRIOR_TRIALS = (0.1, 0.15, 0.2, 0.3, 0.45)


def calibrate(
    estimator: Estimator,
    seen: Sequence[Seen],
    max_refused: float = MAX_REFUSED,
    unknown_focal: Sequence[Seen] = (),
) -> dict[str, Any]:
    """`thresholds` and `calibration` for the card; `calibration.measured` says what they bring.

    Args:
        estimator: whose weights they are.
        seen: frames with the robot, labelled; without it, and with other robots, if any.
        max_refused: more of the robots refused than this is said.
        unknown_focal: frames with the robot, looked at as if their intrinsics were unknown.

    Raises:
        DatasetError: fewer than FEWEST_FRAMES frames show the robot and say its joint angles, or
            the network finds it in fewer.
    """
    robot = estimator.robot
    there = [s for s in seen if s.frame.robot_in_view and s.frame.joint_positions is not None]
    without = [s for s in seen if not s.frame.robot_in_view]
    empty = [s for s in without if s.frame.other_robot is None]
    _check_count(there, f"show {robot.name} with known joint angles")
    presence = fits.choose_threshold(_presences(there), _presences(empty), ALLOWED)
    found = [s for s in there if s.crop.presence >= presence.value]
    _check_count(found, f"show {robot.name} so that the network finds it")

    tuning = Tuning(first_look=_first_look(found), robot_found=presence.value)
    ratios = keypoint_ratios(robot, found, tuning.keypoint_seen)
    scale = fits.residual_scale(ratios)
    tuning = replace(tuning, calibration=Calibration(keypoint_scale=scale))
    tuning, trials = _try_out(robot, tuning, found)

    least = min(presence.value, fits.highest_threshold(_presences(there), ALLOWED / 2))
    solved = [solve_one(robot, tuning, s) for s in there + without if s.crop.presence >= least]
    own = [s for s in solved if s.is_robot and s.seen.crop.presence >= presence.value]
    guessed = [solve_one(robot, tuning, s) for s in unknown_focal if _is_found(s, presence.value)]
    tuning = _with_scaled_stds(robot, tuning, own, guessed)
    visible = cross_visible_right(robot, tuning, solved)
    of_own = np.array([any(s is one for one in own) for s in solved])
    tuning, stds = fit_doubt(robot, tuning, own, visible[of_own])
    tuning, confidence = fit_confidence(robot, tuning, solved, visible, there, without, max_refused)
    measured = {
        "presence_alone": {"refused": presence.refused, "false_answers": presence.false},
        **confidence,
        "keypoints": {"residual_over_std_before": _rounded(scale), "n": len(ratios)},
        "trials": trials,
        "two_std_coverage": stds,
        "camera_two_std_coverage": camera_coverage(tuning, own, guessed, visible[of_own]),
        **_errors(robot, own),
    }
    return _card_entries(tuning, scale, measured)


def _with_scaled_stds(
    robot: Robot, tuning: Tuning, own: Sequence[Solved], guessed: Sequence[Solved]
) -> Tuning:
    """Scales and floors of the stds of answers with and without the outline.

    Args:
        own: answers with the camera known.
        guessed: answers with the focal length unknown.
    """
    only_keypoints = replace(tuning, solver="both")
    plain = [solve_one(robot, only_keypoints, s.seen) for s in own]
    plain_guessed = [solve_one(robot, only_keypoints, s.seen) for s in guessed]
    without_outline, with_outline = (
        fit_calibration(robot, tuning, _right(robot, some), _right(robot, unknown))
        for some, unknown in ((plain, plain_guessed), (own, guessed))
    )
    return replace(tuning, calibration=without_outline, outline_calibration=with_outline)


def _errors(robot: Robot, own: Sequence[Solved]) -> dict[str, float]:
    """What the answers reach, for the card."""
    joints = np.array([s.joint_errors_deg[:NUM_SCORED_JOINTS].mean() for s in own])
    adds = np.array([s.add(robot) for s in own])
    return {
        "mean_joint_error_deg": _rounded(joints.mean()),
        "add_auc": _rounded(100 * np.clip(1 - adds / ADD_THRESHOLD_M, 0, 1).mean()),
    }


def _card_entries(tuning: Tuning, scale: float, measured: dict[str, Any]) -> dict[str, Any]:
    """What `Tuning.from_card` reads, and what was measured."""
    return {
        "thresholds": {
            "first_look": _rounded(tuning.first_look),
            "robot_found": _rounded(tuning.robot_found),
            "confident": LEAST_RIGHT,
            "keypoint_seen": tuning.keypoint_seen,
        },
        "calibration": {
            "fit_version": FIT_VERSION,
            "keypoint_scale": _rounded(scale),
            "depth_scale": tuning.depth_scale,
            "prior_std": tuning.prior_std,
            "doubt_power": tuning.doubt_power,
            **_joints(tuning.calibration),
            "outline": _joints(tuning.outline_calibration),
            "confidence": {
                "bias": _rounded(tuning.confidence_bias),
                "weights": {n: _rounded(w) for n, w in tuning.confidence_weights.items()},
            },
            "measured": measured,
        },
    }


def _first_look(found: Sequence[Seen]) -> float:
    """A crop is cheap beside a robot that is missed: nearly all robots get one, and with
    only half their odds they still would."""
    lowest = fits.highest_threshold(np.array([s.first for s in found]), ALLOWED / 4)
    odds = 0.5 * lowest / max(1 - lowest, 1e-6)
    return float(np.clip(odds / (1 + odds), 0.01, MOST_FIRST_LOOK))


def _try_out(robot: Robot, tuning: Tuning, found: Sequence[Seen]) -> tuple[Tuning, dict[str, Any]]:
    """The values that solve best, where they are better than chance would have it."""
    some = [s for s in found if s.frame.T_cam_base is not None]
    some = spread(some, TRIAL_FRAMES)
    report: dict[str, Any] = {"frames": len(some)}
    if len(some) < FEWEST_FRAMES:
        return tuning, report
    trials = {"depth_scale": DEPTH_TRIALS, "prior_std": PRIOR_TRIALS, "keypoint_seen": SEEN_TRIALS}
    for name, tried_values in trials.items():
        losses: dict[float, Array] = {}
        for value in sorted({*tried_values, getattr(tuning, name)}):
            change: dict[str, Any] = {name: value}
            tried = replace(tuning, **change)
            losses[value] = np.array([solve_one(robot, tried, s).loss(robot) for s in some])
        usual = losses[getattr(tuning, name)]
        best = min(losses, key=lambda value: float(losses[value].mean()))
        gain = usual - losses[best]
        if gain.mean() > 2 * gain.std() / np.sqrt(len(gain)):
            change = {name: best}
            tuning = replace(tuning, **change)
        report[name] = {str(value): _rounded(loss.mean()) for value, loss in losses.items()}
    return tuning, report


def _joints(calibration: Calibration) -> dict[str, list[float]]:
    return {
        "joint_scale": [_rounded(v) for v in calibration.joint_scale],
        "joint_floor": [_rounded(v) for v in calibration.joint_floor],
        "camera_scale": [_rounded(v) for v in calibration.camera_scale],
    }


def _right(robot: Robot, answers: Sequence[Solved]) -> list[Solved]:
    """Those that are right, or all where these are too few: stds are for right answers, and wrong
    ones are told by their confidence."""
    right = [s for s in answers if s.is_right(robot)]
    return right if len(right) >= FEWEST_FRAMES else list(answers)


def _is_found(seen: Seen, presence: float) -> bool:
    frame = seen.frame
    there = frame.robot_in_view and frame.joint_positions is not None
    return there and seen.crop.presence >= presence


def _presences(seen: Sequence[Seen]) -> Array:
    return np.array([s.crop.presence for s in seen])


def _check_count(seen: Sequence[Seen], which: str) -> None:
    if len(seen) < FEWEST_FRAMES:
        raise DatasetError(
            f"{len(seen)} frames {which}; calibrating takes at least {FEWEST_FRAMES}. Render more: "
            "armsight render --preset held-out --seed 1000 --count 400 --out FOLDER"
        )


def _rounded(value: Any) -> float:
    return float(f"{value:.5g}")
