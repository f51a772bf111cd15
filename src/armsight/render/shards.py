"""Training shards: safetensors files of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import MissingExtraError
from armsight.files import atomic_write
from armsight.render.frame import RenderedFrame

FORMAT = "armsight-shards/1"
ROWS = 256


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{shard:05d}.safetensors"


def write_shard(path: Path, frames: Sequence[RenderedFrame], num_keypoints: int) -> None:
    """Write N frames of S x S pixels as one safetensors file.

    Tensors: `images` (N, S, S, 3) and `masks` (N, S, S) uint8; `joint_positions` (N, J) [rad],
    `K` (N, 3, 3) [px], `T_cam_base` (N, 4, 4), `keypoints_2d` (N, Kp, 2) [px],
    `keypoints_3d_cam` (N, Kp, 3) [m], `frame_rect` (N, 4) [px] float32; `keypoints_visible`
    (N, Kp), `robot_found` (N,), `composited` (N,) uint8. Labels of rows without the robot are 0.

    Raises:
        MissingExtraError: safetensors is not installed.
        OutputError: the file cannot be written.
    """
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise MissingExtraError(
            "Writing shards", "safetensors", "pip install 'armsight[render]'"
        ) from error
    rows = [_row(frame, num_keypoints) for frame in frames]
    tensors = {
        name: np.ascontiguousarray(np.stack([row[name] for row in rows])) for name in rows[0]
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary)


def _row(frame: RenderedFrame, num_keypoints: int) -> dict[str, NDArray[Any]]:
    found = frame.robot_found
    points = {
        "keypoints_2d": (frame.keypoints_2d, 2, np.float32),
        "keypoints_3d_cam": (frame.keypoints_3d_cam, 3, np.float32),
    }
    row: dict[str, NDArray[Any]] = {
        name: np.asarray(values if found else np.zeros((num_keypoints, width)), dtype)
        for name, (values, width, dtype) in points.items()
    }
    visible = frame.keypoints_visible if found else np.zeros(num_keypoints)
    return row | {
        "images": frame.image,
        "masks": frame.mask,
        "joint_positions": frame.joint_positions.astype(np.float32),
        "K": frame.K.astype(np.float32),
        "T_cam_base": frame.T_cam_base.astype(np.float32),
        "frame_rect": frame.frame_rect.astype(np.float32),
        "keypoints_visible": visible.astype(np.uint8),
        "robot_found": np.uint8(found) * np.ones((), np.uint8),
        "composited": np.uint8(frame.composited) * np.ones((), np.uint8),
    }
