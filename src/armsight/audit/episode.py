"""One episode before one camera: fit the camera to the log, and keep what came out as a row."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.audit.pictures import overlay_strip
from armsight.audit.plan import AuditPlan, Unit, episode_digest
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.recordings import Recording
from armsight.data.recordings.open_recordings import episode_recording
from armsight.errors import ArmsightError, MissingExtraError, OutputError
from armsight.fit.calibrate_camera import CameraCalibration, calibrate_camera
from armsight.robots import Robot, load_robot

Array = NDArray[np.floating]
Row = dict[str, Any]

STRETCH = 16
"""Frames that are decoded in one go"""
NUM_SHOWN = 4
"""Frames in an episode's picture"""
FATAL = (MissingExtraError, OutputError)
"""Errors of the set-up; all others are an episode's own, and do not stop the rest"""


class EpisodeAuditor:
    """Audits episodes of one data set; each process has its own."""

    def __init__(self, plan: AuditPlan) -> None:
        """Nothing is read before the first episode."""
        self.plan = plan

    @cached_property
    def robot(self) -> Robot:
        """The robot that the log is said to be of"""
        return load_robot(self.plan.robot)

    @cached_property
    def reader(self) -> LeRobotReader:
        """The data set"""
        return LeRobotReader(self.plan.dataset)

    def __call__(self, unit: Unit) -> Row:
        """An episode's row: JSON-ready; `overlay_jpeg` (base64) goes into a file of its own.

        Raises:
            MissingExtraError: a package is missing.
        """
        start = time.perf_counter()
        row: Row = {
            "key": unit.key,
            "episode": unit.episode,
            "camera_key": unit.camera_key,
            "digest": episode_digest(self.reader, unit),
            "num_frames": int(self.reader.record(unit.episode)["length"]),
            "image_size": None,
            "frames": [],
            "notes": [],
            "calibration": None,
            "overlay_jpeg": None,
            "error": None,
        }
        try:
            row |= self._audited(unit)
        except FATAL:
            raise
        except ArmsightError as error:
            row["error"] = str(error)
        except Exception as error:  # one odd episode must not end the audit of thousands
            row["error"] = f"{type(error).__name__}: {error}"
        row["seconds"] = round(time.perf_counter() - start, 2)
        return row

    def _audited(self, unit: Unit) -> Row:
        """What is found by fitting the frames of an episode."""
        plan = self.plan
        recording = episode_recording(
            self.reader, self.robot, unit.episode, unit.camera_key, plan.state_key
        )
        log, times = recording.log, recording.frame_times
        assert log is not None
        assert times is not None
        chosen = spread(len(recording), plan.num_frames)
        images = LazyFrames(recording, chosen)
        found = calibrate_camera(
            self.robot,
            images,
            log.joint_positions,
            K=None if plan.K is None else np.reshape(plan.K, (3, 3)),
            fov_deg=plan.fov_deg,
            image_times=times[chosen],
            log_times=log.times,
        )
        return {
            "frames": chosen,
            "image_size": list(images[0].shape[1::-1]),
            "notes": list(recording.notes),
            "calibration": found.to_json(),
            "overlay_jpeg": self._overlay(recording, found),
        }

    def _overlay(self, recording: Recording, found: CameraCalibration) -> str:
        """A few frames with the arm as log and camera have it: a JPEG, base64."""
        log, times = recording.log, recording.frame_times
        assert log is not None
        assert log.times is not None
        assert times is not None
        shown = spread(len(recording), NUM_SHOWN)
        at = times[shown] - (found.time_offset or 0.0)
        q = np.stack([np.interp(at, log.times, column) for column in log.joint_positions.T], -1)
        strip = overlay_strip(
            recording.frames(shown),
            [f"frame {i}" for i in shown],
            self.robot,
            q + found.joint_zero_offsets,
            found.T_cam_base,
            found.K,
        )
        return base64.b64encode(strip).decode()


class LazyFrames(Sequence[NDArray[np.uint8]]):
    """Frames of a recording, read in stretches, of which one is held in memory."""

    def __init__(self, recording: Recording, indices: Sequence[int]) -> None:
        self._recording, self._indices = recording, indices
        self._start, self._held = 0, list[NDArray[np.uint8]]()

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, item: int) -> NDArray[np.uint8]:  # type: ignore[override]
        """Frame number `item` (H, W, 3) RGB; no slices."""
        item = range(len(self))[item]
        if not self._start <= item < self._start + len(self._held):
            self._start = item - item % STRETCH
            self._held = self._recording.frames(self._indices[self._start : self._start + STRETCH])
        return self._held[item - self._start]


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, with the first and the last."""
    chosen = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(i) for i in chosen]
