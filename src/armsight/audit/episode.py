"""One episode before one camera: fit the camera to the log, and keep what came out as a row."""

from __future__ import annotations

import base64
import time
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.audit.pictures import overlay_strip
from armsight.audit.plan import AuditPlan, Unit, episode_digest
from armsight.data.lerobot_reader import LeRobotReader
from armsight.data.recordings import episode_log
from armsight.errors import ArmsightError, MissingExtraError, OutputError
from armsight.fit.calibrate_camera import calibrate_camera
from armsight.robots import Robot, load_robot

Array = NDArray[np.floating]
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
        plan, reader = self.plan, self.reader
        rows = reader.rows(unit.episode)
        log = episode_log(reader, self.robot, rows, plan.state_key)
        joints, times = log.joint_positions, rows["timestamp"].astype(float)
        chosen = spread(len(times), plan.num_frames)
        images = list(reader.frames(unit.episode, unit.camera_key, chosen))
        found = calibrate_camera(
            self.robot,
            images,
            joints,
            K=None if plan.K is None else np.reshape(plan.K, (3, 3)),
            fov_deg=plan.fov_deg,
            image_times=times[chosen],
            log_times=times,
        )
        shown = [round(i) for i in np.linspace(0, len(chosen) - 1, min(NUM_SHOWN, len(chosen)))]
        strip = overlay_strip(
            [images[i] for i in shown],
            [f"frame {chosen[i]}" for i in shown],
            self.robot,
            joints[[chosen[i] for i in shown]] + found.joint_zero_offsets,
            found.T_cam_base,
            found.K,
        )
        return {
            "frames": chosen,
            "image_size": [images[0].shape[1], images[0].shape[0]],
            "notes": list(log.notes),
            "calibration": found.to_json(),
            "overlay_jpeg": base64.b64encode(strip).decode(),
        }


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, with the first and the last."""
    chosen = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(i) for i in chosen]
