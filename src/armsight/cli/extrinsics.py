"""`armsight extrinsics`: where a fixed camera stood, from frames and the robot's joints."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from armsight.camera.camera_file import read_camera_file
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.camera.parse import parse_K
from armsight.cli._notes import say
from armsight.cli._progress import counting
from armsight.data.recordings import Recording, open_recordings
from armsight.errors import (
    BadIntrinsicsError,
    DatasetError,
    OutputError,
)
from armsight.fit.calibrate_camera import VERDICTS
from armsight.outputs.documents import dumps
from armsight.outputs.rerun import RerunSink
from armsight.outputs.sink import Shot
from armsight.recorded.calibrate import RecordedCamera, calibrate_recording, with_intrinsics
from armsight.recorded.files import write_files
from armsight.robots import Robot, load_robot

SWITCHES = ("find", "fixed")
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
@click.option("--zeros", type=click.Choice(SWITCHES), default="find", show_default=True,
              help="Whether the joints' zeros may be off; fixed: the log's are right.")  # fmt: skip
@click.option("--time-offset", type=click.Choice(SWITCHES), default="find", show_default=True,
              help="Whether log and video may be shifted in time.")  # fmt: skip
@click.option("--camera-key", help="The video of a LeRobot data set, the image topic of a bag.")
@click.option("--state-key", help="Its column of joint positions, or topic of joint states.")
@click.option("--episodes", metavar="LIST", help="Its episodes, such as 0-3,7.  [default: all]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder for extrinsics.json, camera.yaml and a sheet of overlays.")  # fmt: skip
@click.option("--rerun", is_flag=False, flag_value="", metavar="[FILE.rrd]",
              help="Show all in Rerun, or write it to a file for Rerun.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    source: Path, robot: str, joints: Path | None, K_text: str | None, camera: Path | None,
    fov: float | None, zeros: str, time_offset: str, camera_key: str | None,
    state_key: str | None, episodes: str | None, out: Path | None, rerun: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Find where the fixed camera of SOURCE stood, from its frames and the robot's joints.

    Without a joint log, the joints are read from the pictures where the package knows the robot.

    SOURCE is a folder of photos, a video, a ROS 2 bag (.mcap, .db3 or its folder; extra `ros`), or
    a LeRobot v3 data set. No marker, mask or first guess is needed: the arm is found by its motion,
    and its contours are laid on the pictures' edges.
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
        with counting(100, f"calibrating the camera of {recording.name}") as tell:
            found = calibrate_recording(recording, known, find_zeros=zeros == "find",
                                        find_time_offset=time_offset == "find",
                                        report=lambda share: tell(round(100 * share)))  # fmt: skip
        fine = fine and found.found.verdict == "fine"
        documents.append(found.to_json())
        name = "" if recording.episode is None else f"episode_{recording.episode:06d}"
        if out is not None:
            write_files(out / name, found, known)
        if viewer is not None:
            _show(viewer, found, known)
        if not as_json:
            click.echo(_table(found))
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
    from armsight.episodes.units import parse_episodes

    return parse_episodes(text)


def _with_intrinsics(
    recording: Recording, K_text: str | None, camera: Path | None, fov: float | None
) -> Recording:
    """The recording with the intrinsics that a person gave."""
    if K_text is None and camera is None and fov is None:
        return recording
    width, height = recording.image_size
    blank = load_image(np.zeros((height, width, 3), np.uint8))
    given = None if K_text is None else parse_K(K_text)
    file = None if camera is None else read_camera_file(camera)
    return with_intrinsics(recording, find_intrinsics(blank, given, file, fov))


def _show(viewer: RerunSink, camera: RecordedCamera, robot: Robot) -> None:
    """The frames that were looked at, with the log's joints and the camera that was found."""
    recording, found, indices = camera.recording, camera.found, camera.indices
    times = recording.frame_times
    joints = camera.joint_positions(indices)
    for i, frame, q in zip(indices, recording.frames(indices), joints, strict=True):
        shot = Shot(load_image(frame), i, float(i if times is None else times[i]))
        viewer.write_known(shot, robot, q, found.T_cam_base, found.K)


def _table(camera: RecordedCamera) -> str:
    """What a person reads."""
    recording, found, indices = camera.recording, camera.found, camera.indices
    means = VERDICTS[found.verdict]
    if recording.log is None and found.verdict == "fine":
        means = "a camera explains the pictures"
    lines = [f"{recording.name}: {found.verdict.replace('_', ' ')} ({means})"]
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
    return "\n".join([*lines, *(f"  note: {note}" for note in camera.notes)])
