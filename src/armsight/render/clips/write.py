"""Clips as files: folders of photos with joint angles, or episodes of a LeRobot data set.

A folder of photos has `color/NNNNNN.jpg`, `qpos/NNNNNN.txt` (the logged joints [rad]), `K.txt`
(3x3, [px]) and `truth.json`. A data set has the logged joints in `observation.state`, the pictures
in `observation.images.camera`, and the truth as text in each episode's record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from armsight.data.lerobot import LeRobotWriter
from armsight.files import atomic_write
from armsight.render.clips.clip import Clip
from armsight.robots import Robot

CAMERA = "observation.images.camera"
STATE = "observation.state"
JPEG_QUALITY = 95


def truth(clip: Clip, seed: int) -> dict[str, Any]:
    """What is known of a clip, as JSON has it: metres, radians, pixels."""
    moved = clip.faults.camera_moved_at
    cameras = {"T_cam_base": clip.T_cam_base[0].tolist()}
    if moved is not None:
        cameras["T_cam_base_after"] = clip.T_cam_base[moved].tolist()
    return {
        "seed": seed,
        "K": clip.K.tolist(),
        **cameras,
        "times": None if clip.times is None else clip.times.tolist(),
        "joint_positions": clip.joint_positions.tolist(),
        "faults": asdict(clip.faults),
    }


def write_photos(folder: Path, clip: Clip, seed: int) -> None:
    """Write one clip as a folder of photos; `truth.json` comes last, when all is there.

    Raises:
        OutputError: a file cannot be written.
    """
    for i, (image, positions) in enumerate(zip(clip.images, clip.log, strict=True)):
        bgr = np.ascontiguousarray(image[..., ::-1])
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        with atomic_write(folder / "color" / f"{i:06d}.jpg") as temporary:
            temporary.write_bytes(data.tobytes())
        _write_numbers(folder / "qpos" / f"{i:06d}.txt", positions)
    _write_numbers(folder / "K.txt", clip.K)
    with atomic_write(folder / "truth.json") as temporary:
        temporary.write_text(json.dumps(truth(clip, seed)) + "\n")


def write_episodes(
    folder: Path, robot: Robot, clips: Iterable[tuple[int, Clip]], fps: float, size: tuple[int, int]
) -> None:
    """Add clips, as (seed, clip), to a LeRobot v3 data set.

    Args:
        size: width, height of the pictures [px].

    Raises:
        OutputError: a file cannot be written.
        DatasetError: the folder holds another data set.
    """
    width, height = size
    features: dict[str, dict[str, Any]] = {
        STATE: {"dtype": "float32", "shape": [len(robot.joint_names)],
                "names": list(robot.joint_names)},
        CAMERA: {"dtype": "video", "shape": [height, width, 3], "names": None},
    }  # fmt: skip
    writer = LeRobotWriter(folder, fps=fps, robot_type=robot.name, features=features)
    for seed, clip in clips:
        known: dict[str, int | str] = {"seed": seed, "truth": json.dumps(truth(clip, seed))}
        writer.add_episode(
            {STATE: clip.log.astype(np.float32)}, {CAMERA: clip.images}, "move about", known
        )
    writer.close()


def _write_numbers(path: Path, values: Any) -> None:
    with atomic_write(path) as temporary:
        np.savetxt(temporary, values, fmt="%.9g")
