"""A robot from a URDF or MJCF file as it is: the recipe is worked out from the model itself."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from armsight.errors import ConfigError
from armsight.files import cache_folder
from armsight.robots.description.arm_chain import ArmChain, find_arm
from armsight.robots.description.link_tree import LinkTree
from armsight.robots.description.model_file import assembled_spec, compiled
from armsight.robots.description.recipe import Recipe, make_robot, read_recipe
from armsight.robots.description.shape_notes import shape_notes
from armsight.robots.description.simulator import load_mujoco
from armsight.robots.description.urdf import urdf_for_mujoco
from armsight.robots.robot import is_description

VERSION = 2
"""Of what is worked out; data files in the cache of another one are made anew."""
FEWEST_SURFACE_KEYPOINTS = 24
COMMON_STEMS = ("robot", "scene", "model", "arm", "main")
"""Names of files that say nothing of the robot: the folder's is taken instead."""


def data_file_of(name: str | Path) -> Path:
    """The data file of a robot description, made and kept in the user's cache folder.

    Args:
        name: a URDF or MJCF file; `FILE#TIP` or `FILE#BASE:TIP` choose the links where the arm
            ends and begins.

    Raises:
        ConfigError: the file cannot be read, a mesh is missing or broken, or it has no arm or
            several; the message says what to add.
        MissingExtraError: MuJoCo, or what reads and thins out meshes, is not installed.
        OutputError: the cache folder cannot be written to.
    """
    file, _, chain = str(name).partition("#")
    path = Path(file).resolve()
    digest = hashlib.sha256(f"{VERSION} {chain} {path}".encode())
    for part in _content(path):
        digest.update(part)
    folder = cache_folder("robots") / f"{path.stem}-{digest.hexdigest()[:16]}"
    made = sorted(folder.glob("*.json"))
    if made:
        return made[0]
    recipe, notes = recipe_of_name(name)
    return make_robot(recipe, folder, notes=tuple(notes))[0]


def make_robot_file_of(name: str, out: Path) -> tuple[Path, list[str]]:
    """A robot's data file in `out`, and notes for the user.

    Args:
        name: a URDF or MJCF file, also as `FILE#TIP` or `FILE#BASE:TIP`, the name of a recipe
            that comes along, or a recipe file.

    Raises:
        ConfigError, MissingExtraError, OutputError: as `data_file_of`.
    """
    if not is_description(name):
        return make_robot(read_recipe(name), out)
    recipe, notes = recipe_of_name(name)
    path, remarks = make_robot(recipe, out, notes=tuple(notes))
    return path, [*notes, *remarks]


def recipe_of_name(name: str | Path) -> tuple[Recipe, list[str]]:
    """`recipe_of` for FILE, `FILE#TIP` or `FILE#BASE:TIP`."""
    file, _, chain = str(name).partition("#")
    base, colon, tip = chain.rpartition(":")
    return recipe_of(Path(file).resolve(), (base or None) if colon else None, tip or None)


def recipe_of(
    path: Path, base_link: str | None = None, tip_link: str | None = None
) -> tuple[Recipe, list[str]]:
    """A recipe worked out from a model file, and notes for the user.

    Raises:
        ConfigError, MissingExtraError: as `data_file_of`.
    """
    simulation, notes = _simulation(path)
    spec = assembled_spec(simulation, path.parent)
    model = compiled(spec, str(path))
    if not model.ngeom:
        raise ConfigError(
            f"{path} has no shapes to draw: no link has a <visual> or a <collision> element (MJCF: "
            "no geoms in groups 0 to 2); add the meshes to it"
        )
    arm = find_arm(
        model, base_link=base_link, tip_link=tip_link, mimic_joints=_mimic_joints(path),
        what=str(path),
    )  # fmt: skip
    limits, limit_notes = _one_turn(model, arm)
    origins = [arm.base_link, *dict.fromkeys([*arm.turned_links, arm.tip_link])]
    tree = LinkTree(model, arm.joints, origins, arm.more_links)
    shaped = [link["name"] for link in tree.links() if len(tree.mesh(link["name"])[0])]
    recipe = Recipe(
        name=_name(path, spec),
        joints=arm.joints,
        ready_positions=[float(np.mean(limits[joint])) for joint in arm.joints],
        origin_links=origins,
        simulation=simulation,
        skeleton=list(pairwise(origins)),
        joint_limits=limits,
        num_surface_keypoints=max(FEWEST_SURFACE_KEYPOINTS, 2 * len(shaped)),
        more_links=arm.more_links,
        path=path.with_suffix(".recipe.json"),
    )
    return recipe, [*notes, *limit_notes, *shape_notes(model, tree)]


def _content(path: Path) -> list[bytes]:
    """Of a description and of all files that it names."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the robot {path}: {error.strerror}") from error
    if path.suffix.lower() == ".urdf":
        _, files = urdf_for_mujoco(path, visual=True, collision=False, package_folders={})
        return [text, *(file.read_bytes() for file in files.values())]
    parts, names = [text], set(re.findall(rb'\bfile\s*=\s*["\']([^"\']+)', text))
    folders = re.findall(rb'\b(?:meshdir|assetdir|texturedir)\s*=\s*["\']([^"\']+)', text)
    for name in sorted(names):
        for folder in (b"", *folders):
            file = path.parent / folder.decode() / name.decode()
            if file.is_file():
                parts += _content(file) if file.suffix == ".xml" else [file.read_bytes()]
                break
    return parts


def _simulation(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The block of a recipe that fits a model file, and notes."""
    simulation: dict[str, Any] = {"model": str(path)}
    if path.suffix.lower() == ".urdf":
        if "<visual" not in path.read_text(encoding="utf-8"):
            simulation["visual_groups"] = [0]
            return simulation, ["it has no visual shapes: its collision shapes are used"]
        return simulation, []
    if path.suffix.lower() not in (".xml", ".mjcf"):
        return simulation, []
    mj = load_mujoco()
    try:
        spec = mj.MjSpec.from_file(str(path))
    except ValueError as error:
        part = "mujocoinclude" in str(error)
        hint = "; it is a part for <include>: give the file that includes it" if part else ""
        raise ConfigError(f"MuJoCo cannot read {path}: {error}{hint}") from error
    notes = []
    floors = (mj.mjtGeom.mjGEOM_PLANE, mj.mjtGeom.mjGEOM_HFIELD)
    geoms = [geom for geom in spec.geoms if geom.type not in floors]
    drawn = {int(g.group) for g in geoms if not g.contype and not g.conaffinity}
    drawn -= {int(g.group) for g in geoms if g.contype or g.conaffinity}
    if drawn:
        simulation["visual_groups"] = sorted(drawn)
    ends = [end for j in spec.joints if j.type == mj.mjtJoint.mjJNT_HINGE for end in j.range]
    if spec.compiler.degree and ends and 0 < max(map(abs, ends)) <= 2 * np.pi + 0.1:
        simulation["radians"] = True
        notes.append(
            f"its joint limits, {max(map(abs, ends)):.3g} at most, are read as radians, though the "
            'file leaves MuJoCo\'s degrees: add <compiler angle="radian"/>'
        )
    return simulation, notes


def _mimic_joints(path: Path) -> frozenset[str]:
    if path.suffix.lower() != ".urdf":
        return frozenset()
    joints = ET.parse(path).getroot().findall("joint")
    return frozenset(str(j.get("name")) for j in joints if j.find("mimic") is not None)


def _one_turn(model: Any, arm: ArmChain) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Limits [rad] of at most one turn for each joint, and notes where they are not the file's."""
    limits: dict[str, tuple[float, float]] = {}
    notes, endless, long = [], [], []
    ranges = {name: model.joint(name).range.copy() for name in arm.joints}
    limited = {name: bool(model.jnt_limited[model.joint(name).id]) for name in arm.joints}
    degrees = max(abs(ranges[n]).max() for n in arm.joints) > 4 * np.pi + 0.1
    if degrees:
        notes.append(
            "its joint limits look like degrees (up to "
            f"{max(abs(ranges[n]).max() for n in arm.joints):.4g}), and are read as such"
        )
    for name in arm.joints:
        low, high = np.radians(ranges[name]) if degrees else ranges[name]
        if not limited[name] or not low < high:
            endless.append(name)
            low, high = -np.pi, np.pi
        elif high - low > 2 * np.pi:
            long.append(name)
            low, high = -np.pi, np.pi
        limits[name] = (float(low), float(high))
    if endless:
        notes.append(f"without limits, so one turn around zero: {', '.join(endless)}")
    if long:
        notes.append(
            f"more than one turn, so read from pictures within half a turn of zero (logs may go "
            f"beyond): {', '.join(long)}"
        )
    return limits, notes


def _name(path: Path, spec: Any) -> str:
    if path.suffix.lower() == ".urdf":
        name = str(ET.parse(path).getroot().get("name") or path.stem)
    else:
        name = spec.modelname if spec.modelname != "MuJoCo Model" else ""
        name = name or (path.parent.name if path.stem in COMMON_STEMS else path.stem)
    return re.sub(r"[^\w.-]+", "_", name).strip("_.-") or "robot"
