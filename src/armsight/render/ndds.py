"""DREAM's NDDS layout: a picture and a label file for each frame, settings for the folder.

Beyond DREAM's keys: each label file has `camera_intrinsics` (cameras differ from frame to frame,
while `_camera_settings.json` has one camera for the folder), `surface_keypoints` beside DREAM's
`keypoints`, `visible` for each keypoint (0 hidden, 1 visible, 2 behind the arm itself) and
`T_cam_base`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from armsight.files import atomic_write
from armsight.render.frame import RenderedFrame
from armsight.robots import Robot

FORMAT = "armsight-ndds/1"
JPEG_QUALITY = 95


def label_path(folder: Path, index: int) -> Path:
    """Where the labels of a frame lie; its picture is beside it."""
    return folder / f"{index:06d}.json"


def write_frame(folder: Path, index: int, frame: RenderedFrame, robot: Robot) -> None:
    """Write `NNNNNN.rgb.jpg`, then `NNNNNN.json`: a frame with labels is a whole frame.

    Raises:
        OutputError: a file cannot be written.
    """
    bgr = np.ascontiguousarray(frame.image[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with atomic_write(folder / f"{index:06d}.rgb.jpg") as temporary:
        temporary.write_bytes(data.tobytes())
    with atomic_write(label_path(folder, index)) as temporary:
        temporary.write_text(json.dumps(labels(frame, robot)) + "\n")


def labels(frame: RenderedFrame, robot: Robot) -> dict[str, Any]:
    """The label file's content; metres, radians, pixels whose centres are whole numbers."""
    K = frame.K
    intrinsics = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    content: dict[str, Any] = {
        "camera_data": {"width": frame.image.shape[1], "height": frame.image.shape[0]},
        "camera_intrinsics": {name: float(value) for name, value in intrinsics.items()},
        "objects": [],
        "sim_state": {"joints": []},
    }
    if frame.other_arm:
        names = [f"{frame.other_arm}_origin{i}" for i in range(len(frame.keypoints_2d))]
        points = _keypoints(frame, names)
        content["objects"] = [{"class": frame.other_arm, "visibility": 1, "keypoints": points}]
    elif frame.robot_found:
        points, origins = _keypoints(frame, robot.keypoint_names), robot.num_origin_keypoints
        content["objects"] = [
            {
                "class": robot.name,
                "visibility": 1,
                "location": points[0]["location"],
                "keypoints": points[:origins],
                "surface_keypoints": points[origins:],
                "T_cam_base": frame.T_cam_base.tolist(),
            }
        ]
        gripper = robot.simulation.get("gripper_joints", [])
        positions = [*frame.joint_positions, *frame.finger_positions]
        content["sim_state"]["joints"] = [
            {"name": name, "position": float(position), "velocity": 0.0}
            for name, position in zip([*robot.joint_names, *gripper], positions, strict=True)
        ]
    return content


def write_settings(folder: Path, robot: Robot, size: tuple[int, int], K: Any) -> None:
    """Write `_camera_settings.json` and `_object_settings.json`.

    Args:
        K: (3, 3) [px] of the folder's camera; the label files have the frames' own.
    """
    width, height = size
    resolution = {"width": width, "height": height}
    camera = {
        "id": "", "name": "camera", "captured_image_size": resolution,
        "intrinsic_settings": {"fx": K[0][0], "fy": K[1][1], "cx": K[0][2], "cy": K[1][2],
                               "s": 0.0, "hfov": "", "resolution": resolution},
    }  # fmt: skip
    names = list(robot.keypoint_names)
    described = {"class": robot.name, "keypoints": names[: robot.num_origin_keypoints]}
    contents = {
        "_camera_settings.json": {"camera_settings": [camera]},
        "_object_settings.json": {
            "exported_object_classes": [robot.name], "exported_objects": [described],
        },
    }  # fmt: skip
    for name, content in contents.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")


def _keypoints(frame: RenderedFrame, names: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "location": frame.keypoints_3d_cam[i].tolist(),
            "projected_location": frame.keypoints_2d[i].tolist(),
            "visible": int(frame.keypoints_visible[i]),
        }
        for i, name in enumerate(names)
    ]
