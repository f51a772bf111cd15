"""`armsight extrinsics`: where a fixed camera stood, from frames and the robot's joints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.image import load_image
from armsight.camera.parse import parse_K
from armsight.cli._notes import say
from armsight.cli._progress import counting
from armsight.data.recordings import Recording, open_recordings
from armsight.errors import (
    BadIntrinsicsError,
    ConfigError,
    DatasetError,
    OutputError,
    UnknownRobotError,
)
from armsight.files import atomic_write
from armsight.fit.calibrate_camera import VERDICTS, CameraCalibration, calibrate_camera
from armsight.outputs.documents import dumps
from armsight.outputs.rerun import RerunSink
from armsight.outputs.sink import Shot
from armsight.robots import Robot, load_robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

MOST_FRAMES, MOST_BYTES = 150, 250_000_000
"""Frames of a recording that are read at most, and what they may take in memory"""
MOST_READ = 40
"""Frames that the network reads at most, where there is no log"""
SHEET_WIDTH, SHEET_COLUMNS, SHEET_FRAMES = 400, 4, 12
NOT_FINE = 1
"""Exit code where no camera was found, or pictures and log disagree"""


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--robot", required=True,
              help="A robot that the package knows, a data file, a URDF or an MJCF.")  # fmt: skip
@click.option("--joints", type=click.Path(path_type=Path),
              help="CSV, Parquet, npz or JSON.  [default: the log beside the photos]")  # fmt: skip
@click.option("--K", "K_text", metavar="fx,fy,cx,cy", help="Camera intrinsics [px].")
@click.option("--camera", type=click.Path(path_type=Path), help="Camera file.")
@click.option("--fov", type=float, metavar="DEG", help="Horizontal field of view [deg].")
@click.option("--camera-key", help="The video of a LeRobot data set.")
@click.option("--state-key", help="Its column of joint positions.")
@click.option("--episodes", metavar="LIST", help="Its episodes, such as 0-3,7.  [default: all]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder for extrinsics.json, camera.yaml and a sheet of overlays.")  # fmt: skip
@click.option("--rerun", is_flag=False, flag_value="", metavar="[FILE.rrd]",
              help="Show all in Rerun, or write it to a file for Rerun.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    source: Path, robot: str, joints: Path | None, K_text: str | None, camera: Path | None,
    fov: float | None, camera_key: str | None, state_key: str | None, episodes: str | None,
    out: Path | None, rerun: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Find where the fixed camera of SOURCE stood, from its frames and the robot's joints.

    Without a joint log, the joints are read from the pictures where the package knows the robot.

    SOURCE is a folder of photos, a video, or a LeRobot v3 data set. No marker, mask or first guess
    is needed: the arm is found by its motion, and its contours are laid on the pictures' edges.
    """
    if sum(option is not None for option in (K_text, camera, fov)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    if out is not None and out.is_file():
        raise OutputError(f"--out {out} is a file; name a folder")
    viewer = None if rerun is None else RerunSink(rerun)
    known = load_robot(robot)
    say(known.notes)
    chosen = None if episodes is None else _episodes(episodes)
    recordings = open_recordings(
        source, known, joints=joints, camera_key=camera_key, state_key=state_key, episodes=chosen
    )
    documents, fine = [], True
    for recording in recordings:
        recording = _with_intrinsics(recording, K_text, camera, fov)
        indices, found, document = _calibrate(recording, known)
        fine = fine and found.verdict == "fine"
        documents.append(document)
        if out is not None:
            name = "" if recording.episode is None else f"episode_{recording.episode:06d}"
            _write(out / name, recording, indices, known, found, document)
        if viewer is not None:
            _show(viewer, recording, indices, known, found)
        if not as_json:
            click.echo(_table(recording, indices, found, document["notes"]))
            if out is not None:
                click.echo(f"  wrote {out / name}")
    if viewer is not None:
        viewer.close(keep=bool(documents))
    if not documents:
        raise DatasetError(f"{source} holds no recording")
    if as_json:
        click.echo(dumps(documents[0] if chosen is None and len(documents) == 1 else documents))
    sys.exit(0 if fine else NOT_FINE)


def _episodes(text: str) -> list[int]:
    from armsight.audit.plan import parse_episodes

    return parse_episodes(text)


def _with_intrinsics(
    recording: Recording, K_text: str | None, camera: Path | None, fov: float | None
) -> Recording:
    """The recording with the intrinsics that a person gave."""
    from armsight.camera.camera_file import read_camera_file
    from armsight.camera.image import load_image
    from armsight.camera.intrinsics import find_intrinsics

    if K_text is None and camera is None and fov is None:
        return recording
    if fov is not None:
        return replace(recording, K=None, fov_deg=fov, intrinsics_source="field_of_view")
    width, height = recording.image_size
    blank = load_image(np.zeros((height, width, 3), np.uint8))
    given = None if K_text is None else parse_K(K_text)
    file = None if camera is None else read_camera_file(camera)
    found = find_intrinsics(blank, given, file)
    if found.distortion is not None:
        raise BadIntrinsicsError(
            f"{camera} has lens distortion; undistort the frames first, and give the K of those"
        )
    notes = (*recording.notes, *found.messages)
    return replace(recording, K=found.K, intrinsics_source=found.source, notes=notes)


def _calibrate(
    recording: Recording, robot: Robot
) -> tuple[list[int], CameraCalibration, dict[str, Any]]:
    """Frames that were read, the calibration, and its JSON with the recording's own entries."""
    width, height = recording.image_size
    most = max(3, min(MOST_FRAMES, MOST_BYTES // (3 * width * height)))
    wanted = np.unique(np.linspace(0, len(recording) - 1, min(most, len(recording))).round())
    read = recording.read_frames([int(i) for i in wanted])
    indices = list(read.indices)
    log = recording.log
    timed = log is not None and log.times is not None and recording.frame_times is not None
    if not read.images:
        raise DatasetError(f"no frame of {recording.name} can be read: {'; '.join(read.notes)}")
    if log is None:
        found = _without_log(recording, read.images, indices, robot)
    else:
        with counting(100, f"calibrating the camera of {recording.name}") as tell:
            found = calibrate_camera(
                robot,
                read.images,
                log.joint_positions if timed else log.joint_positions[indices],
                K=recording.K,
                fov_deg=recording.fov_deg,
                image_times=recording.frame_times[indices] if timed else None,  # type: ignore[index]
                log_times=log.times if timed else None,
                report=lambda share: tell(round(100 * share)),
            )
    document = {
        "recording": recording.name,
        "episode": recording.episode,
        "camera_key": recording.camera_key,
        **found.to_json(),
        "frame_names": [recording.frame_name(i) for i in indices],
        "image_size": [width, height],
        "notes": [*recording.notes, *read.notes],
    }
    return indices, found, document


def _without_log(
    recording: Recording, images: Sequence[Pixels], indices: list[int], robot: Robot
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
        estimator, images[:MOST_READ], recording.K, fov_deg=recording.fov_deg,
        times=None if times is None else times[indices[:MOST_READ]],
    )  # fmt: skip


def _write(
    folder: Path, recording: Recording, indices: list[int], robot: Robot,
    found: CameraCalibration, document: dict[str, Any],
) -> None:  # fmt: skip
    """Write the files of one recording."""
    from armsight.camera.extrinsics_files import opencv_yaml, static_transform_publisher

    texts = {"extrinsics.json": dumps(document) + "\n"}
    if found.T_cam_base is not None and found.T_base_cam is not None:
        texts["camera.yaml"] = opencv_yaml(found.K, recording.image_size, found.T_cam_base)
        line = static_transform_publisher(found.T_base_cam, robot.link_names[0], "camera_optical")
        texts["static_transform_publisher.txt"] = line + "\n"
    for name, text in texts.items():
        with atomic_write(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    with atomic_write(folder / "overlays.jpg") as path:
        Image.fromarray(_sheet(recording, indices, robot, found)).save(path, quality=88)


def _sheet(
    recording: Recording, indices: list[int], robot: Robot, found: CameraCalibration
) -> Pixels:
    from armsight.viz.contact_sheet import contact_sheet, outlined_frame

    shown = np.unique(np.linspace(0, len(indices) - 1, min(SHEET_FRAMES, len(indices))).round())
    chosen = [int(i) for i in shown]
    joints = np.full((len(chosen), len(robot.joint_names)), np.nan)
    if recording.log is not None:
        offset = found.time_offset or 0.0
        joints = _joints_at(recording, [indices[i] for i in chosen], offset)
        joints = joints + found.joint_zero_offsets
    pictures = []
    for i, frame, q in zip(chosen, recording.frames([indices[i] for i in chosen]), joints,
                           strict=True):  # fmt: skip
        fit = found.frames[min(i, len(found.frames) - 1)]
        caption = recording.frame_name(indices[i]).encode("ascii", "replace").decode()
        if np.isfinite(fit.edge_alignment):
            caption += f"  edge alignment {fit.edge_alignment:.2f}"
        if fit.reason and np.isfinite(fit.edge_alignment):
            caption += " left out"
        pictures.append(
            outlined_frame(frame, caption, robot, q, found.T_cam_base, found.K, SHEET_WIDTH)
        )
    return contact_sheet(pictures, SHEET_COLUMNS)


def _show(
    viewer: RerunSink, recording: Recording, indices: list[int], robot: Robot,
    found: CameraCalibration,
) -> None:  # fmt: skip
    """The frames that were looked at, with the log's joints and the camera that was found."""
    joints = np.full((len(indices), len(robot.joint_names)), np.nan)
    if recording.log is not None:
        joints = _joints_at(recording, indices, found.time_offset or 0.0)
        joints = joints + found.joint_zero_offsets
    times = recording.frame_times
    for i, frame, q in zip(indices, recording.frames(indices), joints, strict=True):
        shot = Shot(load_image(frame), i, float(i if times is None else times[i]))
        viewer.write_known(shot, robot, q, found.T_cam_base, found.K)


def _joints_at(recording: Recording, indices: list[int], time_offset: float) -> Array:
    assert recording.log is not None
    log, times = recording.log, recording.frame_times
    if log.times is None or times is None:
        return log.joint_positions[indices]
    at = times[indices] - time_offset
    return np.stack([np.interp(at, log.times, column) for column in log.joint_positions.T], -1)


def _table(
    recording: Recording, indices: Sequence[int], found: CameraCalibration, notes: Sequence[str]
) -> str:
    """What a person reads; `indices` (n,) say which frames of the recording were read."""
    lines = [f"{recording.name}: {found.verdict.replace('_', ' ')} ({VERDICTS[found.verdict]})"]
    lines += [f"  {message}" for message in found.messages]
    if found.T_base_cam is not None:
        x, y, z = found.T_base_cam[:3, 3]
        std = found.T_base_cam_std
        doubt = ""
        if std is not None:
            turn, place = np.degrees(np.linalg.norm(std[:3])), 1000 * np.linalg.norm(std[3:])
            doubt = f" (± {place:.0f} mm, {turn:.2f} deg)"
        lines.append(f"  camera at x {x:.4f}, y {y:.4f}, z {z:.4f} m in the base frame{doubt}")
        focal = f"  focal length {found.K[0, 0]:.1f} px"
        if found.focal_length_std is not None:
            focal += f" ± {found.focal_length_std:.1f}"
        lines.append(f"{focal} ({found.intrinsics_source})")
    zeros, stds = found.joint_zero_offsets, found.joint_zero_offsets_std
    for i, name in enumerate(found.joint_names):
        if zeros[i]:
            doubt = "" if stds is None else f" ± {np.degrees(stds[i]):.2f}"
            lines.append(f"  zero of {name}: {np.degrees(zeros[i]):+.2f}{doubt} deg")
    if found.time_offset is not None:
        std_s = found.time_offset_std
        doubt = "" if std_s is None else f" ± {std_s:.3f}"
        lines.append(f"  time offset of the log: {found.time_offset:+.3f}{doubt} s")
    seen = [f for f in found.frames if np.isfinite(f.edge_alignment)]
    if seen:
        left = [recording.frame_name(indices[f.index]) for f in seen if not f.used]
        mean = float(np.mean([f.edge_alignment for f in seen]))
        lines.append(f"  {len(seen)} frames looked at, edge alignment {mean:.2f}"
                     + (f"; left out: {', '.join(left)}" if left else ""))  # fmt: skip
    return "\n".join([*lines, *(f"  note: {note}" for note in notes)])
