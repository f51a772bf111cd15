"""Reference pictures: the package's own, and those that a user gives with their joint angles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError, MissingExtraError
from armsight.robots import Robot
from armsight.verify.claim_files import read_joints
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
