"""What a calibrated recording leaves on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.extrinsics_files import opencv_yaml, static_transform_publisher
from armsight.files import atomic_write
from armsight.recorded.calibrate import RecordedCamera, spread
from armsight.robots import Robot
from armsight.viz.contact_sheet import contact_sheet, outlined_frame

Pixels = NDArray[np.uint8]

SHEET_WIDTH, SHEET_COLUMNS, SHEET_FRAMES = 400, 4, 12


def write_files(folder: Path, camera: RecordedCamera, robot: Robot) -> None:
    """Write extrinsics.json, camera.yaml (OpenCV), static_transform_publisher.txt (ROS 2; both
    where a camera was found) and overlays.jpg.

    Raises:
        OutputError: the folder cannot be written.
    """
    found = camera.found
    texts = {"extrinsics.json": json.dumps(camera.to_json(), allow_nan=False) + "\n"}
    if found.T_cam_base is not None and found.T_base_cam is not None:
        size = camera.recording.image_size
        texts["camera.yaml"] = opencv_yaml(found.K, size, found.T_cam_base)
        line = static_transform_publisher(found.T_base_cam, robot.link_names[0], "camera_optical")
        texts["static_transform_publisher.txt"] = line + "\n"
    for name, text in texts.items():
        with atomic_write(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    with atomic_write(folder / "overlays.jpg") as path:
        Image.fromarray(overlay_sheet(camera, robot)).save(path, quality=88)


def overlay_sheet(camera: RecordedCamera, robot: Robot) -> Pixels:
    """RGB: frames all over the recording with the arm's outline as log and camera have it."""
    recording, indices, found = camera.recording, camera.indices, camera.found
    chosen = spread(len(indices), SHEET_FRAMES)
    shown = [indices[i] for i in chosen]
    pictures = []
    for i, frame, q in zip(chosen, recording.frames(shown), camera.joint_positions(shown),
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
