"""The figures of an evaluation as text for a terminal."""

from __future__ import annotations

from typing import Any

from armsight.reports.figures import Figures


def shown(figure: Figures | None, digits: int = 1, scale: float = 1.0, unit: str = "") -> str:
    """A figure with its 95 % interval: '2.1 [1.9, 2.4]°'; '–' where there is none."""
    if figure is None or figure["value"] is None:
        return "–"
    if figure["low"] is None and figure["high"] is None:
        return f"{scale * figure['value']:.{digits}f}{unit}"
    ends = [
        "∞" if figure[end] is None else f"{scale * figure[end]:.{digits}f}"
        for end in ("low", "high")
    ]
    return f"{scale * figure['value']:.{digits}f}{unit} [{', '.join(ends)}]"


def percent(figure: Figures | None) -> str:
    """A rate in percent, with its interval."""
    return shown(figure, 1, 100.0, " %")


def columns(rows: list[list[str]]) -> list[str]:
    """Rows of cells as aligned lines; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def pose_table(result: dict[str, Any]) -> str:
    """The main figures of `PoseEvaluation.to_json()`."""
    dataset, counts = result["dataset"], result["counts"]
    lines = [
        f"{dataset['path']}: {counts['images']} images of {dataset['robot']}, "
        f"{counts['answered']} answered, no answer on {percent(counts['failures'])}"
    ]
    lines += joint_lines(result)
    if result["add"]:
        lines += ["", *_add_lines(result["add"])]
    if result["keypoints"]:
        pck = result["keypoints"]["origins"]
        if pck:
            lines += [f"PCK-AUC at 20 px (keypoints in frame): {shown(pck['auc'])}"]
    if result["camera"]:
        camera = result["camera"]
        lines += [
            f"base in the camera frame: median {shown(camera['position_mm']['median'])} mm, "
            f"{shown(camera['orientation_deg']['median'])} deg"
        ]
    if result["silhouette"]:
        overlap = shown(result["silhouette"]["mean_iou"], 2)
        lines += [f"outline of the estimated arm over its mask: IoU {overlap}"]
    lines += ["", "95 % intervals in brackets; images without an answer are misses."]
    return "\n".join(lines)


def joint_lines(result: dict[str, Any]) -> list[str]:
    """Joint errors, baselines and coverage."""
    joints = result["joints"]
    if not joints:
        return []
    rows = [["joint error [deg]", "median", "mean", "p95", "within 5", "±2 std covers"]]
    covered = (result["coverage"] or {}).get("within_2_std")

    def row(label: str, figures: Figures | None, cover: Figures | None) -> None:
        if figures is None:
            return
        p95 = f"{figures['p95']:.1f}"
        within = percent(figures["within_5"])
        rows.append([label, shown(figures["median"]), shown(figures["mean"]), p95, within,
                     percent(cover) if cover else ""])  # fmt: skip

    for name, figures in joints["answered"]["per_joint"].items():
        row(name, figures, covered and covered["per_joint"][name])
    scored = f"joints 1 to {len(joints['scored_joints'])}"
    row(scored, joints["answered"]["scored"], covered and covered["scored"])
    row(f"{scored}, with failures*", joints["with_failures"]["scored"], None)
    for name, baseline in (result["baselines"] or {}).items():
        row(f"always the {name}", baseline["scored"], None)
    return ["", *columns(rows), f"* an image without an answer has {joints['failures_count_as']}"]


def _add_lines(add: Figures) -> list[str]:
    rows = [["ADD", "AUC at 100 mm", "median [mm]", "images"]]
    for label, name in (("all", "all images"), ("dream_rule", "at least 4 keypoints in frame")):
        if add[label]:
            row = add[label]
            rows.append([name, shown(row["auc"]), shown(row["median"]), str(row["images"])])
    return columns(rows)


def occlusion_table(result: dict[str, Any]) -> str:
    """The figures of `evaluate_occlusion`."""
    rows = [["covered", "AUC at 100 mm", "median ADD [mm]", "answered", "images"]]
    for row in result["rows"]:
        add = row["add"]
        rows.append([f"{round(100 * row['covered'])} %", shown(add["auc"]), shown(add["median"]),
                     percent(row["answered"]), str(add["images"])])  # fmt: skip
    note = "95 % intervals in brackets; images without an answer are misses."
    return "\n".join([*columns(rows), "", note])


def presence_table(result: dict[str, Any]) -> str:
    """The figures of `evaluate_presence`."""
    rows = [["picture shows", "images", "answered", "answered with confidence ≥ 0.5"]]
    for kind, row in result["by_kind"].items():
        answered = [percent(row["found"]), percent(row["found_and_sure"])]
        rows.append([kind, str(row["images"]), *answered])
    lines = columns(rows)
    for label, name in (
        ("refused", f"pictures of {result['robot']} refused"),
        ("false_answers", "false answers where no robot is"),
        ("other_robots_taken_for_it", f"other robots taken for {result['robot']} (≥ 0.5)"),
    ):
        if result[label]:
            lines.append(f"{name}: {percent(result[label])}")
    return "\n".join([*lines, "95 % intervals (Wilson) in brackets."])


def calibration_table(found: dict[str, Any]) -> str:
    """What `armsight calibrate` put on the card, and what it measured."""
    thresholds, values = found["thresholds"], found["calibration"]
    measured = values["measured"]
    rates = measured["found"]
    rows = [
        ["on the validation set", "found", "confidence >= 0.5"],
        ["the robot", _percent(1 - rates["refused"]), _percent(rates["robots_sure"])],
        ["no robot", _percent(rates["false_answers"]), _percent(rates["false_sure_answers"])],
        [
            "other robots",
            _percent(rates["other_robots_found"]),
            _percent(rates["other_robots_found_and_sure"]),
        ],
    ]
    stds, sure = measured["two_std_coverage"], measured["confidence"]
    degrees = ", ".join(f"{57.29578 * value:.2f}" for value in values["outline"]["joint_floor"])
    return "\n".join([
        *(f"{name}: {value:.5g}" for name, value in thresholds.items()),
        f"depth_scale: {values['depth_scale']:.3g}",
        f"prior_std: {values['prior_std']:.3g} rad",
        f"doubt_power: {values['doubt_power']:.3g}",
        f"keypoint_scale: {values['keypoint_scale']:.2f}",
        f"joint_scale: {', '.join(f'{value:.2f}' for value in values['outline']['joint_scale'])}",
        f"joint_floor [deg]: {degrees}",
        f"camera_scale: {', '.join(f'{v:.2f}' for v in values['outline']['camera_scale'])}",
        "",
        *columns(rows),
        f"sure and wrong: {_percent(rates['robots_sure_and_wrong'])} of the robots",
        *_budget_lines(measured),
        f"within +-2 std: {100 * stds['before']:.1f} % before, "
        f"{_percent(stds['after'])} after; of right answers {_percent(stds['right_answers'])}, of "
        f"wrong ones {_percent(stds['wrong_answers'])}",
        *(
            f"{name.replace('_', ' ')} within +-2 std: {_percent(part['before'])} before, "
            f"{_percent(part['after'])} after"
            for name, part in measured["camera_two_std_coverage"].items()
        ),
        f"confidence: log loss {sure['log_loss_before']:.3f} before, "
        f"{sure['log_loss_cross_validated']:.3f} cross-validated; right answers above wrong ones "
        f"in {100 * sure['auc_cross_validated']:.1f} %",
        f"mean joint error {measured['mean_joint_error_deg']:.2f} deg, "
        f"ADD-AUC {measured['add_auc']:.1f}",
        *_claim_lines(measured.get("claims")),
    ])  # fmt: skip


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _budget_lines(measured: dict[str, Any]) -> list[str]:
    """What is wrong more often than it may be (evaluate/calibration/confidence.py)."""
    names = {
        "refused": "robots refused",
        "false_answers": "pictures without a robot answered",
        "other_robots_found_and_sure": "other robots answered with confidence >= 0.5",
    }
    return [
        f"WARNING: {names[label]}: {100 * measured['found'][label]:.1f} %, more than "
        f"{100 * most:g} %. Train longer, or give more frames"
        for label, most in measured["over_budget"].items()
    ]


def _claim_lines(measured: dict[str, Any] | None) -> list[str]:
    """What the verifier's thresholds find (verify/threshold.py)."""
    if measured is None:
        return []
    at = f"at {100 * measured['false_alarms']:g} % false alarms"
    return [
        f"{name}: {at} {100 * rate:.0f} % [{100 * low:.0f}, {100 * high:.0f}] of "
        f"{row['wrong_claims']} claims with a joint off by {measured['shift_deg']:g} deg are found"
        for name, row in measured.items()
        if isinstance(row, dict)
        for rate, low, high in [row["wrong_claims_found"]]
    ]
