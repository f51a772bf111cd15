"""Reader of DREAM's NDDS folders: `000000.json` + `000000.rgb.jpg` + `_camera_settings.json`.

Also reads what `armsight render` writes in that format: intrinsics for each frame, surface
keypoints, visibility, and a `dataset.json` that states the unit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import IMAGE_SUFFIXES, Dataset, Frame
from armsight.data.ndds_labels import FrameLabels, intrinsics_matrix, read_json, read_labels
from armsight.data.truth import (
    FIT_TOLERANCE_M,
    RENDERED_TOLERANCE_M,
    UNITS,
    camera_from_keypoints,
    decide_units,
)
from armsight.errors import DatasetError
from armsight.geometry import project
from armsight.robots import Robot

Array = NDArray[np.floating]

CAMERA_FILE = "_camera_settings.json"
DATASET_FILE = "dataset.json"


def is_ndds(folder: Path) -> bool:
    """Whether `folder` looks like an NDDS folder: camera settings, or numbered label files."""
    return (folder / CAMERA_FILE).is_file() or any(
        path.stem.isdigit() for path in folder.glob("*.json")
    )


def read_ndds(
    folder: Path,
    robot: Robot,
    *,
    units: str | None = None,
    limit: int | None = None,
    allow_other_robots: bool = False,
) -> Dataset:
    """Read an NDDS folder.

    Args:
        units: 'm' or 'cm', if known; else told by dataset.json or by the kinematics.
        limit: read only the first so many frames.
        allow_other_robots: a frame that shows another robot counts as one without this robot,
            instead of as an error.

    Raises:
        DatasetError: a file is missing, truncated, about another robot, or contradicts another.
    """
    settings = read_json(folder / DATASET_FILE) if (folder / DATASET_FILE).is_file() else {}
    K = _folder_intrinsics(folder)
    expected = settings.get("count")
    count = sum(path.stem.isdigit() for path in folder.glob("*.json"))
    if isinstance(expected, int) and count < expected:
        raise DatasetError(
            f"{folder} has {count} frames, but its {DATASET_FILE} promises {expected}: it is "
            "unfinished. Run the command that makes it again; it goes on where it stopped."
        )
    files = _label_files(folder)
    labels = [
        read_labels(file, picture, robot, K, allow_other_robots)
        for file, picture in files[: len(files) if limit is None else limit]
    ]
    located = [label.keypoints for label in labels if label.keypoints is not None]
    notes: list[str] = []
    scale = 1.0
    if located:
        unit, reason = decide_units(robot, located, units or settings.get("units"))
        scale = UNITS[unit]
        notes.append(f"locations read as {unit}: {reason}")
    rendered = str(settings.get("format", "")).startswith("armsight-ndds")
    tolerance = RENDERED_TOLERANCE_M if rendered else FIT_TOLERANCE_M
    frames = tuple(_with_geometry(label, robot, scale, tolerance) for label in labels)
    return Dataset(folder, "ndds", robot, frames, tuple(notes))


def _label_files(folder: Path) -> list[tuple[Path, Path]]:
    """Label files and their pictures, in order of name."""
    names = {path.name for path in folder.iterdir()}
    pairs: list[tuple[Path, Path]] = []
    for name in sorted(names):
        stem = name.removesuffix(".json")
        if stem == name or name.startswith(("_", ".")) or name == DATASET_FILE:
            continue
        candidates = [stem + infix + suffix for infix in (".rgb", "") for suffix in IMAGE_SUFFIXES]
        picture = next((candidate for candidate in candidates if candidate in names), None)
        if picture is not None:
            pairs.append((folder / name, folder / picture))
        elif stem.isdigit():
            raise DatasetError(
                f"{folder / name} has no picture beside it (looked for {stem}.rgb.jpg, "
                f"{stem}.rgb.png, {stem}.jpg, ...). Copy the picture, or remove the label file."
            )
    labelled = {picture.name for _, picture in pairs}
    for name in sorted(names):
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and Path(name).stem.endswith(".rgb"):
            if name in labelled or name.startswith("."):
                continue
            raise DatasetError(
                f"{folder / name} has no labels beside it ({name.split('.')[0]}.json). Copy "
                "the label file, or remove the picture."
            )
    if not pairs:
        raise DatasetError(
            f"{folder} has no frames: expected NNNNNN.json with NNNNNN.rgb.jpg or .png beside it"
        )
    return pairs


def _with_geometry(label: FrameLabels, robot: Robot, scale: float, tolerance: float) -> Frame:
    """The frame with its 3D labels in metres, the camera pose, and both checked."""
    frame, keypoints = label.frame, label.keypoints
    if keypoints is None:
        return frame
    points = scale * keypoints.locations
    T_cam_base = camera_from_keypoints(robot, keypoints, points, tolerance)
    if T_cam_base is None:
        T_cam_base = frame.T_cam_base
    elif frame.T_cam_base is not None and np.abs(T_cam_base - frame.T_cam_base).max() > tolerance:
        raise DatasetError(
            f"{keypoints.source}: its T_cam_base does not put the robot on its keypoints. It must "
            "be 4x4 with T_cam_base @ p_base = p_cam, in metres, OpenCV camera axes."
        )
    if frame.K is not None and frame.keypoints_2d is not None:
        # 2 % of the picture: a lens that was not undistorted passes, another camera does not. Far
        # outside of the picture a lens bends by any amount.
        error = np.linalg.norm(project(points, frame.K) - frame.keypoints_2d, axis=-1)
        size = np.array(frame.image_size)
        inside = ((frame.keypoints_2d >= 0) & (frame.keypoints_2d < size)).all(axis=-1)
        inside &= np.isfinite(error)
        median = float(np.median(error[inside])) if inside.any() else 0.0
        if median > 0.02 * frame.image_size[0]:
            raise DatasetError(
                f"{keypoints.source}: its 3D keypoints do not project onto its 2D keypoints "
                f"(median distance {median:.0f} px). The intrinsics in {CAMERA_FILE} belong to "
                "another camera, or to another picture size."
            )
    return replace(frame, keypoints_3d_cam=points, T_cam_base=T_cam_base)


def _folder_intrinsics(folder: Path) -> Array | None:
    path = folder / CAMERA_FILE
    if not path.is_file():
        return None
    data = read_json(path)
    try:
        return intrinsics_matrix(data["camera_settings"][0]["intrinsic_settings"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{path} has no intrinsics ({error!r}); expected camera_settings[0]"
            ".intrinsic_settings with fx, fy, cx, cy [px]"
        ) from error
