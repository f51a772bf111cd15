"""Open a labelled data set, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from armsight.data.frame import IMAGE_SUFFIXES, Dataset, Frame, image_size
from armsight.data.joint_folder import is_joint_folder, read_joint_folder
from armsight.data.ndds import is_ndds, read_ndds
from armsight.errors import DatasetError
from armsight.robots import Robot, load_robot

LAYOUTS = (
    "DREAM/NDDS (000000.json, 000000.rgb.jpg, _camera_settings.json)",
    "joint angles (color/NAME.png, qpos/NAME.txt, K.txt)",
)


def open_dataset(
    path: str | Path,
    robot: str | Robot = "panda",
    *,
    units: str | None = None,
    limit: int | None = None,
    allow_other_robots: bool = False,
) -> Dataset:
    """Read a labelled data set; its layout is recognised by its files.

    Args:
        robot: the robot that the labels are about.
        units: 'm' or 'cm' of 3D labels, where neither the data set nor its joint angles tell.
        limit: read only the first so many frames.
        allow_other_robots: frames of other robots count as frames without this one.

    Raises:
        DatasetError: no known layout, or a file is missing, broken or contradicts another.
        UnknownRobotError: there is no such robot.
    """
    folder = _folder(path)
    if limit is not None and limit < 1:
        raise DatasetError(f"limit is {limit}; at least one frame is needed")
    known = load_robot(robot) if isinstance(robot, str) else robot
    if is_joint_folder(folder):
        return read_joint_folder(folder, known, limit=limit)
    if is_ndds(folder):
        return read_ndds(
            folder, known, units=units, limit=limit, allow_other_robots=allow_other_robots
        )
    raise DatasetError(
        f"{folder} has no layout that armsight knows. Known: {'; '.join(LAYOUTS)}. "
        "Is it one folder too high?"
    )


def open_pictures(
    path: str | Path, robot: str | Robot = "panda", *, limit: int | None = None
) -> Dataset:
    """All pictures below a folder, known to show no robot of this kind.

    Raises:
        DatasetError: there are none.
        UnknownRobotError: there is no such robot.
    """
    folder = _folder(path)
    known = load_robot(robot) if isinstance(robot, str) else robot
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DatasetError(f"{folder} has no pictures ({', '.join(IMAGE_SUFFIXES)})")
    frames = tuple(
        Frame(str(file.relative_to(folder)), file, image_size(file), robot_in_view=False)
        for file in files[:limit]
    )
    return Dataset(folder, "images", known, frames)


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DatasetError(f"data set {folder} {problem}; give the folder that holds it")
    return folder
