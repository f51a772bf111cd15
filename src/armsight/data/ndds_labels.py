"""One label file of DREAM's NDDS format: which robot, where its keypoints and joints are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import Frame, image_size, read_text
from armsight.data.truth import KeypointLabels
from armsight.errors import DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

SURFACE_KEY = "surface_keypoints"
"""Where our renderer puts the keypoints that DREAM does not have"""


@dataclass(frozen=True)
class FrameLabels:
    """One label file, checked, in its own unit."""

    frame: Frame
    keypoints: KeypointLabels | None


def read_labels(
    file: Path, picture: Path, robot: Robot, folder_K: Array | None, allow_other_robots: bool
) -> FrameLabels:
    """Read and check `file`, the labels of `picture`.

    Args:
        folder_K: (3, 3) [px], used where the file has no intrinsics of its own.
        allow_other_robots: another robot counts as no robot, instead of as an error.

    Raises:
        DatasetError: the file is truncated, about another robot, or lacks something.
    """
    data = read_json(file)
    try:
        intrinsics = data.get("camera_intrinsics")
        K = folder_K if intrinsics is None else intrinsics_matrix(intrinsics)
        objects = data["objects"]
        mine = [entry for entry in objects if _is_robot(entry, robot)]
        other = [entry for entry in objects if entry.get("keypoints") and entry not in mine]
        size = image_size(picture)
        if not mine:
            if other and not allow_other_robots:
                raise _wrong_robot(file, other[0], robot)
            name = str(other[0].get("class")) if other else None
            frame = Frame(file.stem, picture, size, K, robot_in_view=False, other_robot=name)
            return FrameLabels(frame, None)
        if len(mine) > 1:
            raise DatasetError(
                f"{file} shows {len(mine)} robots of class {robot.name}; only one can be scored. "
                "Remove the frame."
            )
        joint_positions = _joint_positions(file, data, robot)
        entries = _keypoint_entries(file, mine[0], robot)
        names = tuple(entries)
        pixels = np.array([entry["projected_location"] for entry in entries.values()], dtype=float)
        visible = [entry.get("visible") for entry in entries.values()]
        frame = Frame(
            name=file.stem,
            image_path=picture,
            image_size=size,
            K=K,
            joint_positions=joint_positions,
            keypoint_names=names,
            keypoints_2d=pixels.reshape(-1, 2),
            T_cam_base=_given_pose(mine[0]),
            keypoints_visible=None if None in visible else np.array(visible, dtype=np.uint8),
        )
        locations = [entry.get("location") for entry in entries.values()]
        if any(location is None for location in locations):
            return FrameLabels(frame, None)
        indices = np.array([robot.keypoint_names.index(name) for name in names])
        points = np.array(locations, dtype=float).reshape(-1, 3)
        return FrameLabels(frame, KeypointLabels(str(file), indices, points, joint_positions))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{file} is not a label file of DREAM's NDDS format ({error!r}); expected 'objects' "
            "with 'keypoints' that have 'name', 'location' and 'projected_location', and "
            "'sim_state' with 'joints'. Copy it again, or remove the frame."
        ) from error


def _given_pose(entry: dict[str, Any]) -> Array | None:
    """`T_cam_base` (4, 4) where the labels have it: ours do, DREAM's do not."""
    if entry.get("T_cam_base") is None:
        return None
    return np.array(entry["T_cam_base"], dtype=float).reshape(4, 4)


def _is_robot(entry: dict[str, Any], robot: Robot) -> bool:
    if str(entry.get("class", "")).lower() == robot.name.lower():
        return True
    origins = set(robot.keypoint_names[: robot.num_origin_keypoints])
    return origins <= {_short(keypoint["name"]) for keypoint in entry.get("keypoints", ())}


def _wrong_robot(file: Path, entry: dict[str, Any], robot: Robot) -> DatasetError:
    names = ", ".join(_short(keypoint["name"]) for keypoint in entry["keypoints"][:4])
    return DatasetError(
        f"{file} shows {entry.get('class')!r} (keypoints {names}, ...), not {robot.name!r}. Pass "
        "the right robot with --robot."
    )


def _keypoint_entries(file: Path, entry: dict[str, Any], robot: Robot) -> dict[str, dict[str, Any]]:
    """Entries of the robot's keypoints by name, in the robot's order; all origins are there."""
    given = {_short(keypoint["name"]): keypoint for keypoint in entry["keypoints"]}
    surface = {_short(keypoint["name"]): keypoint for keypoint in entry.get(SURFACE_KEY, ())}
    origins = robot.keypoint_names[: robot.num_origin_keypoints]
    missing = [name for name in origins if name not in given]
    if missing:
        unknown = [name for name in given if name not in robot.keypoint_names]
        hints = [
            f"{name!r} (did you mean {match[0]!r}?)" if match else repr(name)
            for name in unknown
            for match in [get_close_matches(name, missing, 1)]
        ]
        raise DatasetError(
            f"{file}: keypoints of {robot.name} are missing: {', '.join(missing)}"
            + (f"; unknown names there: {', '.join(hints)}" if hints else "")
            + ". Rename them to the robot's, or pass another robot with --robot."
        )
    strangers = [name for name in surface if name not in robot.keypoint_names]
    if strangers:
        raise DatasetError(
            f"{file}: unknown keypoints of {robot.name}: {', '.join(strangers[:4])}. The set was "
            "rendered from another version of the robot's data file: render it again."
        )
    # Links that are not keypoints of ours (DREAM's fingers, link 5, ...) are left out.
    both = given | surface
    return {name: both[name] for name in robot.keypoint_names if name in both}


def _joint_positions(file: Path, data: dict[str, Any], robot: Robot) -> Array | None:
    joints = data.get("sim_state", {}).get("joints", ())
    given = {_short(joint["name"]): joint["position"] for joint in joints}
    missing = [name for name in robot.joint_names if name not in given]
    if len(missing) == len(robot.joint_names):
        return None
    if missing:
        raise DatasetError(
            f"{file}: joints of {robot.name} are missing: {', '.join(missing)}; given are "
            f"{', '.join(given)}. Add them, or pass another robot with --robot."
        )
    return np.array([given[name] for name in robot.joint_names], dtype=float)


def _short(name: str) -> str:
    """Simulators put a namespace before names: '/panda/panda_joint1'."""
    return name.rsplit("/", 1)[-1]


def intrinsics_matrix(values: dict[str, Any]) -> Array:
    """`K` (3, 3) [px] of NDDS' intrinsic settings; ValueError where they make no sense."""
    fx, fy, cx, cy = (float(values[name]) for name in ("fx", "fy", "cx", "cy"))
    if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
        raise ValueError(f"impossible intrinsics fx={fx}, fy={fy}, cx={cx}, cy={cy}")
    return np.array([[fx, float(values.get("s") or 0.0), cx], [0, fy, cy], [0, 0, 1.0]])


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; DatasetError where it is missing or truncated."""
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path} is not complete JSON ({error}). Copy it again, or remove the frame."
        ) from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path} holds a {type(data).__name__}, expected an object of labels")
    return data
