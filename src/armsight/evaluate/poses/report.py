"""The report folder of a pose evaluation: results.json, results.csv, report.html."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from armsight.evaluate.poses.curves import curves
from armsight.evaluate.poses.pictures import chosen_frames, data_uri, draw_frame
from armsight.evaluate.poses.pose import PoseEvaluation, write_csv, write_json
from armsight.evaluate.poses.scores import NUM_SCORED_JOINTS, Scores
from armsight.files import atomic_write
from armsight.reports.figures import Figures
from armsight.reports.page import (
    charts,
    colour_key,
    page,
    paragraph,
    pictures,
    section,
    table,
    tiles,
)
from armsight.reports.table import percent, shown

if TYPE_CHECKING:
    from markupsafe import Markup

ADD_TEXT = (
    "ADD: mean 3D distance of DREAM's keypoints, camera frame. AUC: area under the ADD curve up "
    "to 100 mm. An image without an answer is a miss. DREAM scores only images with at least 4 "
    "keypoints in frame, other papers all of them."
)
INTERVAL_TEXT = (
    "In brackets: 95 % intervals, Wilson for rates of images, bootstrap over images for the rest "
    "(too narrow where the images are frames of one video)."
)


def write_report(folder: Path, evaluation: PoseEvaluation, num_pictures: int = 8) -> None:
    """Write results.json, results.csv and report.html.

    Args:
        num_pictures: how many of the worst, of the unanswered and of random frames to show.

    Raises:
        OutputError: the folder cannot be written.
        DatasetError: a picture cannot be read any more.
    """
    result = evaluation.to_json()
    write_json(folder / "results.json", result)
    write_csv(folder / "results.csv", evaluation.scores)
    with atomic_write(folder / "report.html") as temporary:
        temporary.write_text(pose_page(result, evaluation.scores, num_pictures), encoding="utf-8")


def pose_page(result: dict[str, Any], scores: Scores, num_pictures: int) -> str:
    """The HTML page of an evaluation."""
    dataset = result["dataset"]
    settings = ", ".join(f"{name} {value}" for name, value in result["settings"].items())
    title = f"Pose of {dataset['robot']} in {Path(dataset['path']).name or dataset['path']}"
    return page(
        title,
        [
            paragraph(f"{dataset['path']} ({dataset['layout']}, {dataset['fingerprint']})"),
            *(paragraph(note) for note in dataset["notes"]),
            paragraph(f"armsight {result['armsight']}; {settings}"),
            tiles(_main_figures(result)),
            section("Curves", charts(curves(result, scores))),
            section("Joint errors [deg]", *_joint_tables(result)),
            section("ADD", *_add_table(result)),
            section("Uncertainty", *_coverage_table(result)),
            section("Confidence", *_confidence_tables(result)),
            section("By kind of image", *_group_tables(result)),
            *_picture_sections(scores, num_pictures),
            section("Keypoints", *_keypoint_table(result)),
            paragraph(INTERVAL_TEXT),
        ],
    )


def _main_figures(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    def tile(
        figure: Figures | None, label: str, digits: int, unit: str, scale: float = 1.0
    ) -> None:
        if figure is None:
            return
        value, _, interval = shown(figure, digits, scale, unit).partition(" [")
        found.append((value, label, f"[{interval}" if interval else ""))

    found: list[tuple[str, str, str]] = []
    found.append((str(result["counts"]["images"]), "images", ""))
    tile(result["counts"]["failures"], "without an answer", 1, " %", 100.0)
    if result["joints"] and result["joints"]["answered"]["scored"]:
        row = result["joints"]["answered"]["scored"]
        label = f"joint error, first {len(result['joints']['scored_joints'])}"
        tile(row["median"], f"median {label}", 2, "°")
        tile(row["mean"], f"mean {label}", 2, "°")
    if result["add"]:
        tile(result["add"]["all"]["auc"], "ADD-AUC at 100 mm", 1, "")
        tile(result["add"]["all"]["median"], "median ADD", 1, " mm")
    if result["coverage"]:
        tile(
            result["coverage"]["within_2_std"]["scored"], "true angles within ±2 std", 1, " %", 100
        )
    if result["silhouette"]:
        tile(result["silhouette"]["mean_iou"], "outline over mask, IoU", 2, "")
    if result["keypoints"] and result["keypoints"]["origins"]:
        tile(result["keypoints"]["origins"]["auc"], "PCK-AUC at 20 px", 1, "")
    return found


def _joint_tables(result: dict[str, Any]) -> list[Markup]:
    joints = result["joints"]
    if not joints:
        return []
    header = ["joint", "median", "mean", "p25", "p75", "p90", "p95"]
    header += ["within 5°", "within 10°", "within 20°"]
    scored = f"joints 1 to {len(joints['scored_joints'])}"

    def rows_of(name: str, figures: Figures | None) -> list[list[str]]:
        if figures is None:
            return []
        cells = [name, shown(figures["median"], 2), shown(figures["mean"], 2)]
        cells += [f"{figures[p]:.2f}" for p in ("p25", "p75", "p90", "p95")]
        return [cells + [percent(figures[f"within_{limit}"]) for limit in (5, 10, 20)]]

    tables = {"answered": "Answered images"}
    if joints["with_failures"]["images"] != joints["answered"]["images"]:
        tables["with_failures"] = (
            f"All images; one without an answer has {joints['failures_count_as']}"
        )
    parts = [paragraph("p25 to p95: percentiles; a quarter of the errors is below p25.")]
    for label, heading in tables.items():
        rows = rows_of(scored, joints[label]["scored"])
        for name, figures in joints[label]["per_joint"].items():
            rows += rows_of(name, figures)
        parts += [
            paragraph(f"{heading} ({joints[label]['images']} images)", ""),
            table(header, rows, scored),
        ]
    baselines = [
        [
            f"always the {name}",
            shown(row["scored"]["median"], 2),
            shown(row["scored"]["mean"], 2),
            shown((row["add_true_camera"] or {}).get("auc")),
        ]
        for name, row in (result["baselines"] or {}).items()
    ]
    parts += [
        paragraph("What answers without looking would score (ADD with the true camera pose)", ""),
        table([scored, "median", "mean", "ADD-AUC"], baselines),
    ]
    return parts


def _add_table(result: dict[str, Any]) -> list[Markup]:
    add, camera = result["add"], result["camera"]
    if not add:
        return []
    rows = []
    for label, name in (("all", "all images"), ("dream_rule", "at least 4 keypoints in frame")):
        if row := add[label]:
            figures = [shown(row[figure]) for figure in ("auc", "median", "mean_answered")]
            rows.append([name, str(row["images"]), *figures])
    header = ["ADD", "images", "AUC", "median [mm]", "mean of answered [mm]"]
    parts = [paragraph(ADD_TEXT), table(header, rows)]
    if camera:
        position = shown(camera["position_mm"]["median"])
        angle = shown(camera["orientation_deg"]["median"], 2)
        text = f"Robot base in the camera frame: median error {position} mm and {angle}°."
        parts.append(paragraph(text, ""))
    return parts


def _coverage_table(result: dict[str, Any]) -> list[Markup]:
    coverage = result["coverage"]
    if not coverage:
        return []
    one, two = coverage["within_1_std"], coverage["within_2_std"]
    scored = f"joints 1 to {min(NUM_SCORED_JOINTS, len(one['per_joint']))}"
    rows = [[scored, percent(one["scored"]), percent(two["scored"]), ""]]
    rows += [
        [name, percent(one["per_joint"][name]), percent(two["per_joint"][name]), f"{std:.2f}"]
        for name, std in coverage["median_std_deg"].items()
    ]
    header = ["joint", "within ±1 std", "within ±2 std", "median std [deg]"]
    text = "Share of true angles within the reported standard deviations; a Gaussian has 68.3 and "
    return [paragraph(text + "95.4 %."), table(header, rows, scored)]


def _confidence_tables(result: dict[str, Any]) -> list[Markup]:
    confidence = result["confidence"]
    if not confidence:
        return []
    rows = [[band, str(row["n"]), percent(row)] for band, row in confidence["about_right"].items()]
    text = f"About right means: {confidence['about_right_means']}."
    return [paragraph(text), table(["confidence", "answers", "about right"], rows)]


def _group_tables(result: dict[str, Any]) -> list[Markup]:
    titles = {
        "keypoints_in_frame": "DREAM's keypoints in frame",
        "hidden_keypoints": "keypoints hidden by something else",
        "distance_m": "distance [m]",
    }
    header = ["images", "no answer", "joint median [deg]", "joint mean [deg]"]
    header += ["ADD-AUC", "ADD median [mm]"]
    parts = []
    for label, groups in result["by_visibility"].items():
        rows = [
            [
                name,
                str(row["images"]),
                percent(row["failures"]),
                shown(row["joint_median_deg"]),
                shown(row["joint_mean_deg"]),
                shown(row["add_auc"]),
                shown(row["add_median_mm"]),
            ]
            for name, row in groups.items()
        ]
        parts.append(table([titles[label], *header], rows))
    return parts


def _keypoint_table(result: dict[str, Any]) -> list[Markup]:
    if not result["keypoints"]:
        return []
    rows = [
        [
            name,
            str(row["in_frame"]),
            shown(row["median_px"]),
            percent(row["pck_5"]),
            percent(row["pck_10"]),
            shown(row["median_mm"]),
        ]
        for name, row in result["keypoints"]["each"].items()
    ]
    header = ["keypoint", "in frame", "median [px]", "PCK 5 px", "PCK 10 px", "median [mm]"]
    text = (
        "DREAM's link origins, then points on the surface of each link (s0, s1, …). in frame: "
        "images in which the point truly is. PCK: share of those in which it was found within so "
        "many pixels."
    )
    return [paragraph(text), table(header, rows)]


def _picture_sections(scores: Scores, count: int) -> list[Markup]:
    titles = {
        "worst": "Worst answers",
        "failed": "Robots without an answer",
        "random": "Random images",
    }
    sections = []
    for label, indices in chosen_frames(scores, count).items():
        images = [(data_uri(draw_frame(scores, i)), _caption(scores, i)) for i in indices]
        sections.append(section(titles[label], pictures(images)))
    if any(sections):
        legend = colour_key([("true", "true"), ("estimate", "estimate")])
        sections.insert(0, section("Pictures", legend))
    return sections


def _caption(scores: Scores, i: int) -> str:
    if not scores.found[i]:
        return f"{scores.names[i]}: no answer"
    parts = [f"confidence {scores.confidence[i]:.2f}"]
    if np.isfinite(scores.add[i]):
        parts.append(f"ADD {1000 * scores.add[i]:.0f} mm")
    if np.isfinite(scores.mean_joint_error[i]):
        errors = scores.joint_errors[i, :NUM_SCORED_JOINTS]
        worst = scores.robot.joint_names[int(np.argmax(errors))]
        parts.append(f"joints {scores.mean_joint_error[i]:.1f}°, worst {worst} {errors.max():.0f}°")
    return f"{scores.names[i]}: {', '.join(parts)}"
