"""`JointPath` in files that robots' software reads: ROS, LeRobot, a table."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from armsight.actions.joint_path import JointPath
from armsight.errors import OutputError
from armsight.files import atomic_write

FORMATS = {
    "joint-trajectory": "joint_trajectory.yaml",
    "csv": "joints.csv",
    "lerobot": "lerobot",
}
"""Each format, and the ending of its file or folder"""
BY = "written by armsight"


def write_joint_path(path: JointPath, form: str, target: Path) -> None:
    """Write `target`, whole or not at all; what armsight wrote there before is replaced.

    Args:
        form: one of `FORMATS`.

    Raises:
        OutputError: it cannot be written, or something else is there.
        MissingExtraError: "lerobot", and pyarrow is not installed.
    """
    if form == "lerobot":
        _write_lerobot(path, target)
        return
    if target.exists() and BY not in target.read_text(encoding="utf-8", errors="replace")[:500]:
        raise OutputError(f"{target} exists and was not written by armsight; choose another --out")
    text = _trajectory(path) if form == "joint-trajectory" else _table(path)
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _head(path: JointPath) -> list[str]:
    """What a person must know before it moves."""
    checks = path.checks
    return [
        f"{BY}: joints of {path.robot} in radians, frame: {checks['frame']}",
        f"{path.rate_hz:g} rows/s, {checks['duration_s']:.3f} s "
        f"({checks['asked_duration_s']:.3f} s before limits of speed and acceleration)",
        "starts and ends at rest; jerk and collisions were not checked",
        *(f"note: {message}" for message in path.messages),
    ]


def _trajectory(path: JointPath) -> str:
    """A `trajectory_msgs/JointTrajectory` for `ros2 topic pub` and FollowJointTrajectory."""
    timed = path.path
    points = []
    for row, time in enumerate(timed.times):
        nanoseconds = round(1e9 * float(time))
        points.append({
            "positions": _rounded(timed.positions[row]),
            "velocities": _rounded(timed.velocities[row]),
            "accelerations": _rounded(timed.accelerations[row]),
            "time_from_start": {
                "sec": nanoseconds // 10**9, "nanosec": nanoseconds % 10**9,
            },
        })  # fmt: skip
    message = {
        "header": {"frame_id": ""},
        "joint_names": list(path.joint_names),
        "points": points,
    }
    head = [*_head(path), "the gripper is not in it: its times are in NAME.joints.json"]
    lines = "".join(f"# {line}\n" for line in head)
    return lines + yaml.safe_dump(message, sort_keys=False, default_flow_style=None, width=200)


def _table(path: JointPath) -> str:
    timed = path.path
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in _head(path))
    names = path.joint_names
    table = csv.writer(text, lineterminator="\n")
    table.writerow([
        "time_s", *(f"{n}_rad" for n in names), *(f"{n}_rad_s" for n in names),
        *(f"{n}_rad_s2" for n in names), "gripper_command", "gripper_opening_m",
    ])  # fmt: skip
    gripper = np.column_stack([path.gripper, path.gripper_opening])
    rows = np.hstack([timed.times[:, None], timed.positions, timed.velocities,
                      timed.accelerations, gripper])  # fmt: skip
    for row in rows:
        table.writerow(["" if np.isnan(value) else f"{value:.6f}" for value in row])
    return text.getvalue()


def _write_lerobot(path: JointPath, target: Path) -> None:
    """One episode without pictures: states are where the joints are, actions where they go next."""
    from armsight.data.lerobot import LeRobotWriter

    if target.exists():
        info = target / "meta" / "info.json"
        if not info.is_file() or '"joint_path"' not in info.read_text(encoding="utf-8"):
            raise OutputError(
                f"{target} exists and is no joint path of armsight; choose another --out"
            )
    names = [f"{name}.pos" for name in path.joint_names]
    states = path.path.positions
    if not np.isnan(path.gripper).any():
        names.append("gripper")
        states = np.column_stack([states, path.gripper])
    rows = {"observation.state": states, "action": np.concatenate([states[1:], states[-1:]])}
    feature = {"dtype": "float32", "shape": (len(names),), "names": names}
    growing = target.with_name(f".{target.name}.partial")
    shutil.rmtree(growing, ignore_errors=True)
    try:
        with LeRobotWriter(
            growing, fps=path.rate_hz, robot_type=path.robot,
            features={"observation.state": feature, "action": feature},
            extra={"joint_path": path.checks, "notes": list(path.messages)},
        ) as writer:  # fmt: skip
            writer.add_episode({k: v.astype(np.float32) for k, v in rows.items()}, {}, "")
        shutil.rmtree(target, ignore_errors=True)
        growing.rename(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def write_checks(path: JointPath, target: Path) -> None:
    """`NAME.joints.json`: what was checked, the notes, and when the gripper changes.

    Raises:
        OutputError: it cannot be written, or something else is there.
    """
    if target.exists() and BY not in target.read_text(encoding="utf-8", errors="replace")[:500]:
        raise OutputError(f"{target} exists and was not written by armsight; choose another --out")
    document: dict[str, Any] = {
        "about": BY,
        "robot": path.robot,
        "joint_names": list(path.joint_names),
        **path.checks,
        "gripper": gripper_changes(path),
        "messages": list(path.messages),
    }
    with atomic_write(target) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def gripper_changes(path: JointPath) -> list[dict[str, float | None]]:
    """Times [s] at which the gripper's command changes, the first row included."""
    if np.isnan(path.gripper).all():
        return []
    turns = np.flatnonzero(np.diff(path.gripper, prepend=np.nan) != 0)
    return [
        {
            "time_s": float(path.path.times[i]),
            "command": float(path.gripper[i]),
            "opening_m": None if np.isnan(path.gripper_opening[i]) else
            float(path.gripper_opening[i]),
        }
        for i in turns
    ]  # fmt: skip


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [round(float(value), 6) for value in values]
