"""Reader of folders with pictures and joint angles: `color/*.png`, `qpos/*.txt`, `K.txt`.

Real recordings often have just that: the robot's encoders and a camera of unknown pose. Joint
errors can be scored on them, ADD cannot.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import IMAGE_SUFFIXES, Dataset, Frame, image_size, read_text
from armsight.errors import DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

LIMIT_TOLERANCE = 0.1
"""By how much [rad] a recorded angle may exceed the robot's joint limits"""


def is_joint_folder(folder: Path) -> bool:
    """Whether `folder` has pictures in `color/` and joint angles in `qpos/`."""
    return (folder / "color").is_dir() and (folder / "qpos").is_dir()


def read_joint_folder(folder: Path, robot: Robot, *, limit: int | None = None) -> Dataset:
    """Read pictures with joint angles [rad].

    Each `qpos/NAME.txt` belongs to `color/NAME.png` (or .jpg, ...) and starts with the robot's
    joints in order; further values (fingers) are ignored. `K.txt` (3x3, [px]) and robot masks
    `mask/NAME.png` may be absent.

    Raises:
        DatasetError: a picture has no angles or the other way round, there are too few angles, or
            they are beyond the joint limits.
    """
    pictures = {
        path.stem: path
        for path in sorted((folder / "color").iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    }
    angles = {path.stem: path for path in (folder / "qpos").glob("*.txt")}
    for name in sorted(pictures.keys() ^ angles.keys()):
        has, lacks = ("picture", "qpos") if name in pictures else ("angles file", "color")
        raise DatasetError(
            f"{folder}: {has} {name!r} has no partner in {lacks}/. Add it, or remove the {has}."
        )
    if not pictures:
        raise DatasetError(f"{folder} has no pictures in color/ ({', '.join(IMAGE_SUFFIXES)})")
    K = _read_intrinsics(folder / "K.txt") if (folder / "K.txt").is_file() else None
    masks = {path.stem: path for path in (folder / "mask").glob("*.png")}
    frames = [
        Frame(
            name=name,
            image_path=path,
            image_size=image_size(path),
            K=K,
            joint_positions=_read_angles(angles[name], robot),
            mask_path=masks.get(name),
        )
        for name, path in list(pictures.items())[:limit]
    ]
    notes = () if K is not None else ("no K.txt: intrinsics are unknown",)
    return Dataset(folder, "joint-folder", robot, tuple(frames), notes)


def _read_angles(path: Path, robot: Robot) -> Array:
    try:
        values = np.array(read_text(path).replace(",", " ").split(), dtype=float)
    except ValueError as error:
        raise DatasetError(f"{path} does not hold numbers ({error})") from error
    num_joints = len(robot.joint_names)
    if len(values) < num_joints:
        raise DatasetError(
            f"{path} holds {len(values)} values, but {robot.name} has {num_joints} joints: "
            f"{', '.join(robot.joint_names)}. Is it another robot (--robot)?"
        )
    q: Array = values[:num_joints]
    low, high = robot.joint_limits.T
    beyond = ~((q >= low - LIMIT_TOLERANCE) & (q <= high + LIMIT_TOLERANCE))
    if beyond.any():
        j = int(np.flatnonzero(beyond)[0])
        raise DatasetError(
            f"{path}: {robot.joint_names[j]} is {q[j]:g} rad, beyond its limits "
            f"[{low[j]:.3f}, {high[j]:.3f}]. Angles must be in radians, in the order "
            f"{', '.join(robot.joint_names)}; for another robot pass --robot."
        )
    return q


def _read_intrinsics(path: Path) -> Array:
    try:
        K = np.array(read_text(path).replace(",", " ").split(), dtype=float).reshape(3, 3)
    except ValueError as error:
        raise DatasetError(f"{path} does not hold a 3x3 matrix ({error})") from error
    if not (np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0 and (K[2] == [0, 0, 1]).all()):
        raise DatasetError(
            f"{path} is not a camera matrix [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels: "
            f"{K.tolist()}"
        )
    return K
