"""Estimates as people and programs read them: a table, JSON, rows of a video."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from armsight.state import Estimate

if TYPE_CHECKING:
    from armsight.outputs.film import FilmResult


def is_refusal(message: str) -> bool:
    """Whether a message of an estimate says that the robot was not found."""
    return re.fullmatch(r"no \S+ found( \(presence .*)?", message) is not None


def table(estimate: Estimate) -> str:
    """Joint, angle and standard deviation [deg], where the base is, and what to know."""
    title = f"{estimate.image or 'image'}: "
    if not estimate.robot_found or estimate.joint_positions is None:
        lines = [title + next(filter(is_refusal, estimate.messages), f"no {estimate.robot} found")]
    else:
        lines = [title + f"{estimate.robot} found, confidence {estimate.confidence:.2f}"]
        lines += _joint_rows(estimate)
        if estimate.T_cam_base is not None:
            x, y, z = estimate.T_cam_base[:3, 3]
            note = "" if estimate.metric_depth_reliable else " (distances are unreliable)"
            lines.append(
                f"  base at {x:.3f} m right, {y:.3f} m down, {z:.3f} m ahead of the camera{note}"
            )
    for other in estimate.others:
        lines.append(f"  another {other.robot}, confidence {other.confidence:.2f}: see `others`")
    notes = [message for message in estimate.messages if not is_refusal(message)]
    lines += [f"  note: {message}" for message in notes]
    return "\n".join(lines)


def _joint_rows(estimate: Estimate) -> list[str]:
    assert estimate.joint_positions is not None
    angles = np.degrees(estimate.joint_positions)
    stds = np.full(len(angles), np.nan)
    if estimate.joint_std is not None:
        stds = np.degrees(estimate.joint_std)
    width = max(len(name) for name in estimate.joint_names)
    rows = [f"  {'joint':<{width}}  angle [deg]  ± std [deg]"]
    for name, angle, std in zip(estimate.joint_names, angles, stds, strict=True):
        shown = "–" if np.isnan(std) else f"{std:.1f}"
        rows.append(f"  {name:<{width}}  {angle:11.1f}  {shown:>11}")
    return rows


def video_summary(
    result: FilmResult, outputs: dict[str, Path], error: Exception | None
) -> dict[str, Any]:
    """How a video went, after its last frame; `outputs` holds the files that were written."""
    return {
        "num_frames": result.frames,
        "num_robot_found": result.found,
        "fps": result.fps,
        "intrinsics_source": result.intrinsics_source,
        "outputs": {name: str(path) for name, path in outputs.items()},
        "messages": list(result.messages),
        "interrupted": result.interrupted,
        "error": None if error is None else str(error),
    }


def printable(text: str) -> str:
    """Text without what no encoding can say: file names may be any bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")
