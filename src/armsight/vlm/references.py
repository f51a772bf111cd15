"""Reference pictures: the package's own, and those that a user gives with their joint angles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError, DatasetError, MissingExtraError
from armsight.robots import Robot
from armsight.vlm.ask import Reference
from armsight.vlm.picture import LONGER_SIDE, encode, prepare

Array = NDArray[np.floating]

FOLDER = Path(__file__).with_name("references")


def own_reference(robot: Robot, longer_side: int = LONGER_SIDE) -> Reference:
    """The package's rendered picture of a robot; drawn now for a robot that has none.

    Raises:
        MissingExtraError: it has to be drawn, and MuJoCo is missing.
    """
    picture, angles = FOLDER / f"{robot.name}.jpg", FOLDER / f"{robot.name}.json"
    if picture.is_file() and angles.is_file():
        return Reference(prepare(picture, longer_side), read_joints(angles, robot))
    from armsight.vlm.drawing import Drawer, default_camera

    drawer = Drawer(robot)
    camera = default_camera(robot, robot.ready_positions)
    try:
        drawer.require_scene(camera)
        pixels = drawer.draw(robot.ready_positions, camera)
    except MissingExtraError as error:
        raise MissingExtraError(
            f"there is no reference picture of {robot.name}, and drawing one (or give "
            "--reference IMAGE --reference-joints FILE)",
            "MuJoCo",
            'pip install "armsight[render]"',
        ) from error
    finally:
        drawer.close()
    return Reference(encode(pixels, longer_side, f"{robot.name}-ready"), robot.ready_positions)


def read_joints(path: str | Path, robot: Robot) -> Array:
    """Joint angles (J,) [rad] from a file.

    JSON: a list, {"joint_positions": [...]} as `armsight estimate` writes, {"joint_positions_deg":
    [...]}, or a number for each joint name [rad]. Text: numbers [rad], further ones (fingers) are
    ignored.

    Raises:
        DatasetError: the file cannot be read, or does not have an angle for each joint.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read joint angles {path}: {error}") from error
    count = len(robot.joint_names)
    try:
        values = np.asarray(_values(text, robot), dtype=float)
        if values.ndim != 1 or len(values) < count or not np.isfinite(values).all():
            raise ValueError(f"it holds {values.size} finite numbers")
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} has no {count} joint angles [rad] of {robot.name} ({error}); give JSON "
            '{"joint_positions": [...]} or a text of numbers'
        ) from error
    q: Array = values[:count]
    low, high = robot.joint_limits.T
    outside = (q < low - 0.1) | (q > high + 0.1)
    if outside.any():
        name = robot.joint_names[int(np.argmax(outside))]
        raise DatasetError(
            f"{path}: {name} is {q[int(np.argmax(outside))]:g} rad, outside of its limits; are the "
            'angles in degrees? Then write JSON {"joint_positions_deg": [...]}'
        )
    return q


def given_references(
    pictures: tuple[str, ...], joints: tuple[str, ...], robot: Robot, longer_side: int
) -> tuple[Reference, ...]:
    """The user's references, or the package's own where there are none.

    Raises:
        ConfigError: not as many files of angles as pictures.
        BadImageError, DatasetError: one of them cannot be read.
    """
    if len(pictures) != len(joints):
        raise ConfigError(
            f"there are {len(pictures)} --reference and {len(joints)} --reference-joints; each "
            "picture needs its file of joint angles"
        )
    if not pictures:
        return (own_reference(robot, longer_side),)
    return tuple(
        Reference(prepare(picture, longer_side), read_joints(file, robot))
        for picture, file in zip(pictures, joints, strict=True)
    )


def _values(text: str, robot: Robot) -> Any:
    try:
        document = json.loads(text)
    except ValueError:
        return [float(word) for word in text.replace(",", " ").split()]
    if not isinstance(document, dict):
        return document if isinstance(document, list) else [document]
    if document.get("joint_positions") is not None:
        return document["joint_positions"]
    if document.get("joint_positions_deg") is not None:
        return np.radians(document["joint_positions_deg"])
    return [document[name] for name in robot.joint_names]
