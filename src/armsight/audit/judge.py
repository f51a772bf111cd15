"""From rows of single episodes to a judgement of the whole data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.audit.cameras import FoundCamera, find_cameras
from armsight.robots import Robot

Array = NDArray[np.floating]
Row = dict[str, Any]

ZERO_SHOWN = np.radians(0.3)
"""Smaller zero offsets are not named"""
UNREADABLE = "unreadable"
"""The verdict of an episode whose files or numbers are broken"""

LENT = ("arm_hardly_moves", "too_few_frames")
"""Verdicts of episodes that say nothing against the camera of the others"""

WORDS = {
    "fine": "fine",
    "camera_moved": "camera moved",
    "log_ahead": "log runs ahead",
    "log_behind": "log runs behind",
    "zeros_off": "joint zeros off",
    "wrong_joint_order": "wrong joint order",
    "wrong_units": "wrong units",
    "other_robot": "other robot",
    "arm_not_in_view": "arm not in view",
    "arm_hardly_moves": "arm hardly moves",
    "too_few_frames": "too few frames",
    "cannot_tell": "cannot tell",
    UNREADABLE: "unreadable",
}
"""Verdicts as people read them"""


@dataclass(frozen=True)
class Judgement:
    """What is said of one episode and camera."""

    row: Row
    verdict: str
    reason: str
    """The verdict in words, with its figures"""
    camera: int | None
    """Index of the camera in `Audit.cameras`; None where its place is not known"""

    @property
    def calibration(self) -> dict[str, Any]:
        """What the fit found; empty where there was none"""
        return self.row["calibration"] or {}

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The frames that were held against the log, in the field names of `FrameAlignment`;
        `index` counts those of `row["frames"]`"""
        frames = self.calibration.get("frames", [])
        return [frame for frame in frames if frame["edge_alignment"] is not None]

    @property
    def edge_alignment(self) -> float | None:
        """Median over the frames of how well the outline lies on edges, from 0 to 1"""
        values = [frame["edge_alignment"] for frame in self.frames]
        return float(np.median(values)) if values else None

    @property
    def camera_moved_at(self) -> int | None:
        """The first frame that shows the camera elsewhere"""
        return _camera_moved_at(self.row)

    @property
    def unexplained_frames(self) -> list[int]:
        """Frames that the log does not explain, by their number in the episode"""
        numbers = self.row["frames"]
        return [numbers[frame["index"]] for frame in self.frames if not frame["used"]]


@dataclass(frozen=True)
class Audit:
    """A data set, judged."""

    dataset: Path
    robot: str
    joint_names: tuple[str, ...]
    fps: float
    cameras: tuple[FoundCamera, ...]
    judgements: tuple[Judgement, ...]

    def counts(self) -> dict[str, int]:
        """How many episodes and cameras have each verdict, in the order of `WORDS`."""
        counted = Counter(judgement.verdict for judgement in self.judgements)
        return {verdict: counted[verdict] for verdict in WORDS if counted[verdict]}

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "dataset": str(self.dataset),
            "robot": self.robot,
            "joint_names": list(self.joint_names),
            "units": {"T_cam_base": "m", "time_offset": "s", "joint_zero_offsets": "rad"},
            "counts": self.counts(),
            "cameras": [camera.to_json() for camera in self.cameras],
            "episodes": [
                {
                    "episode": one.row["episode"],
                    "camera_key": one.row["camera_key"],
                    "verdict": one.verdict,
                    "reason": one.reason,
                    "camera": one.camera,
                    "edge_alignment": one.edge_alignment,
                    "unexplained_frames": one.unexplained_frames,
                    "camera_moved_at": one.camera_moved_at,
                    "notes": one.row["notes"],
                    "error": one.row["error"],
                    "calibration": one.row["calibration"],
                }
                for one in self.judgements
            ],
        }


def judge(rows: Sequence[Row], dataset: Path, robot: Robot, fps: float) -> Audit:
    """Judge a data set from the rows of its episodes.

    Cameras that agree are pooled. An episode that cannot find a camera of its own, for its arm
    hardly moves or its frames are too few, is given that of the episodes around it, where the
    nearest one before and the nearest one after it agree. Its log stays unjudged.
    """
    cameras = find_cameras(rows, robot)
    owner = {
        (camera.camera_key, episode): i
        for i, camera in enumerate(cameras)
        for episode in camera.episodes
    }
    judgements = []
    for row in rows:
        camera = owner.get((row["camera_key"], row["episode"]))
        verdict, reason = _verdict(row, robot, fps)
        if camera is None and verdict in LENT:
            camera = _camera_around(row["episode"], row["camera_key"], owner)
            if camera is not None:
                reason += " (the camera is that of the episodes around it)"
        judgements.append(Judgement(row, verdict, reason, camera))
    return Audit(dataset, robot.name, robot.joint_names, fps, tuple(cameras), tuple(judgements))


def _camera_around(episode: int, key: str, owner: dict[tuple[str, int], int]) -> int | None:
    """The camera of the nearest episodes before and after, if it is the same or there is one."""
    known = {other: camera for (name, other), camera in owner.items() if name == key}
    before = max((other for other in known if other < episode), default=None)
    after = min((other for other in known if other > episode), default=None)
    around = {known[other] for other in (before, after) if other is not None}
    return around.pop() if len(around) == 1 else None


def _verdict(row: Row, robot: Robot, fps: float) -> tuple[str, str]:
    """A row's verdict, and the sentence that says it."""
    calibration = row["calibration"]
    if calibration is None:
        return UNREADABLE, str(row["error"])
    verdict = str(calibration["verdict"])
    words, messages = WORDS.get(verdict, verdict), calibration["messages"]
    if verdict in ("log_ahead", "log_behind"):
        offset = abs(calibration["time_offset"])
        words += f" by {offset:.3f} s ({offset * fps:.1f} frames)"
        return verdict, words
    if verdict == "zeros_off":
        return verdict, f"{words}: {zeros_in_words(calibration, robot.joint_names)}"
    moved_at = _camera_moved_at(row)
    if verdict == "camera_moved" and moved_at is not None:
        return verdict, f"{words} at frame {moved_at}"
    if verdict == "fine" or not messages:
        return verdict, words
    return verdict, f"{words}: {messages[0]}"


def _camera_moved_at(row: Row) -> int | None:
    index = (row["calibration"] or {}).get("camera_moved_at")
    return None if index is None else int(row["frames"][index])


def zeros_in_words(calibration: dict[str, Any], joint_names: Sequence[str]) -> str:
    """The joints whose zero is off, and by how much, in degrees."""
    return ", ".join(
        f"{name} {np.degrees(offset):+.1f}°"
        for name, offset, seen in zip(
            joint_names,
            calibration["joint_zero_offsets"],
            calibration["joint_zero_offsets_observable"],
            strict=True,
        )
        if seen and abs(offset) > ZERO_SHOWN
    )
