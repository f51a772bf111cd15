"""One recording's camera: which frames are looked at, and the fit of log or network to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.intrinsics import Intrinsics
from armsight.data.recordings import Recording
from armsight.data.recordings.recording import UNKNOWN_INTRINSICS
from armsight.errors import BadIntrinsicsError, ConfigError, DatasetError, UnknownRobotError
from armsight.fit.calibrate_camera import CameraCalibration, calibrate_camera
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

MOST_FRAMES, MOST_BYTES = 150, 250_000_000
"""Frames of a recording that are read at most, and what they may take in memory"""
MOST_READ = 40
"""Frames that the network reads at most, where there is no log"""


@dataclass(frozen=True)
class RecordedCamera:
    """What was found of a recording."""

    recording: Recording
    indices: tuple[int, ...]
    """(n,) of the recording's frames that were looked at; frame i of `found` is indices[i]"""
    found: CameraCalibration
    notes: tuple[str, ...] = ()
    """On the log, and on frames that could not be read"""

    def joint_positions(self, indices: Sequence[int]) -> Array:
        """(n, J) [rad] of frames of the recording, with the time offset and zeros that were found;
        NaN where there is no log."""
        found = self.found
        if self.recording.log is None:
            return np.full((len(indices), len(found.joint_names)), np.nan)
        q = self.recording.joint_positions_at(indices, found.time_offset or 0.0)
        return q + found.joint_zero_offsets

    def to_json(self) -> dict[str, Any]:
        """The calibration's JSON with the recording's own entries."""
        recording = self.recording
        return {
            "recording": recording.name,
            "episode": recording.episode,
            "camera_key": recording.camera_key,
            **self.found.to_json(),
            "frame_names": [recording.frame_name(i) for i in self.indices],
            "image_size": list(recording.image_size),
            "notes": list(self.notes),
        }


def with_intrinsics(recording: Recording, camera: Intrinsics) -> Recording:
    """The recording with the intrinsics of somebody who knows them: exact ones as K, rough ones as
    a field of view, and such as were assumed as none, so that the focal length is found.

    Raises:
        BadIntrinsicsError: the lens distorts.
    """
    if camera.distortion is not None:
        raise BadIntrinsicsError(
            "the camera file has lens distortion; undistort the frames first, and give the K of "
            "those"
        )
    notes = (*recording.notes, *camera.messages)
    known = replace(recording, K=None, fov_deg=None, notes=notes, intrinsics_source=camera.source)
    if camera.source == "assumed":
        return replace(known, intrinsics_source=UNKNOWN_INTRINSICS)
    if camera.source in ("exif", "field_of_view"):
        width = recording.image_size[0]
        return replace(known, fov_deg=float(2 * np.degrees(np.arctan(width / 2 / camera.K[0, 0]))))
    return replace(known, K=camera.K)


def calibrate_recording(
    recording: Recording,
    robot: Robot,
    *,
    find_zeros: bool = True,
    find_time_offset: bool = True,
    report: Callable[[float], None] | None = None,
) -> RecordedCamera:
    """Find where the camera of a recording stood.

    Without a log the joints are read from the pictures, for robots with weights. Of a long
    recording at most MOST_FRAMES are read, evenly spread, of which the fit takes those in which
    the arm stands most differently.

    Args:
        find_zeros, find_time_offset: whether the joints' zeros and the log's clock may be off; see
            `calibrate_camera`.
        report: is told what share of the work is done, in [0, 1].

    Raises:
        ConfigError: there is no log, and no weights that could read the joints.
        DatasetError: no frame can be read.
    """
    width, height = recording.image_size
    most = max(3, min(MOST_FRAMES, MOST_BYTES // (3 * width * height)))
    if recording.log is None:
        most = min(most, MOST_READ)
    read = recording.read_frames(spread(len(recording), most))
    if not read.images:
        raise DatasetError(f"no frame of {recording.name} can be read: {'; '.join(read.notes)}")
    if recording.log is None:
        found = _without_log(recording, read.images, read.indices, robot)
    else:
        found = calibrate_frames(recording, robot, read.images, read.indices,
                                 find_zeros=find_zeros, find_time_offset=find_time_offset,
                                 report=report)  # fmt: skip
    return RecordedCamera(recording, read.indices, found, (*recording.notes, *read.notes))


def calibrate_frames(
    recording: Recording,
    robot: Robot,
    images: Sequence[Pixels],
    indices: Sequence[int],
    *,
    find_zeros: bool = True,
    find_time_offset: bool = True,
    report: Callable[[float], None] | None = None,
) -> CameraCalibration:
    """Fit the camera to frames `indices` of a recording that has a log.

    Args:
        images: (n) those frames; they may be read as they are needed.
    """
    log, times = recording.log, recording.frame_times
    assert log is not None
    chosen = list(indices)
    timed = log.times is not None and times is not None
    found = calibrate_camera(
        robot,
        images,
        log.joint_positions if timed else log.joint_positions[chosen],
        K=recording.K,
        fov_deg=recording.fov_deg,
        image_times=None if times is None or not timed else times[chosen],
        log_times=log.times if timed else None,
        find_zeros=find_zeros,
        find_time_offset=find_time_offset,
        report=report,
    )
    if recording.intrinsics_source in ("exif", "camera_file"):
        return replace(found, intrinsics_source=recording.intrinsics_source)
    return found


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, with the first and the last."""
    chosen = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(i) for i in chosen]


def _without_log(
    recording: Recording, images: Sequence[Pixels], indices: Sequence[int], robot: Robot
) -> CameraCalibration:
    """For robots with weights: the joints are read from the pictures."""
    from armsight.estimate.clips.photographed_camera import camera_from_pictures
    from armsight.estimate.estimator import Estimator

    try:
        estimator = Estimator.from_pretrained(robot.name)
    except UnknownRobotError:
        raise ConfigError(
            f"{recording.name} has no joint log, and there are no weights that read the joints of "
            f"{robot.name} from pictures; give --joints FILE (CSV, Parquet, npz or JSON with one "
            "row for each frame, or with time stamps)"
        ) from None
    times = recording.frame_times
    return camera_from_pictures(
        estimator, images, recording.K, fov_deg=recording.fov_deg,
        times=None if times is None else times[list(indices)],
    )  # fmt: skip
