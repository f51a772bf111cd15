"""Rendered shards as one long table of rows, read by memory map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError
from armsight.robots import Robot

LABELS = (
    "joint_positions",
    "K",
    "keypoints_2d",
    "keypoints_3d_cam",
    "keypoints_visible",
    "frame_rect",
    "robot_found",
    "composited",
)

MIN_VISIBLE = 4
"""Rows whose robot shows fewer keypoints are left out."""


class ShardTable:
    """Rows of all shards in some folders. Labels are held in memory, pictures stay on disk."""

    def __init__(self, folders: list[Path], robot: Robot) -> None:
        """Open the folders.

        Raises:
            DatasetError: a folder holds no shards, or those of another robot or format.
        """
        from safetensors import safe_open

        self._files: list[Any] = []
        columns: dict[str, list[NDArray[Any]]] = {name: [] for name in LABELS}
        where: list[NDArray[np.int64]] = []
        for folder in folders:
            check_index(folder, robot)
            for path in sorted(folder.glob("shard-*.safetensors")):
                file: Any = safe_open(str(path), framework="numpy")
                for name in LABELS:
                    columns[name].append(file.get_tensor(name))
                rows = len(columns["robot_found"][-1])
                where.append(np.stack([np.full(rows, len(self._files)), np.arange(rows)], 1))
                self._files.append((file.get_slice("images"), file.get_slice("masks"), file))
        labels = {name: np.concatenate(parts) for name, parts in columns.items()}
        # Where a robot is there but hidden, no answer would be right: such rows teach nothing.
        visible = (labels["keypoints_visible"] > 0).sum(1)
        kept = (labels["robot_found"] == 0) | (visible >= MIN_VISIBLE)
        self._where = np.concatenate(where)[kept]
        self.labels = {name: values[kept] for name, values in labels.items()}

    def __len__(self) -> int:
        return len(self._where)

    def picture(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (S, S, 3) RGB and robot mask (S, S) of one row."""
        file, i = self._where[row]
        images, masks, _ = self._files[file]
        return images[i : i + 1][0], masks[i : i + 1][0]


def check_index(folder: Path, robot: Robot) -> None:
    """See that a folder holds finished shards of this robot with the keypoints it has now.

    Raises:
        DatasetError: it does not; the message says what to do.
    """
    index = _index(folder, robot.name)
    if tuple(index.get("keypoint_names", ())) != robot.keypoint_names:
        raise DatasetError(
            f"{folder} was rendered for robot {index.get('robot')!r} with other keypoints than "
            f"{robot.name!r} has now; render it again"
        )
    if not any(folder.glob("shard-*.safetensors")):
        raise DatasetError(f"{folder} has no finished shard yet; wait for `armsight render`")


def robot_of(folder: Path) -> str:
    """The name of the robot that a folder of shards shows.

    Raises:
        DatasetError: the folder holds no shards.
    """
    return str(_index(folder, "NAME").get("robot"))


def _index(folder: Path, robot: str) -> dict[str, Any]:
    path = folder / "dataset.json"
    try:
        index: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{folder} holds no training shards ({error}); make some with "
            f"`armsight render --robot {robot} --count N --seed S --out {folder}`"
        ) from error
    if index.get("format") != "armsight-shards/1":
        raise DatasetError(f"{path} has format {index.get('format')!r}, not 'armsight-shards/1'")
    return index
