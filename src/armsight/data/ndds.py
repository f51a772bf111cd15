"""Reader of DREAM's NDDS folders: `000000.json` + `000000.rgb.jpg` + `_camera_settings.json`.

Also reads what `armsight render` writes in that format: intrinsics for each frame, surface
keypoints, visibility, and a `dataset.json` that states the unit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import IMAGE_SUFFIXES, Dataset, Frame, image_size, read_text
from armsight.data.truth import UNITS, KeypointLabels, camera_from_keypoints, decide_units
from armsight.errors import DatasetError
from armsight.geometry import project
from armsight.robots import Robot

Array = NDArray[np.floating]

CAMERA_FILE = "_camera_settings.json"
DATASET_FILE = "dataset.json"
SURFACE_KEY = "surface_keypoints"
"""Where our renderer puts the keypoints that DREAM does not have"""


@dataclass(frozen=True)
class _Labels:
    """One label file, checked, in its own unit."""

    frame: Frame
    keypoints: KeypointLabels | None


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
    settings = _read_json(folder / DATASET_FILE) if (folder / DATASET_FILE).is_file() else {}
    K = _folder_intrinsics(folder)
    files = _label_files(folder)
    expected = settings.get("count")
    if isinstance(expected, int) and len(files) < expected:
        raise DatasetError(
            f"{folder} has {len(files)} frames, but its {DATASET_FILE} promises {expected}: it is "
            "unfinished. Run the command that makes it again; it goes on where it stopped."
        )
    labels = [
        _read_frame(file, picture, robot, K, allow_other_robots)
        for file, picture in files[: len(files) if limit is None else limit]
    ]
    located = [label.keypoints for label in labels if label.keypoints is not None]
    notes: list[str] = []
    scale = 1.0
    if located:
        unit, reason = decide_units(robot, located, units or settings.get("units"))
        scale = UNITS[unit]
        notes.append(f"locations read as {unit}: {reason}")
    frames = tuple(_with_geometry(label, robot, scale) for label in labels)
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


def _read_frame(
    file: Path, picture: Path, robot: Robot, folder_K: Array | None, allow_other_robots: bool
) -> _Labels:
    data = _read_json(file)
    try:
        intrinsics = data.get("camera_intrinsics")
        K = folder_K if intrinsics is None else _intrinsics(intrinsics)
        objects = data["objects"]
        mine = [entry for entry in objects if _is_robot(entry, robot)]
        other = [entry for entry in objects if entry.get("keypoints") and entry not in mine]
        size = image_size(picture)
        if not mine:
            if other and not allow_other_robots:
                raise _wrong_robot(file, other[0], robot)
            name = str(other[0].get("class")) if other else None
            frame = Frame(file.stem, picture, size, K, robot_in_view=False, other_robot=name)
            return _Labels(frame, None)
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
            keypoints_visible=None if None in visible else np.array(visible, dtype=np.uint8),
        )
        locations = [entry.get("location") for entry in entries.values()]
        if any(location is None for location in locations):
            return _Labels(frame, None)
        indices = np.array([robot.keypoint_names.index(name) for name in names])
        points = np.array(locations, dtype=float).reshape(-1, 3)
        return _Labels(frame, KeypointLabels(str(file), indices, points, joint_positions))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{file} is not a label file of DREAM's NDDS format ({error!r}); expected 'objects' "
            "with 'keypoints' that have 'name', 'location' and 'projected_location', and "
            "'sim_state' with 'joints'. Copy it again, or remove the frame."
        ) from error


def _with_geometry(label: _Labels, robot: Robot, scale: float) -> Frame:
    """The frame with its 3D labels in metres, the camera pose, and both checked."""
    frame, keypoints = label.frame, label.keypoints
    if keypoints is None:
        return frame
    points = scale * keypoints.locations
    T_cam_base = camera_from_keypoints(robot, keypoints, points)
    if frame.K is not None and frame.keypoints_2d is not None:
        # 2 % of the picture: a lens that was not undistorted passes, another camera does not.
        error = np.linalg.norm(project(points, frame.K) - frame.keypoints_2d, axis=-1)
        median = float(np.median(error[~np.isnan(error)])) if not np.isnan(error).all() else 0.0
        if median > 0.02 * frame.image_size[0]:
            raise DatasetError(
                f"{keypoints.source}: its 3D keypoints do not project onto its 2D keypoints "
                f"(median distance {median:.0f} px). The intrinsics in {CAMERA_FILE} belong to "
                "another camera, or to another picture size."
            )
    return Frame(**{**frame.__dict__, "keypoints_3d_cam": points, "T_cam_base": T_cam_base})


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


def _folder_intrinsics(folder: Path) -> Array | None:
    path = folder / CAMERA_FILE
    if not path.is_file():
        return None
    data = _read_json(path)
    try:
        return _intrinsics(data["camera_settings"][0]["intrinsic_settings"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{path} has no intrinsics ({error!r}); expected camera_settings[0]"
            ".intrinsic_settings with fx, fy, cx, cy [px]"
        ) from error


def _intrinsics(values: dict[str, Any]) -> Array:
    fx, fy, cx, cy = (float(values[name]) for name in ("fx", "fy", "cx", "cy"))
    if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
        raise ValueError(f"impossible intrinsics fx={fx}, fy={fy}, cx={cx}, cy={cy}")
    return np.array([[fx, float(values.get("s") or 0.0), cx], [0, fy, cy], [0, 0, 1.0]])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path} is not complete JSON ({error}). Copy it again, or remove the frame."
        ) from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path} holds a {type(data).__name__}, expected an object of labels")
    return data
