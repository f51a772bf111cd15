"""Training shards: safetensors files of frames, and a dataset.json that describes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from armsight.files import atomic_write
from armsight.render.frame import Frame

FORMAT = "armsight-shards/1"
ROWS = 256


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{shard:05d}.safetensors"


def write_shard(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as one safetensors file (shapes: see docs/conventions.md)."""
    from safetensors.numpy import save_file

    f32 = {"joint_positions", "K", "T_cam_base", "keypoints_2d", "keypoints_3d_cam", "frame_rect"}
    names = {"image": "images", "mask": "masks"}
    columns = [*names, *f32, "keypoints_visible", "robot_found", "composited"]
    tensors = {
        names.get(column, column): np.stack([getattr(frame, column) for frame in frames]).astype(
            np.float32 if column in f32 else np.uint8
        )
        for column in columns
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary)


def write_index(folder: Path, settings: dict[str, Any]) -> None:
    """Write dataset.json."""
    with atomic_write(folder / "dataset.json") as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n")
