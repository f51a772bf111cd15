"""From a robot's `simulation` block to a MuJoCo model: its files, put together.

Keys of the block: `model` (an MJCF or URDF file: inside the package `package`, an importable name
or a folder beside the installed packages, which `install` installs; or, without a package, a path
from the folder of the robot's data file), `attach` (a list of models that are bolted on: `model`,
`to` (a body), `rotation_wxyz` and `translation` [m]; their own `package`, `install`, `radians` and
so on where they differ), `gripper_joints`; where the model needs it, `base` (the body to stand at
the world's origin), `radians` (true for an MJCF that forgets to say so), `visual_groups` (geom
groups to draw), `package_folders` (for a URDF, see urdf.py) and `colours` ("any" for an arm that is
printed in all of them).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from armsight.errors import ConfigError, DatasetError, MissingExtraError
from armsight.robots.description.simulator import load_mujoco
from armsight.robots.description.urdf import urdf_for_mujoco

SIMULATION_KEYS = (
    "package", "install", "model", "attach", "gripper_joints", "base", "radians",
    "visual_groups", "package_folders", "colours",
)  # fmt: skip
ATTACH_KEYS = (
    "package", "install", "model", "body", "to", "rotation_wxyz", "translation", "radians",
    "visual_groups", "package_folders",
)  # fmt: skip
UNUSED = (
    "tuples", "sensors", "actuators", "tendons", "equalities", "pairs", "excludes", "keys",
    "skins", "sites", "lights",
)  # fmt: skip
"""Of a model, what pictures do not need."""


def package_file(package: str, relative: str, install: str) -> Path:
    """A file inside an installed package, found without importing the package.

    Raises:
        MissingExtraError: the package is not installed.
        DatasetError: it is, but has no such file.
    """
    # find_spec imports a submodule's parents, so that only the top-level name is looked up.
    top, *inner = package.split(".")
    found = importlib.util.find_spec(top)
    places = (
        [Path(p).joinpath(*inner) for p in (found.submodule_search_locations or [])]
        if found
        else []
    )
    # A folder of plain data beside the packages, such as cmeel.prefix.
    places += [Path(p) / package for p in sys.path]
    places = [place for place in places if place.is_dir()]
    for place in places:
        if (place / relative).exists():
            return place / relative
    if not places:
        raise MissingExtraError("Rendering this robot", package, install)
    raise DatasetError(f"package {package} has no file {relative}; wrong version? Run: {install}")


def model_path(simulation: dict[str, Any], folder: Path) -> Path:
    """Where the model file of a block (or of one entry of its `attach`) is.

    Raises:
        ConfigError: there is no such file.
        MissingExtraError, DatasetError: as `package_file`.
    """
    relative: str = simulation["model"]
    if package := simulation.get("package"):
        install = simulation.get("install", f"pip install {package.partition('.')[0]}")
        return package_file(package, relative, install)
    path: Path = folder / relative
    if not path.is_file():
        raise ConfigError(
            f"there is no model file {path}; `model` is a path from the folder of the file that "
            "names it, or, with `package`, a path inside of an installed package"
        )
    return path


def assembled_spec(
    simulation: dict[str, Any],
    folder: Path,
    prepare: Callable[[Any, Path], None] = lambda spec, folder: None,
) -> Any:
    """MjSpec of a robot with what is attached to it; only bodies, joints and visible geoms.

    Names of attached models get a prefix `attached<i>/`.

    Args:
        folder: that of the robot's data file.
        prepare: called with the MjSpec and the folder of each file before it is attached.

    Raises:
        ConfigError: a file or body is not there, or MuJoCo cannot read the model.
        MissingExtraError: MuJoCo or the package with the model is not installed.
    """
    spec = _load(simulation, folder, prepare)
    for i, extra in enumerate(simulation.get("attach", [])):
        child = _load({**simulation, **extra}, folder, prepare)
        parent = spec.body(extra["to"])
        if parent is None:
            names = ", ".join(body.name for body in spec.bodies)
            raise ConfigError(
                f"the robot's simulation attaches {extra['model']} to {extra['to']!r}, which is "
                f"no body of {simulation['model']}; its bodies: {names}"
            )
        frame = parent.add_frame(
            pos=extra.get("translation", [0, 0, 0]), quat=extra.get("rotation_wxyz", [1, 0, 0, 0])
        )
        spec.attach(child, frame=frame, prefix=f"attached{i}/")
    if base := simulation.get("base"):
        _stand_at_origin(spec, base)
    return spec


def compiled(spec: Any, what: str) -> Any:
    """The MjModel of a spec.

    Raises:
        ConfigError: MuJoCo refuses; the message has its reason.
    """
    try:
        return spec.compile()
    except ValueError as error:
        raise ConfigError(f"MuJoCo cannot compile {what}: {error}") from error


def _load(simulation: dict[str, Any], folder: Path, prepare: Callable[[Any, Path], None]) -> Any:
    mj = load_mujoco()
    path = model_path(simulation, folder)
    try:
        if path.suffix == ".urdf":
            # MuJoCo puts what a URDF calls visual into group 1, its collision shapes into group 0.
            groups = set(simulation.get("visual_groups", [1]))
            text, files = urdf_for_mujoco(
                path, visual=1 in groups, collision=0 in groups,
                package_folders=simulation.get("package_folders", {}),
            )  # fmt: skip
            spec = mj.MjSpec.from_string(text)
            for mesh in spec.meshes:
                mesh.file = str(files[mesh.file])
        elif path.suffix in (".xml", ".mjcf"):
            groups = set(simulation.get("visual_groups", [0, 1, 2]))
            spec = mj.MjSpec.from_file(str(path))
        else:
            raise ConfigError(
                f"{path} is no robot model: its name must end in .xml (MJCF) or .urdf; expand a "
                "xacro file first: xacro FILE > robot.urdf"
            )
    except ValueError as error:
        part = "mujocoinclude" in str(error)
        hint = "; it is a part for <include>: give the file that includes it" if part else ""
        raise ConfigError(f"MuJoCo cannot read {path}: {error}{hint}") from error
    for i, item in enumerate([*spec.bodies, *spec.joints]):
        item.name = item.name or f"unnamed{i}"
    if simulation.get("radians"):
        spec.compiler.degree = False
    # Masses do not matter to pictures, but a link without one would not compile.
    spec.compiler.boundmass, spec.compiler.boundinertia = 1e-6, 1e-9
    spec.compiler.balanceinertia = True
    for mesh in spec.meshes:
        # Visual meshes need not enclose a volume.
        mesh.inertia = mj.mjtMeshInertia.mjMESH_INERTIA_SHELL
    _keep_bodies_only(spec, groups)
    _turn_into_quaternions(spec)
    prepare(spec, path.parent)
    return spec


def _keep_bodies_only(spec: Any, visual_groups: set[int]) -> None:
    """Drop all that a picture does not need, geoms of other groups, and floors."""
    mj = load_mujoco()
    floors = (mj.mjtGeom.mjGEOM_PLANE, mj.mjtGeom.mjGEOM_HFIELD)
    for kind in UNUSED:
        for item in list(getattr(spec, kind, [])):
            spec.delete(item)
    for geom in list(spec.geoms):
        if geom.group in visual_groups and geom.type not in floors:
            geom.contype = geom.conaffinity = geom.group = 0
        else:
            spec.delete(geom)


def _turn_into_quaternions(spec: Any) -> None:
    """Replacing a geom's mesh takes its pose as numbers, not in one of five notations."""
    plain = load_mujoco().mjtOrientation.mjORIENTATION_QUAT
    for geom in spec.geoms:
        if geom.alt.type != plain:
            geom.quat = spec.resolve_orientation(
                degree=bool(spec.compiler.degree), sequence=spec.compiler.eulerseq,
                orientation=geom.alt,
            )  # fmt: skip
            geom.alt.type = plain


def _stand_at_origin(spec: Any, base: str) -> None:
    """Move the model so that the body `base` has the world's frame when all joints are at zero."""
    mj = load_mujoco()
    body = spec.body(base)
    if body is None:
        names = ", ".join(body.name for body in spec.bodies)
        raise ConfigError(f"the simulation's base {base!r} is no body; bodies: {names}")
    model = compiled(spec, "the robot")
    position, rotation = base_pose(model, base)
    while body.parent.name != "world":
        body = body.parent
    root = model.body(body.name)
    inverse, moved = np.zeros(4), np.zeros(3)
    mj.mju_negQuat(inverse, rotation)
    mj.mju_rotVecQuat(moved, root.pos - position, inverse)
    turned = np.zeros(4)
    mj.mju_mulQuat(turned, inverse, root.quat)
    body.alt.type = mj.mjtOrientation.mjORIENTATION_QUAT
    body.pos, body.quat = moved, turned


def base_pose(model: Any, base: str) -> tuple[Any, Any]:
    """World position (3,) [m] and quaternion (4,) wxyz of a body with all joints at zero."""
    mj = load_mujoco()
    data = mj.MjData(model)
    data.qpos[:] = 0
    mj.mj_kinematics(model, data)
    return data.body(base).xpos.copy(), data.body(base).xquat.copy()
