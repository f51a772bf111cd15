"""The MuJoCo model of a robot, ready to be put into a scene."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from armsight.errors import DatasetError, MissingExtraError
from armsight.render.gl import INSTALL, load_mujoco
from armsight.render.meshes import MeshPart, split_by_colour

PANDA = "dm_robotics/panda/assets/panda"
HAND_ANGLE = -np.pi / 4
"""The hand is bolted to link8 turned by this about z (Franka's URDF, and so DREAM's frame)."""


def package_file(relative: str, pip_name: str) -> Path:
    """A file inside an installed package, found without importing the package.

    Raises:
        MissingExtraError: the package is not installed.
    """
    top, _, rest = relative.partition("/")
    spec = importlib.util.find_spec(top)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / rest).exists():
            return Path(folder) / rest
    raise MissingExtraError("Rendering this robot", pip_name, INSTALL)


def part_class(colour: tuple[int, int, int]) -> str:
    """Which of a scene's robot materials a palette colour stands for."""
    if max(colour) - min(colour) > 30:
        return ("red", "green", "blue")[int(np.argmax(colour))]
    return "white" if min(colour) > 230 else "metal" if min(colour) > 150 else "dark"


def panda_spec() -> Any:
    """MjSpec of the Panda with its hand; materials named <arm|hand|finger>_<part class>."""
    mj = load_mujoco()
    folder = package_file(PANDA, "dm-robotics-panda")
    spec = mj.MjSpec.from_file(str(folder / "panda.xml"))
    hand = mj.MjSpec.from_file(str(folder / "panda_hand.xml"))
    frame = spec.body("panda_link8").add_frame(
        quat=[np.cos(HAND_ANGLE / 2), 0, 0, np.sin(HAND_ANGLE / 2)]
    )
    for item in [*hand.actuators, *hand.tendons, *hand.equalities, *hand.sites]:
        hand.delete(item)
    for item in [*spec.sensors, *spec.sites]:
        spec.delete(item)
    spec.attach(hand, frame=frame, prefix="hand/")
    _cut_into_colours(spec, folder)
    return spec


def _cut_into_colours(spec: Any, folder: Path) -> None:
    mj = load_mujoco()
    made: set[str] = set()
    for geom in list(spec.geoms):
        if geom.type != mj.mjtGeom.mjGEOM_MESH:
            spec.delete(geom)
            continue
        stem = geom.meshname.removeprefix("hand/")
        group = stem if stem in ("hand", "finger") else "arm"
        # Links 1 and 2 are white all over: their texture coordinates mean nothing.
        palette = folder / "panda.png" if geom.material.endswith("panda") else None
        for i, part in enumerate(_parts(folder / f"{stem}.obj", palette)):
            name, material = f"{stem}_{i}", f"{group}_{part_class(part.colour)}"
            if name not in made:
                made.add(name)
                spec.add_mesh(
                    name=name,
                    uservert=part.vertices.ravel(),
                    usernormal=part.normals.ravel(),
                    userface=part.faces.ravel(),
                    inertia=mj.mjtMeshInertia.mjMESH_INERTIA_SHELL,
                )
            if spec.material(material) is None:
                spec.add_material(name=material, rgba=[*(np.array(part.colour) / 255), 1])
            geom.parent.add_geom(
                name=f"{geom.parent.name}/{name}",
                type=mj.mjtGeom.mjGEOM_MESH,
                meshname=name,
                material=material,
                pos=geom.pos,
                quat=geom.quat,
                contype=0,
                conaffinity=0,
            )
        spec.delete(geom)
    for mesh in list(spec.meshes):
        if mesh.name not in made:
            spec.delete(mesh)
    for item in [m for m in spec.materials if m.textures[1]] + list(spec.textures):
        spec.delete(item)


@lru_cache(maxsize=32)
def _parts(path: Path, palette: Path | None) -> list[MeshPart]:
    if palette is None:
        return split_by_colour(path, np.full((1, 1, 3), 255, np.uint8))
    import cv2

    image = cv2.imread(str(palette))
    if image is None:
        raise DatasetError(f"cannot read the robot's palette {palette}")
    return split_by_colour(path, image[..., ::-1].astype(np.uint8))
