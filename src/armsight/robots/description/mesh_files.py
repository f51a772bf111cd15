"""Mesh files that MuJoCo does not read, made into ones that it does; broken ones named."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np

from armsight.errors import ConfigError, MissingExtraError
from armsight.files import atomic_write, cache_folder

READ_BY_MUJOCO = (".stl", ".obj", ".msh")
CONVERTED = (".dae", ".ply", ".glb", ".gltf", ".off")
MESH_SUFFIXES = (*READ_BY_MUJOCO, *CONVERTED)
STL_HEADER, STL_TRIANGLE = 84, 50
"""Bytes of a binary STL file before its triangles, and of each of them."""


def readable_mesh(path: Path) -> Path:
    """The file itself where MuJoCo reads it, else an OBJ copy of it in the user's cache folder.

    Units of Collada files are turned into metres. Their up axis is left alone, as in RViz.

    Raises:
        ConfigError: the file is broken, or of a format that nothing here reads.
        MissingExtraError: it must be converted, and trimesh is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ConfigError(
            f"the mesh {path} is of a format that cannot be read; give it as one of "
            f"{', '.join(MESH_SUFFIXES)}"
        )
    content = path.read_bytes()
    if suffix == ".stl":
        size = int.from_bytes(content[STL_HEADER - 4 : STL_HEADER], "little")
        if len(content) == STL_HEADER + STL_TRIANGLE * size and size:
            return path
        if not content.lstrip()[:5] == b"solid" or b"vertex" not in content:
            raise ConfigError(
                f"the mesh {path} is broken: its header says {size} triangles, and the file has "
                f"{len(content)} bytes, not {STL_HEADER + STL_TRIANGLE * size}; fetch it again"
            )
    elif suffix == ".obj":
        if not re.search(rb"^f\s", content, re.MULTILINE):
            raise ConfigError(f"the mesh {path} is broken: it has no faces; fetch it again")
        return path
    elif suffix == ".msh":
        return path
    copy = cache_folder("meshes") / f"{path.stem}-{hashlib.sha256(content).hexdigest()[:16]}.obj"
    if not copy.is_file():
        _convert(path, content, copy)
    return copy


def _convert(path: Path, content: bytes, copy: Path) -> None:
    try:
        import trimesh
    except ImportError as error:
        raise MissingExtraError(
            f"Reading the mesh {path.name}", "trimesh", "pip install 'armsight[robots]'"
        ) from error
    try:
        mesh = trimesh.load_scene(str(path)).to_mesh()
        vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, int)
    except ImportError as error:
        raise MissingExtraError(
            f"Reading the mesh {path.name}", "pycollada", "pip install 'armsight[robots]'"
        ) from error
    except Exception as error:  # a reader of many formats raises whatever it meets
        raise ConfigError(
            f"the mesh {path} is broken: {type(error).__name__}: {error}; fetch it again"
        ) from error
    if not len(faces) or not np.isfinite(vertices).all():
        raise ConfigError(f"the mesh {path} is broken: it has no faces or no finite vertices")
    unit = (
        re.search(rb'<unit\b[^>]*\bmeter="([^"]+)"', content)
        if path.suffix.lower() == ".dae"
        else None
    )
    if unit:
        vertices = vertices * float(unit[1])
    lines = [f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    with atomic_write(copy) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
