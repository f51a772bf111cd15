"""The figures by kind of image, by confidence, and of answers given without looking."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from armsight.evaluate.poses import metrics
from armsight.evaluate.poses.rows import add_row, joint_row
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS, Scores
from armsight.reports.figures import Figures, mean, median, number, rate

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

DISTANCES_M = (0.0, 0.8, 1.2, 1.6, 2.0, np.inf)
CONFIDENCES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
KEPT_SHARES = (0.5, 0.8, 0.9, 1.0)
CURVE_POINTS = 200
"""A risk-coverage curve is thinned to about so many points"""
RIGHT_ADD_M = 0.1
RIGHT_JOINTS_DEG = 10.0
"""An answer is 'about right' with an ADD below 100 mm, or, where no 3D truth is known, with a
mean joint error below 10 degrees"""


def group_figures(scores: Scores) -> Figures:
    """The main figures for images that are alike: keypoints in frame, hidden share, distance."""
    n, count = scores.num_origins, scores.num_in_frame
    groups: dict[str, dict[str, Mask]] = {}
    if scores.has_2d.any():
        few = f"fewer than {metrics.DREAM_MIN_KEYPOINTS}"
        groups["keypoints_in_frame"] = {
            str(k): scores.has_2d & (count == k)
            for k in range(n, metrics.DREAM_MIN_KEYPOINTS - 1, -1)
        } | {few: scores.has_2d & (count < metrics.DREAM_MIN_KEYPOINTS)}
    hidden = scores.hidden_share
    if not np.isnan(hidden).all():
        groups["hidden_keypoints"] = {
            "none": hidden == 0,
            "up to a quarter": (hidden > 0) & (hidden <= 0.25),
            "more": hidden > 0.25,
        }
    distance = scores.distance
    if not np.isnan(distance).all():
        groups["distance_m"] = {
            _range(low, high): (distance >= low) & (distance < high)
            for low, high in pairwise(DISTANCES_M)
        }
    return {
        label: {name: _group_row(scores, rows) for name, rows in parts.items() if rows.any()}
        for label, parts in groups.items()
    }


def _group_row(scores: Scores, rows: Mask) -> Figures:
    errors = scores.joint_errors[rows, :NUM_SCORED_JOINTS]
    errors = errors[~np.isnan(errors).any(axis=1)]
    add = add_row(scores.add[rows & scores.has_3d])
    return {
        "images": int(rows.sum()),
        "failures": rate(~scores.found[rows]),
        "joint_median_deg": median(errors),
        "joint_mean_deg": mean(errors),
        "add_median_mm": add and add["median"],
        "add_auc": add and add["auc"],
    }


def confidence_figures(scores: Scores) -> Figures | None:
    """Does the confidence know which answers are wrong?"""
    result: Figures = {}
    for label, errors in (
        ("mean_joint_error_deg", scores.mean_joint_error),
        ("add_mm", 1000 * scores.add),
    ):
        rows = scores.found & np.isfinite(errors)
        if not rows.any():
            continue
        share, risk = metrics.risk_coverage(scores.confidence[rows], errors[rows])
        thin = np.unique(np.linspace(0, len(share) - 1, CURVE_POINTS).round().astype(int))
        kept = [int(np.searchsorted(share, wanted - 1e-9)) for wanted in KEPT_SHARES]
        result[label] = {
            "area": number(np.average(risk, weights=np.diff(share, prepend=0.0))),
            "kept": {f"{s:.0%}": number(risk[i]) for s, i in zip(KEPT_SHARES, kept, strict=True)},
            "curve": {
                "kept_share": share[thin].tolist(),
                "mean_error": risk[thin].tolist(),
            },
        }
    if not result:
        return None
    right = np.where(
        scores.has_3d, scores.add < RIGHT_ADD_M, scores.mean_joint_error < RIGHT_JOINTS_DEG
    )
    judged = scores.found & (scores.has_3d | ~np.isnan(scores.mean_joint_error))
    result["about_right"] = {
        f"{low:g} to {high:g}": rate(right[rows])
        for low, high in pairwise(CONFIDENCES)
        for inside in [scores.confidence < high if high < 1 else scores.confidence <= high]
        for rows in [judged & inside & (scores.confidence >= low)]
        if rows.any()
    }
    result["about_right_means"] = (
        "ADD below 100 mm; where it is unknown, mean joint error below 10 deg"
    )
    return result


def baseline_figures(scores: Scores) -> Figures | None:
    """What answers without looking at the image would score, to read the errors by.

    Their ADD is taken with the true camera pose, which no such answer has: it is a lower bound.
    """
    known = ~np.isnan(scores.true_joints).any(axis=1)
    if not known.any():
        return None
    true = scores.true_joints
    poses = {
        "ready pose": np.broadcast_to(scores.robot.ready_positions, true.shape),
        "mean pose of the data set": np.broadcast_to(true[known].mean(axis=0), true.shape),
    }
    rows: Figures = {}
    for name, pose in poses.items():
        errors = metrics.joint_errors_deg(pose[known], true[known])
        add = scores.add_of_pose(pose)
        rows[name] = {
            "scored": joint_row(errors[:, :NUM_SCORED_JOINTS], np.zeros(len(errors), bool)),
            "add_true_camera": add_row(add[~np.isnan(add)]),
        }
    return rows


def _range(low: float, high: float) -> str:
    if low == 0:
        return f"below {high:g}"
    return f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
