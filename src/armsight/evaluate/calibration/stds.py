"""By what stds must be multiplied to hold the errors: of joints, of the camera, where in doubt.

Scales and floors are those of right answers. Errors of wrong ones follow no std of the fit: how
surely an answer is right tells by how much more its stds must grow (`doubt_power`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.confidence import doubt, doubted
from armsight.estimate.tuning import Tuning
from armsight.evaluate.calibration import fits
from armsight.evaluate.calibration.frames import Solved
from armsight.fit.uncertainty import Calibration
from armsight.geometry import rotvec_from_rotation
from armsight.robots import Robot

Array = NDArray[np.floating]

FEWEST_ANSWERS = 20
"""With fewer answers 95 % is a guess, and the camera's scale stays 1."""
PARTS = {"turn": slice(0, 3), "place": slice(3, 6), "focal_length": slice(6, 7)}
POWERS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


def fit_calibration(
    robot: Robot, tuning: Tuning, answers: Sequence[Solved], unknown_focal: Sequence[Solved]
) -> Calibration:
    """Scales and floors with which two stds hold 95.4 % of the errors of such answers.

    Args:
        answers: with stds as the fit gives them.
        unknown_focal: such answers where the focal length was an unknown of the fit, for its std.
    """
    errors = np.radians([s.joint_errors_deg for s in answers])
    stds = np.array([s.solution.joint_std for s in answers])
    pairs = [fits.fit_std(e, s) for e, s in zip(errors.T, stds.T, strict=True)]
    scale, floor = np.array(pairs).T
    camera = [
        _scale(*_camera_errors(unknown_focal if name == "focal_length" else answers, part))
        for name, part in PARTS.items()
    ]
    return Calibration(scale, floor, np.array(camera), tuning.calibration.keypoint_scale)


def fit_doubt(
    robot: Robot, tuning: Tuning, own: Sequence[Solved], visible_right: Array
) -> tuple[Tuning, dict[str, Any]]:
    """The least `doubt_power` with which two stds hold 95.4 % of all errors, and what it brings.

    Args:
        own: answers about the robot, with stds as the fit gives them.
        visible_right: (N,) how surely each is right, by a regression that has not seen it.
    """
    errors = np.radians([s.joint_errors_deg for s in own])
    before = np.array([s.solution.joint_std for s in own])
    stds, held = before, before
    for power in POWERS:
        tuning = replace(tuning, doubt_power=power)
        stds = np.array([
            calibrated(robot, tuning, s, p).solution.joint_std
            for s, p in zip(own, visible_right, strict=True)
        ])  # fmt: skip
        held = np.abs(errors) <= fits.NUM_STD * stds
        if held.mean() >= fits.TWO_STD:
            break
    right = np.array([s.is_right(robot) for s in own])
    return tuning, {
        "before": _share(np.abs(errors) <= fits.NUM_STD * before),
        "after": _share(held),
        "right_answers": _share(held[right]),
        "wrong_answers": _share(held[~right]),
        "by_joint": [_share(column) for column in held.T],
        "median_std_deg": [float(f"{v:.3g}") for v in np.degrees(np.median(stds, axis=0))],
    }


def calibrated(robot: Robot, tuning: Tuning, solved: Solved, visible_right: float) -> Solved:
    """The answer with the stds of joints that the card will give it."""
    std = tuning.outline_calibration.joint_std(solved.solution.joint_std, robot.joint_limits)
    corrected = replace(solved.solution, joint_std=std)
    power = tuning.doubt_power
    return replace(solved, solution=doubted(corrected, visible_right, power, robot.joint_limits))


def camera_coverage(
    tuning: Tuning, own: Sequence[Solved], unknown_focal: Sequence[Solved], visible_right: Array
) -> dict[str, Any]:
    """How many of the camera's errors two stds hold, of all answers; JSON-ready.

    Answers with an unknown focal length are not doubted here: their confidence was not looked at.
    """
    scale = tuning.outline_calibration.camera_scale
    report: dict[str, Any] = {}
    for i, (name, part) in enumerate(PARTS.items()):
        of_focal = name == "focal_length"
        answers = unknown_focal if of_focal else own
        factors = [1.0] * len(answers) if of_focal else [
            doubt(p, tuning.doubt_power) for p in visible_right
        ]  # fmt: skip
        rows = [
            (np.abs(pair[0][part]) <= fits.NUM_STD * pair[1][part],
             np.abs(pair[0][part]) <= fits.NUM_STD * factor * scale[i] * pair[1][part])
            for one, factor in zip(answers, factors, strict=True)
            if (pair := error_and_std(one)) is not None
        ]  # fmt: skip
        if rows:
            before, after = (np.array(column) for column in zip(*rows, strict=True))
            report[name] = {
                "answers": len(rows),
                "before": _share(before),
                "after": _share(after),
            }
    return report


def error_and_std(solved: Solved) -> tuple[Array, Array] | None:
    """(7,) errors of turn [rad], place [m] and log focal length, and their stds, as in
    `Solution.covariance`; None without a camera, in answer or truth."""
    T, T_true = solved.solution.T_cam_base, solved.seen.frame.T_cam_base
    K_true, covariance = solved.seen.frame.K, solved.solution.covariance
    if T is None or T_true is None or covariance is None or K_true is None:
        return None
    turn = rotvec_from_rotation(T_true[:3, :3] @ T[:3, :3].T)
    focal = np.log(K_true[0, 0] / solved.seen.K[0, 0]) - solved.solution.log_focal
    error = np.concatenate([turn, T_true[:3, 3] - T[:3, 3], [focal]])
    return error, np.sqrt(np.diag(covariance)[-7:])


def _camera_errors(answers: Sequence[Solved], part: slice) -> tuple[Array, Array]:
    pairs = [pair for pair in map(error_and_std, answers) if pair is not None]
    width = part.stop - part.start
    errors = np.array([error[part] for error, _ in pairs]).reshape(-1, width)
    return errors, np.array([std[part] for _, std in pairs]).reshape(-1, width)


def _scale(errors: Array, stds: Array) -> float:
    """The factor with which TWO_STD of the errors (N, D) lie within two stds, as conformal
    prediction has it; 1 for too few."""
    if len(errors) < FEWEST_ANSWERS:
        return 1.0
    ratios = (np.abs(errors) / (fits.NUM_STD * np.maximum(stds, 1e-12))).ravel()
    level = min(1.0, fits.TWO_STD * (len(ratios) + 1) / len(ratios))
    return float(np.quantile(ratios, level, method="higher"))


def _share(inside: NDArray[np.bool_]) -> float | None:
    return float(f"{inside.mean():.5g}") if inside.size else None
