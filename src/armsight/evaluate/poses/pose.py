"""Score the poses that a method reads from a labelled data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from armsight.data.frame import Dataset
from armsight.errors import DatasetError
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS, Scores, score
from armsight.evaluate.poses.summary import summarise
from armsight.files import atomic_write
from armsight.reports.figures import Figures, number

FORMAT = "armsight-evaluation/1"


@dataclass(frozen=True)
class PoseEvaluation:
    """A data set, a method's answers beside the truth, and all figures."""

    dataset: Dataset
    settings: Mapping[str, Any]
    scores: Scores
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict: what was scored and how, then the figures."""
        return {
            "format": FORMAT,
            "kind": "pose",
            "armsight": version("armsight"),
            "dataset": describe(self.dataset),
            "settings": dict(self.settings),
            **self.figures,
        }


def evaluate_pose(
    dataset: Dataset,
    answers: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any] | None = None,
) -> PoseEvaluation:
    """Score answers about the frames that show the robot.

    Args:
        answers: by frame name, as `collect_answers` or `read_answers` give them.
        settings: how the answers were made; repeated in the report.

    Raises:
        DatasetError: a frame has no answer, or no frame shows the robot.
    """
    scores = score(dataset, answers)
    if not scores.frames:
        others = sorted({frame.other_robot for frame in dataset.frames if frame.other_robot})
        shown = f" (but {', '.join(others)}: see --robot)" if others else ""
        raise DatasetError(
            f"no frame of {dataset.path} shows {dataset.robot.name}{shown}, so there is no pose to "
            "score. For pictures without it there is `armsight evaluate presence`."
        )
    return PoseEvaluation(dataset, settings or {}, scores, summarise(scores))


def describe(dataset: Dataset) -> dict[str, Any]:
    """What was scored, JSON-ready."""
    return {
        "path": str(dataset.path),
        "layout": dataset.layout,
        "robot": dataset.robot.name,
        "frames": len(dataset.frames),
        "frames_without_the_robot": sum(not frame.robot_in_view for frame in dataset.frames),
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
    }


def write_json(path: Path, evaluation: Mapping[str, Any]) -> None:
    """Write results.json."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(evaluation, indent=1, allow_nan=False) + "\n")


def write_csv(path: Path, scores: Scores) -> None:
    """Write one row per frame: answer, errors, and what made it easy or hard."""
    joints = scores.robot.joint_names
    std, n = np.degrees(scores.joint_std), scores.num_origins
    pixels = np.where(scores.in_frame, scores.pixel_errors, np.nan)[:, :n]
    counted = np.isfinite(pixels)
    mean_px = np.where(counted, pixels, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    mean_px = np.where(counted.any(axis=1), mean_px, np.nan)
    scored = f"mean_error_joints_1_to_{min(NUM_SCORED_JOINTS, len(joints))}_deg"
    header = ["frame", "robot_found", "confidence", "add_mm", scored]
    header += ["mean_keypoint_error_px", "keypoints_in_frame", "hidden_share", "distance_m"]
    header += ["silhouette_iou"]
    header += [f"{name}_error_deg" for name in joints] + [f"{name}_std_deg" for name in joints]
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i, name in enumerate(scores.names):
            values = [scores.confidence[i], 1000 * scores.add[i], scores.mean_joint_error[i]]
            values += [mean_px[i], scores.num_in_frame[i] if scores.has_2d[i] else np.nan]
            values += [scores.hidden_share[i], scores.distance[i], scores.silhouette_iou[i]]
            values += [*scores.joint_errors[i], *std[i]]
            row = ["" if number(v) is None else f"{v:.6g}" for v in values]
            writer.writerow([name, str(bool(scores.found[i])).lower(), *row])
