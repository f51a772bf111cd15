"""One episode before one camera: fit the camera to the log, and keep what came out as a row."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from armsight.audit.pictures import overlay_strip
from armsight.audit.plan import AuditPlan
from armsight.data.recordings.episodes import Episodes, open_episodes
from armsight.episodes.units import Unit
from armsight.errors import ArmsightError, MissingExtraError, OutputError
from armsight.recorded.calibrate import RecordedCamera, calibrate_frames, spread
from armsight.robots import Robot, load_robot

Row = dict[str, Any]

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
    def episodes(self) -> Episodes:
        """The data set, or the bags"""
        return open_episodes(self.plan.dataset)

    def __call__(self, unit: Unit) -> Row:
        """An episode's row: JSON-ready; `overlay_jpeg` (base64) goes into a file of its own.

        Raises:
            MissingExtraError: a package is missing.
        """
        start = time.perf_counter()
        row = empty_row(self.episodes, unit)
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
        recording = self.episodes.recording(
            self.robot, unit.episode, unit.camera_key, plan.state_key
        )
        if plan.K is not None:
            K = np.reshape(plan.K, (3, 3))
            recording = replace(recording, K=K, intrinsics_source=plan.intrinsics_source)
        elif plan.fov_deg is not None:
            recording = replace(recording, fov_deg=plan.fov_deg)
        chosen = spread(len(recording), plan.num_frames)
        images = recording.lazily(chosen)
        found = calibrate_frames(recording, self.robot, images, chosen)
        return {
            "frames": chosen,
            "image_size": list(images[0].shape[1::-1]),
            "notes": list(recording.notes),
            "calibration": found.to_json(),
            "overlay_jpeg": self._overlay(RecordedCamera(recording, tuple(chosen), found)),
        }

    def _overlay(self, camera: RecordedCamera) -> str:
        """A few frames with the arm as log and camera have it: a JPEG, base64."""
        shown = spread(len(camera.recording), NUM_SHOWN)
        strip = overlay_strip(
            camera.recording.frames(shown),
            [f"frame {i}" for i in shown],
            self.robot,
            camera.joint_positions(shown),
            camera.found.T_cam_base,
            camera.found.K,
        )
        return base64.b64encode(strip).decode()


def empty_row(episodes: Episodes, unit: Unit) -> Row:
    """A row of which nothing is known yet but which episode it is."""
    return {
        "key": unit.key,
        "episode": unit.episode,
        "camera_key": unit.camera_key,
        "digest": episodes.digest(unit.episode, unit.camera_key),
        "num_frames": episodes.length(unit.episode, unit.camera_key),
        "image_size": None,
        "frames": [],
        "notes": [],
        "calibration": None,
        "overlay_jpeg": None,
        "error": None,
    }
