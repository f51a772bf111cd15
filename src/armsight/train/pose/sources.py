"""Training data of any layout as one table of rows: rendered shards, DREAM folders, or a mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import Box, box_around, cut, whole_frame
from armsight.data.dataset import open_dataset
from armsight.data.frame import Frame
from armsight.errors import DatasetError
from armsight.geometry import crop_intrinsics, project, transform_points
from armsight.robots import Robot, load_robot
from armsight.train.pose.shards import LABELS, MIN_VISIBLE, ShardTable

Image = NDArray[np.uint8]

CROP_SIZE = 256
"""Side [px] of the crops that whole frames are cut into, as rendered shards have it."""
CROP_MARGIN = 1.4


class Table(Protocol):
    """Rows with labels in memory and pictures read when asked for."""

    labels: dict[str, NDArray[Any]]

    def __len__(self) -> int: ...

    def picture(self, row: int) -> tuple[Image, Image]:
        """Image (S, S, 3) RGB and robot mask (S, S) of one row."""
        ...


class FrameTable:
    """Labelled whole frames (a DREAM folder), each cut to a square around the arm."""

    def __init__(self, folder: Path, robot: Robot) -> None:
        """Read the labels.

        Raises:
            DatasetError: the folder cannot be read, or no frame has joint angles, intrinsics and
                a camera pose.
        """
        frames = open_dataset(folder, robot, allow_other_robots=True).frames
        self._frames: list[tuple[Frame, Box]] = []
        rows: list[dict[str, Any]] = []
        for frame in frames:
            row = _labels(frame, robot)
            if row is not None:
                self._frames.append((frame, row.pop("box")))
                rows.append(row)
        if not rows:
            raise DatasetError(
                f"{folder} has no frame to train on: each needs joint angles, intrinsics, a camera "
                f"pose or 3D keypoints, and {MIN_VISIBLE} keypoints in the picture"
            )
        self.labels = {name: np.stack([row[name] for row in rows]) for name in LABELS}

    def __len__(self) -> int:
        return len(self._frames)

    def picture(self, row: int) -> tuple[Image, Image]:
        frame, box = self._frames[row]
        image = cut(frame.load_image(), box, CROP_SIZE)
        return image, np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)


class MixedTable:
    """Several tables, one after the other."""

    def __init__(self, tables: list[Table]) -> None:
        self._tables = tables
        self._ends = np.cumsum([len(table) for table in tables])
        self.labels = {
            name: np.concatenate([table.labels[name] for table in tables]) for name in LABELS
        }

    def __len__(self) -> int:
        return int(self._ends[-1])

    def picture(self, row: int) -> tuple[Image, Image]:
        which = int(np.searchsorted(self._ends, row, side="right"))
        start = int(self._ends[which - 1]) if which else 0
        return self._tables[which].picture(row - start)


def open_table(folders: tuple[str, ...], robot_name: str) -> Table:
    """All rows of all folders; those without shards are read as whole labelled frames.

    Raises:
        DatasetError: a folder cannot be read.
    """
    robot = load_robot(robot_name)
    shards: list[Path] = []
    frames: list[Path] = []
    for folder in map(Path, folders):
        labelled = any(folder.glob("[0-9]*.json")) or (folder / "_camera_settings.json").exists()
        (frames if labelled else shards).append(folder)
    tables: list[Table] = [FrameTable(folder, robot) for folder in frames]
    if shards:
        tables.append(ShardTable(shards, robot))
    return tables[0] if len(tables) == 1 else MixedTable(tables)


def _labels(frame: Frame, robot: Robot) -> dict[str, Any] | None:
    """One row of labels and the box of its crop; None where something needed is unknown."""
    count = len(robot.keypoint_names)
    size = np.array(frame.image_size)
    if not frame.robot_in_view:
        box = whole_frame(*frame.image_size)
        zeros = np.zeros((count, 2), np.float32)
        row = {
            "joint_positions": np.zeros(len(robot.joint_names), np.float32),
            "keypoints_2d": zeros,
            "keypoints_3d_cam": np.zeros((count, 3), np.float32),
            "keypoints_visible": zeros[:, 0].astype(np.uint8),
            "K": np.eye(3) if frame.K is None else crop_intrinsics(frame.K, box, CROP_SIZE),
        }
        return {**row, **_common(box, size, robot_found=0)}
    if frame.joint_positions is None or frame.T_cam_base is None or frame.K is None:
        return None
    points = transform_points(frame.T_cam_base, robot.keypoints(frame.joint_positions))
    pixels = project(points, frame.K)
    inside = np.all((pixels > -0.5) & (pixels < size - 0.5), axis=-1)
    if inside.sum() < MIN_VISIBLE:
        return None
    box = box_around(pixels[inside], CROP_MARGIN)
    K = crop_intrinsics(frame.K, box, CROP_SIZE)
    row = {
        "joint_positions": frame.joint_positions,
        # Behind the camera there is no picture of a point: far out of the crop is as good.
        "keypoints_2d": np.nan_to_num(project(points, K), nan=-1e4),
        "keypoints_3d_cam": points,
        "keypoints_visible": inside.astype(np.uint8),
        "K": K,
    }
    return {**row, **_common(box, size, robot_found=1)}


def _common(box: Box, size: NDArray[Any], robot_found: int) -> dict[str, Any]:
    scale = CROP_SIZE / (box[2] - box[0])
    corner = np.array(box[:2])
    low = (np.full(2, -0.5) - corner) * scale - 0.5
    high = (size - 0.5 - corner) * scale - 0.5
    return {
        "box": box,
        "frame_rect": np.concatenate([low, high]).astype(np.float32),
        "robot_found": np.uint8(robot_found),
        "composited": np.uint8(0),
    }
