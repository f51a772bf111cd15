"""armsight's solver on another system's detections: how good is the geometry by itself?

    python benchmarks/dream_detections.py PATH_TO_dream_detections [--json]

Two files of numbers from real and synthetic DREAM frames of a Panda hold the link origins that a
2026 peer's network detected, with confidences. From the same detections as the peer's own solver:

- panda_realsense: from the peer's starting angles (its network's, before its solver).
- panda_synth_test_dr_1000: no starting angles are stored, so ours starts from nothing, 64 starts
  around the ready pose and within the limits; the peer's answer had its network's.

Two things have to be chosen, and neither is chosen on a row that it is scored on:

- How a confidence c becomes a standard deviation. A heatmap's peak falls as its blob spreads, so
  std = a / c; a comes from the synthetic file (for that file's own rows: from its other half).
- 'fixed' takes `solve`'s defaults. `prior_std` was set on simulated arms, but with a first look at
  half of the video's rows, so read 'cross-fit' beside it. 'cross-fit' chooses `prior_std` and a
  floor on the stds (real images shift detections more than rendered ones) by AUC on the half of
  the video that is not scored: early frames for late ones, and the other way round.

ADD and AUC as everywhere (evaluate/poses/metrics.py); all rows count, a frame without an answer
is a miss. The last column counts as DREAM does, only frames with at least 4 link origins in frame.
Intervals: 95 % bootstrap over frames, on the video over 20 stretches of consecutive frames, because
neighbours look alike.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.evaluate.poses import metrics
from armsight.fit.solve import Solution, solve, solve_keypoints
from armsight.geometry import transform_points
from armsight.robots import load_robot

Array = NDArray[np.floating]

ROBOT = load_robot("panda")
ORIGINS = ROBOT.num_origin_keypoints

PRIOR_STDS = (0.1, 0.2, 0.4)
"""[rad] what cross-fitting chooses from"""
STD_FLOORS = (0.0, 1.0, 2.0, 4.0)
"""[px]"""
NUM_STRETCHES = 20
NUM_RESAMPLES = 2000


def confidence_scale(data: dict[str, Array], rows: NDArray[np.intp]) -> float:
    """The a [px] of std = a / confidence, from the median of |error| times confidence.

    The median length of two unit Gaussians is sqrt(2 ln 2).
    """
    error = np.linalg.norm(data["det_uv_px"] - data["gt_uv_px"], axis=-1)[rows]
    product_ = (error * data["det_conf"][rows])[~data["gt_offframe"][rows].astype(bool)]
    return float(np.median(product_) / np.sqrt(2 * np.log(2)))


def measurements(data: dict[str, Array], i: int, scale: float, floor: float) -> tuple[Array, Array]:
    """Positions (Kp, 2) and stds (Kp,) of all the robot's keypoints; surface points are unknown."""
    positions = np.zeros((len(ROBOT.keypoint_names), 2))
    std = np.full(len(positions), np.inf)
    positions[:ORIGINS] = data["det_uv_px"][i]
    std[:ORIGINS] = np.hypot(scale / np.maximum(data["det_conf"][i], 1e-6), floor)
    return positions, std


def score(solution: Solution, true_cam: Array) -> float:
    """ADD [m]; infinite without an answer."""
    if solution.T_cam_base is None:
        return float("inf")
    base = ROBOT.keypoints(solution.joint_positions)[:ORIGINS]
    return float(metrics.add(transform_points(solution.T_cam_base, base)[None], true_cam[None])[0])


def from_angles(
    data: dict[str, Array], angles: Array, scale: float, prior_std: float, floor: float
) -> Array:
    """ADD (N,) [m] of all rows, each from its own starting angles (N, J)."""
    errors = []
    for i, start in enumerate(angles):
        positions, std = measurements(data, i, scale, floor)
        answer = solve(ROBOT, data["K"], positions, std, start[None], prior_std=prior_std)
        errors.append(score(answer, data["gt_xyz_cam_m"][i]))
    return np.array(errors)


def from_nothing(data: dict[str, Array], scale: Array) -> tuple[Array, Array]:
    """ADD (N,) [m] and joint angles (N, J) [rad] without starting angles; `scale` (N,) [px]."""
    errors, angles = [], []
    for i in range(len(scale)):
        positions, std = measurements(data, i, float(scale[i]), 0.0)
        answer = solve_keypoints(ROBOT, data["K"], positions, std)
        errors.append(score(answer, data["gt_xyz_cam_m"][i]))
        angles.append(answer.joint_positions)
    return np.array(errors), np.array(angles)


def cross_fit(data: dict[str, Array], scale: float, halves: list[NDArray[np.intp]]) -> Array:
    """ADD (N,) [m], each half with the settings that suit the other half best."""
    tried = {
        choice: from_angles(data, data["peer_head_theta"].astype(float), scale, *choice)
        for choice in product(PRIOR_STDS, STD_FLOORS)
    }
    errors = np.empty(len(data["frame_id"]))
    for scored, fitted in (halves, halves[::-1]):
        best = max(tried, key=lambda choice: metrics.auc(tried[choice][fitted]))
        errors[scored] = tried[best][scored]
    return errors


def row(
    name: str,
    errors: Array,
    data: dict[str, Array],
    blocks: list[NDArray[np.intp]],
    peer: Array,
) -> dict[str, Any]:
    """One line of the report; `blocks` are resampled as a whole."""
    counted = (~data["gt_offframe"].astype(bool)).sum(1) >= metrics.DREAM_MIN_KEYPOINTS
    scores = 100 * metrics.auc_scores(errors)
    better = scores - 100 * metrics.auc_scores(peer)
    return {
        "solver": name,
        "rows": len(errors),
        "missed": int(np.isinf(errors).sum()),
        "auc": float(scores.mean()),
        "auc_interval": interval(scores, blocks),
        "auc_minus_peer": float(better.mean()),
        "auc_minus_peer_interval": interval(better, blocks),
        "dream_rows": int(counted.sum()),
        "auc_dream_rows": float(scores[counted].mean()),
        "add_median_mm": 1000 * float(np.median(errors)),
        "add_mean_mm": 1000 * float(np.mean(errors)) if np.isfinite(errors).all() else None,
    }


def interval(values: Array, blocks: list[NDArray[np.intp]]) -> tuple[float, float]:
    """95 % interval of the mean, by resampling blocks of rows."""
    rng = np.random.default_rng(0)
    sums = np.array([values[block].sum() for block in blocks])
    sizes = np.array([len(block) for block in blocks])
    drawn = rng.integers(0, len(blocks), (NUM_RESAMPLES, len(blocks)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def joint_errors(errors_deg: Array) -> dict[str, Any]:
    """Of joints 1 to 6 [deg]; the rows are (N, 6)."""
    return {
        "joint_error_mean_deg": float(errors_deg.mean()),
        "joint_error_median_deg": float(np.median(errors_deg)),
        "joint_error_mean_deg_per_joint": errors_deg.mean(0).round(2).tolist(),
    }


def realsense(data: dict[str, Array], scale: float) -> list[dict[str, Any]]:
    order = np.argsort(data["frame_id"].astype(int))
    halves, blocks = np.array_split(order, 2), np.array_split(order, NUM_STRETCHES)
    peer = metrics.add(data["peer_xyz_cam_m"], data["gt_xyz_cam_m"])
    start = data["peer_head_theta"].astype(float)
    fixed = from_angles(data, start, scale, prior_std=0.15, floor=0.0)
    fitted = cross_fit(data, scale, halves)
    alone, _ = from_nothing(data, np.full(len(start), scale))
    return [
        row("peer", peer, data, blocks, peer),
        row("ours, fixed", fixed, data, blocks, peer),
        row("ours, cross-fit", fitted, data, blocks, peer),
        row("ours, no starting angles", alone, data, blocks, peer),
    ]


def synthetic(data: dict[str, Array]) -> list[dict[str, Any]]:
    order = np.argsort(data["frame_id"].astype(int))
    halves = np.array_split(order, 2)
    scale = np.empty(len(order))
    for scored, fitted in (halves, halves[::-1]):
        scale[scored] = confidence_scale(data, fitted)
    peer = np.asarray(data["peer_add_m"])
    ours, angles = from_nothing(data, scale)
    off = metrics.joint_errors_deg(angles[:, :6], data["gt_q1_6_rad"])
    blocks = list(order[:, None])
    return [
        row("peer", peer, data, blocks, peer) | joint_errors(data["peer_joint_abs_err_deg"]),
        row("ours, no starting angles", ours, data, blocks, peer) | joint_errors(off),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder dream_detections")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    files = {}
    for name in ("panda_realsense", "panda_synth_test_dr_1000"):
        path = arguments.folder / f"{name}.npz"
        if not path.is_file():
            parser.error(f"{path} is not there; give the folder that holds {name}.npz")
        with np.load(path, allow_pickle=False) as data:
            files[name] = dict(data)
    rendered = files["panda_synth_test_dr_1000"]
    scale = confidence_scale(rendered, np.arange(len(rendered["frame_id"])))
    report = {
        "confidence_scale_px": scale,
        "panda_realsense": realsense(files["panda_realsense"], scale),
        "panda_synth_test_dr_1000": synthetic(rendered),
    }
    print(json.dumps(report, indent=1) if arguments.json else table(report))


def table(report: dict[str, Any]) -> str:
    lines = [f"std = {report['confidence_scale_px']:.2f} px / confidence"]
    for name in ("panda_realsense", "panda_synth_test_dr_1000"):
        lines += ["", f"{name}: {report[name][0]['rows']} frames, AUC of ADD at 100 mm"]
        lines.append(
            f"{'':26}{'AUC':>6}  {'95 %':13}{'minus peer':>11}  {'95 %':14}"
            f"{'ADD median':>11}{'mean [mm]':>10}{'missed':>8}"
            f"{'AUC, DREAM':>12} rows"
        )
        for r in report[name]:
            (low, high), (worse, better) = r["auc_interval"], r["auc_minus_peer_interval"]
            mean = "inf" if r["add_mean_mm"] is None else f"{r['add_mean_mm']:.1f}"
            lines.append(
                f"{r['solver']:26}{r['auc']:6.1f}  {low:5.1f}-{high:5.1f}  "
                f"{r['auc_minus_peer']:+11.1f}  {worse:+5.1f} to {better:+5.1f}"
                f"{r['add_median_mm']:11.1f}{mean:>10}{r['missed']:8d}"
                f"{r['auc_dream_rows']:12.1f} {r['dream_rows']}"
            )
            if "joint_error_mean_deg" in r:
                each = " ".join(f"{e:.1f}" for e in r["joint_error_mean_deg_per_joint"])
                lines.append(
                    f"{'':26}joints 1-6: mean {r['joint_error_mean_deg']:.1f} deg, median "
                    f"{r['joint_error_median_deg']:.1f}, each {each}"
                )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
