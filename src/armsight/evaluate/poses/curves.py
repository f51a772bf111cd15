"""The curves of a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from armsight.evaluate.poses.scores import Scores
from armsight.reports.charts import line_chart, range_chart

Chart = tuple[str, str]
"""SVG and caption"""


def curves(result: dict[str, Any], scores: Scores) -> list[Chart]:
    """All curves that the data set allows."""
    return [
        *_add_curves(result["add"]),
        *_pck_curves(result["keypoints"]),
        *_joint_ranges(scores),
        *_confidence_curves(result["confidence"]),
    ]


def _add_curves(add: dict[str, Any] | None) -> list[Chart]:
    names = {"all": "all images", "dream_rule": "at least 4 keypoints in frame"}
    series = [
        (name, add[label]["curve"]["threshold_mm"], add[label]["curve"]["share"])
        for label, name in names.items()
        if add and add[label]
    ]
    if not series:
        return []
    svg = line_chart(
        series, x_label="ADD threshold [mm]", y_label="images", y_max=1.0, percent=True
    )
    return [(svg, "Share of images with an ADD below the threshold")]


def _pck_curves(keypoints: dict[str, Any] | None) -> list[Chart]:
    names = {"origins": "link origins (DREAM's)", "surface": "surface points"}
    series = [
        (name, keypoints[group]["curve"]["threshold_px"], keypoints[group]["curve"]["share"])
        for group, name in names.items()
        if keypoints and keypoints.get(group)
    ]
    if not series:
        return []
    svg = line_chart(series, x_label="threshold [px]", y_label="keypoints", y_max=1.0, percent=True)
    return [(svg, "PCK: share of keypoints in frame that are closer than the threshold")]


def _joint_ranges(scores: Scores) -> list[Chart]:
    rows = []
    for name, errors in zip(scores.robot.joint_names, scores.joint_errors.T, strict=True):
        known = errors[~np.isnan(errors)]
        if len(known):
            p25, p50, p75, p95 = np.percentile(known, [25, 50, 75, 95]).tolist()
            rows.append((name, p25, p50, p75, p95))
    if not rows:
        return []
    svg = range_chart(rows, x_label="joint error [deg], answered images")
    return [(svg, "Quartiles, median and 95th percentile for each joint")]


def _confidence_curves(confidence: dict[str, Any] | None) -> list[Chart]:
    names = {"mean_joint_error_deg": "mean joint error [deg]", "add_mm": "mean ADD [mm]"}
    found = []
    for label, name in names.items():
        if confidence and label in confidence:
            curve = confidence[label]["curve"]
            kept = [100 * share for share in curve["kept_share"]]
            svg = line_chart(
                [(name, kept, curve["mean_error"])],
                x_label="most confident answers kept [%]",
                y_label=name,
            )
            found.append((svg, f"What the confidence knows: {name} of the answers that are kept"))
    return found
