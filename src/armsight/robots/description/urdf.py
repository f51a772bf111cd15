"""URDF files as MuJoCo wants them: visible shapes kept, meshes found."""

from __future__ import annotations

import os
import re
from pathlib import Path

from armsight.errors import ConfigError
from armsight.robots.description.mesh_files import readable_mesh


def urdf_for_mujoco(
    path: Path, *, visual: bool, collision: bool, package_folders: dict[str, str]
) -> tuple[str, dict[str, Path]]:
    """The text of a URDF file with options for MuJoCo, and the mesh files that it names.

    MuJoCo takes two meshes for one where their files in two folders have the same name. So the
    text names each file by its absolute path or, after the first of a name, by a made-up one;
    the second result tells the file of each name that the text has.

    `package://NAME/REST` is looked for in `package_folders[NAME]` (a path from the URDF's folder)
    where given, else in a folder NAME beside the URDF or above it; other paths start at the
    URDF's folder.

    Args:
        visual, collision: which shapes to keep.

    Raises:
        ConfigError: a mesh is not there, is broken, or of a format that nothing here reads.
        MissingExtraError: a mesh must be converted, and trimesh is not installed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    # Masses do not matter to pictures, and impossible ones would stop MuJoCo.
    text = re.sub(r"<!--.*?-->|<inertial\b.*?</inertial>", "", text, flags=re.DOTALL)
    tag = re.search(r"<robot\b[^>]*>", text)
    if tag is None:
        raise ConfigError(f"{path} is no URDF: it has no <robot> element")
    if "xmlns:xacro" in tag.group() and re.search(r"<xacro:|\$\{", text):
        raise ConfigError(f"{path} is a xacro file; expand it: xacro {path.name} > robot.urdf")
    hint = '<mujoco><compiler discardvisual="false" strippath="false" fusestatic="false"/></mujoco>'
    text = text[: tag.end()] + hint + text[tag.end() :]
    for kind, wanted in (("visual", visual), ("collision", collision)):
        if not wanted:
            text = re.sub(rf"<{kind}\b.*?</{kind}>", "", text, flags=re.DOTALL)

    files: dict[str, Path] = {}

    def found(match: re.Match[str]) -> str:
        file = _mesh_file(match[2], path, package_folders)
        same = [name for name, other in files.items() if other == file]
        twins = [other for other in files.values() if other.stem == file.stem]
        name = same[0] if same else str(file)
        if twins and not same:
            name = f"{file.stem}~{len(twins)}{file.suffix}"
        files[name] = file
        return f"{match[1]}{name}{match[3]}"

    return re.sub(r"""(<mesh\b[^>]*?filename\s*=\s*["'])([^"']+)(["'])""", found, text), files


def _mesh_file(name: str, urdf: Path, package_folders: dict[str, str]) -> Path:
    scheme, _, rest = name.rpartition("://")
    if scheme == "package":
        package, _, rest = rest.lstrip("/").partition("/")
        if package in package_folders:
            places = [urdf.parent / package_folders[package]]
        else:
            places = [folder / package for folder in urdf.resolve().parents]
            # A package that lies in a folder of another name, as a downloaded archive does.
            places += list(urdf.resolve().parents)[:4]
            places += _ros_folders(package)
    else:
        places = [urdf.parent]
    for place in places:
        if (place / rest).is_file():
            return readable_mesh(place / rest)
    tried = ", ".join(str(place / rest) for place in places)
    raise ConfigError(
        f"{urdf} names the mesh {name}, which is not there; tried {tried}. Put the package's "
        "folder beside or above the URDF, set ROS_PACKAGE_PATH, or say in a recipe where it lies: "
        '"package_folders": {"NAME": "PATH FROM THE URDF"} in its simulation'
    )


def _ros_folders(package: str) -> list[Path]:
    """Where ROS 1 and ROS 2 would look for a package."""
    ros1 = os.environ.get("ROS_PACKAGE_PATH", "").split(os.pathsep)
    ros2 = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    places = [Path(folder) / package for folder in ros1 if folder]
    return places + [Path(folder) / "share" / package for folder in ros2 if folder]
