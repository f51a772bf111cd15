"""From the scores of all frames to the figures of a report, each with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.evaluate.poses import metrics
from armsight.evaluate.poses.breakdown import baseline_figures, confidence_figures, group_figures
from armsight.evaluate.poses.rows import add_row, joint_row, pck_row
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS, Scores
from armsight.reports.figures import Figures, mean, median, number, rate

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


def summarise(scores: Scores) -> Figures:
    """All figures of a report, JSON-ready; figures that the truth does not allow are None."""
    return {
        "counts": counts(scores),
        "joints": joint_figures(scores),
        "add": add_figures(scores),
        "keypoints": keypoint_figures(scores),
        "coverage": coverage_figures(scores),
        "camera": camera_figures(scores),
        "silhouette": silhouette_figures(scores),
        "by_visibility": group_figures(scores),
        "confidence": confidence_figures(scores),
        "baselines": baseline_figures(scores),
        "speed": {"median_seconds": number(np.median(_seconds(scores)))}
        if len(_seconds(scores))
        else None,
    }


def counts(scores: Scores) -> Figures:
    """How many images were scored, and on how many there was no answer."""
    failures = ~scores.found
    return {
        "images": len(scores.frames),
        "answered": int(scores.found.sum()),
        "failures": rate(failures),
        "failures_dream_rule": rate(failures[scores.dream_rule]) if scores.has_2d.any() else None,
    }


def joint_figures(scores: Scores) -> Figures | None:
    """Joint errors [deg] per joint and over the first six, with and without failures."""
    known: Mask = ~np.any(np.isnan(scores.true_joints), axis=1)
    if not known.any():
        return None
    names = scores.robot.joint_names
    answered = known & ~np.any(np.isnan(scores.joint_errors), axis=1)
    result: Figures = {
        "unit": "deg",
        "scored_joints": list(names[:NUM_SCORED_JOINTS]),
        "failures_count_as": "the ready pose's error; within N deg: a miss",
    }
    for label, rows, errors in (
        ("answered", answered, scores.joint_errors),
        ("with_failures", known, scores.counted_errors),
    ):
        lost = ~answered[rows]
        result[label] = {
            "images": int(rows.sum()),
            "scored": joint_row(errors[rows, :NUM_SCORED_JOINTS], lost),
            "per_joint": {n: joint_row(errors[rows, j, None], lost) for j, n in enumerate(names)},
        }
    return result


def add_figures(scores: Scores) -> Figures | None:
    """ADD [mm] and its AUC, over all images and by DREAM's rule; failures are misses."""
    if not scores.has_3d.any():
        return None
    result: Figures = {
        "unit": "mm",
        "keypoints": list(scores.robot.keypoint_names[: scores.num_origins]),
        "auc_threshold_mm": 1000 * metrics.ADD_THRESHOLD_M,
    }
    for label, rows in (("all", scores.has_3d), ("dream_rule", scores.has_3d & scores.dream_rule)):
        result[label] = add_row(scores.add[rows], curve=True)
    return result


def keypoint_figures(scores: Scores) -> Figures | None:
    """PCK over in-frame keypoints, and each keypoint's own errors; failures are misses."""
    if not scores.has_2d.any():
        return None
    names, n = scores.robot.keypoint_names, scores.num_origins
    groups = {"origins": slice(0, n)}
    if scores.in_frame[:, n:].any():
        groups["surface"] = slice(n, None)
    pck = {label: pck_row(scores.pixel_errors[:, part]) for label, part in groups.items()}
    per_keypoint: Figures = {}
    gaps = np.linalg.norm(scores.points_3d - scores.true_3d, axis=-1)
    for k, name in enumerate(names):
        pixels = scores.pixel_errors[scores.in_frame[:, k], k]
        known = ~np.isnan(scores.true_3d[:, k, 0])
        if not len(pixels) and not known.any():
            continue
        metres = np.where(np.isnan(gaps[known, k]), np.inf, gaps[known, k])
        per_keypoint[name] = {
            "in_frame": len(pixels),
            "median_px": median(pixels),
            "pck_5": rate(pixels < 5.0),
            "pck_10": rate(pixels < 10.0),
            "median_mm": median(1000 * metres),
        }
    return {"unit": "px", "threshold_px": metrics.PCK_THRESHOLD_PX, **pck, "each": per_keypoint}


def coverage_figures(scores: Scores) -> Figures | None:
    """Share of true angles within 1 and 2 reported standard deviations."""
    result: Figures = {}
    for k in (1, 2):
        within = metrics.coverage(np.radians(scores.joint_errors), scores.joint_std, k)
        known = ~np.isnan(within).any(axis=1)
        if not known.any():
            return None
        within = within[known]
        result[f"within_{k}_std"] = {
            "scored": mean(within[:, :NUM_SCORED_JOINTS]),
            "all": mean(within),
            "per_joint": {
                name: rate(within[:, j] > 0) for j, name in enumerate(scores.robot.joint_names)
            },
        }
    result["gaussian"] = {"within_1_std": 0.6827, "within_2_std": 0.9545}
    stds = np.degrees(scores.joint_std)
    result["median_std_deg"] = {
        name: number(np.nanmedian(stds[:, j])) for j, name in enumerate(scores.robot.joint_names)
    }
    return result


def silhouette_figures(scores: Scores) -> Figures | None:
    """Overlap of the answers' outlines with robot masks; failures count as 0."""
    overlap = scores.silhouette_iou[~np.isnan(scores.silhouette_iou)]
    if not len(overlap):
        return None
    return {"images": len(overlap), "mean_iou": mean(overlap), "median_iou": median(overlap)}


def camera_figures(scores: Scores) -> Figures | None:
    """Errors of the base's position [mm] and orientation [deg] in the camera frame."""
    position, angle = scores.camera_errors
    known = ~np.isnan(position)
    if not known.any():
        return None
    return {
        "images": int(known.sum()),
        "position_mm": {"median": median(1000 * position[known])},
        "orientation_deg": {"median": median(angle[known])},
    }


def _seconds(scores: Scores) -> Array:
    return np.array([answer["seconds"] for answer in scores.answers if answer.get("seconds")])
