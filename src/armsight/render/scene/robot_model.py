"""The MuJoCo model of a robot, ready to be put into a scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError
from armsight.render.scene.meshes import (
    MIN_FACES,
    MeshPart,
    has_texture_coordinates,
    light_parts,
)
from armsight.robots.description.model_file import assembled_spec, compiled
from armsight.robots.description.simplify import simplified
from armsight.robots.description.simulator import load_mujoco

DECALS = "decals"
"""Part of the names of geoms that are small marks on the robot's shells."""
DECALS_PER_M2, DECAL_RADIUS = 130.0, (0.002, 0.005)
MAX_COLOURS = 16
"""A texture of more colours is a picture, not a palette."""
USUAL_FACES = 20_000
FACES_KEPT = 0.18
"""Share of a mesh's triangles that is drawn. Of the Panda's 134,000, so many take 16 ms without
and 50 ms with shadows at 512 px on one core; a tenth takes 3 and 9 ms."""


def robot_spec(simulation: dict[str, Any], folder: Path = Path()) -> Any:
    """MjSpec of a robot as its data file's `simulation` describes it: see model_file.py.

    Meshes painted by a palette texture are cut into parts of one colour, with materials named
    `<mesh>_<part class>`; see `part_class`.

    Args:
        folder: that of the robot's data file.

    Raises:
        ConfigError: the description names a file or body that is not there.
        MissingExtraError: MuJoCo or the package with the model is not installed.
    """
    spec = assembled_spec(simulation, folder, _cut_into_colours)
    _lighten_meshes(spec)
    for i, geom in enumerate(spec.geoms):
        geom.name = geom.name or f"robot_geom{i}"
    return spec


def _lighten_meshes(spec: Any) -> None:
    """Thin out the meshes of a robot that has far more triangles than a picture shows.

    Their edges become smooth, for MuJoCo averages the normals of the faces around a vertex.
    """
    mj = load_mujoco()
    model = compiled(spec, "the robot")
    total = int(model.mesh_facenum.sum())
    if total <= 1.5 * USUAL_FACES:
        return
    geoms = [model.geom(i) for i in range(model.ngeom)]
    # MuJoCo up to 3.8 at least does not always find meshes just added when asked by name.
    thinned: set[str] = set()
    for geom, made in zip(list(spec.geoms), geoms, strict=True):
        mesh = int(made.dataid[0])
        faces = int(model.mesh_facenum[mesh])
        if geom.type != mj.mjtGeom.mjGEOM_MESH or faces < 4 * MIN_FACES:
            continue
        vertices, triangles = simplified(
            model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]],
            model.mesh_face[model.mesh_faceadr[mesh] :][:faces],
            max(USUAL_FACES / total, 3 * MIN_FACES / faces),
        )
        name = f"light/{geom.meshname}"
        if name not in thinned:
            thinned.add(name)
            spec.add_mesh(
                name=name, uservert=vertices.ravel(), userface=triangles.ravel(),
                inertia=mj.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )  # fmt: skip
        # The compiled model's vertices are in the frame of the mesh's centre, so is this pose.
        geom.meshname, geom.pos, geom.quat = name, made.pos, made.quat
    for mesh in list(spec.meshes):
        if f"light/{mesh.name}" in thinned:
            spec.delete(mesh)


def part_class(colour: tuple[int, int, int]) -> str:
    """Which of a scene's robot materials a palette colour stands for."""
    if max(colour) - min(colour) > 30:
        return ("red", "green", "blue")[int(np.argmax(colour))]
    return "white" if min(colour) > 230 else "metal" if min(colour) > 150 else "dark"


def decals(part: MeshPart, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Small octagons on a mesh, such as the caps of screws: vertices (V, 3) and faces (F, 3).

    Where the screws of the real arm are is in no mesh. These lie at random, so that a network
    learns to see past them.
    """
    rng = np.random.default_rng(seed)
    corners = part.vertices[part.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    # `area` is twice that of the triangles.
    count = int(np.clip(DECALS_PER_M2 * area.sum() / 2, 4, 30))
    chosen = rng.choice(len(area), count, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), count)
    normal = normals[chosen] / area[chosen, None]
    centre = (corners[chosen] * weights[..., None]).sum(1) + 0.0007 * normal
    u = np.cross(normal, [0.36, 0.48, 0.8])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(normal, u)
    angle = np.arange(8) * np.pi / 4
    radius = rng.uniform(*DECAL_RADIUS, (count, 1, 1))
    stretch = rng.uniform(1.0, 2.0, (count, 1, 1))
    rim = (
        centre[:, None]
        + radius * np.cos(angle)[:, None] * u[:, None]
        + radius * stretch * np.sin(angle)[:, None] * v[:, None]
    )
    fan = np.array([(0, k, k + 1) for k in range(1, 7)])
    faces = fan[None] + 8 * np.arange(count)[:, None, None]
    return rim.reshape(-1, 3), faces.reshape(-1, 3).astype(np.int32)


def _add_mesh_geom(like: Any, mesh: str, material: str) -> None:
    """A mesh on the same body and in the same place as the geom `like`."""
    name, taken = f"{like.parent.name}/{mesh}", {geom.name for geom in like.parent.geoms}
    while name in taken:
        name += "+"
    like.parent.add_geom(
        name=name, type=like.type, meshname=mesh, material=material,
        pos=like.pos, quat=like.quat, contype=0, conaffinity=0,
    )  # fmt: skip


def _cut_into_colours(spec: Any, folder: Path) -> None:
    """Replace each mesh geom whose material has a palette texture by geoms of one colour each."""
    mj = load_mujoco()
    pictures = {texture.name: texture.file for texture in spec.textures}
    materials = {m.name: m for m in spec.materials}
    palettes = {
        name: pictures.get(material.textures[mj.mjtTextureRole.mjTEXROLE_RGB])
        for name, material in materials.items()
    }
    if not any(palettes.values()):
        return
    cutter = _ColourCutter(spec, folder, materials, palettes)
    for geom in [g for g in spec.geoms if g.type == mj.mjtGeom.mjGEOM_MESH]:
        cutter.cut(geom)
    used = {geom.meshname for geom in spec.geoms}
    for item in [m for m in spec.meshes if m.name not in used]:
        spec.delete(item)
    worn = {geom.material for geom in spec.geoms}
    for item in [m for name, m in materials.items() if name not in worn]:
        spec.delete(item)


class _ColourCutter:
    """Puts geoms of one colour each in the place of geoms with a palette."""

    def __init__(
        self, spec: Any, folder: Path, materials: dict[str, Any], palettes: dict[str, str | None]
    ) -> None:
        self._spec, self._folder = spec, folder
        self._materials, self._palettes = materials, palettes
        self._meshes = {mesh.name: mesh for mesh in spec.meshes}
        self._made: set[str] = set()
        self._painted: dict[str, list[bytes]] = {}

    def cut(self, geom: Any) -> None:
        """Replace a geom; one that cannot be cut stays as it is."""
        mesh = self._meshes[geom.meshname]
        path = self._folder / self._spec.meshdir / mesh.file
        moved = mesh.refpos.any() or mesh.refquat[1:].any()
        scale = float(mesh.scale[0])
        stretched = scale <= 0 or (mesh.scale != scale).any()
        if moved or stretched or not has_texture_coordinates(path):
            return
        palette = self._palette(geom)
        if len(np.unique(palette.reshape(-1, 3), axis=0)) > MAX_COLOURS:
            return
        parts = [
            replace(part, vertices=part.vertices * scale)
            for part in light_parts(path, palette, FACES_KEPT)
        ]
        # One mesh may be drawn in several paints.
        paints = self._painted.setdefault(geom.meshname, [])
        if palette.tobytes() not in paints:
            paints.append(palette.tobytes())
        which = paints.index(palette.tobytes())
        base = f"{geom.meshname}~{which}" if which else geom.meshname
        for i, part in enumerate(parts):
            material = f"{geom.meshname}_{part_class(part.colour)}"
            self._add_mesh(f"{base}_{i}", part.vertices, part.faces, part.normals)
            if self._spec.material(material) is None:
                rgba = [*(np.array(part.colour) / 255), 1]
                self._spec.add_material(name=material, rgba=rgba)
            _add_mesh_geom(geom, f"{base}_{i}", material)
        self._add_decals(geom, f"{base}_{DECALS}", parts)
        self._spec.delete(geom)

    def _palette(self, geom: Any) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that the geom's texture coordinates point into."""
        import cv2

        if file := self._palettes.get(geom.material):
            image = cv2.imread(str(self._folder / self._spec.texturedir / file))
            if image is None:
                raise DatasetError(f"cannot read the robot's palette {self._folder / file}")
            return np.ascontiguousarray(image[..., ::-1], np.uint8)
        known = geom.material in self._materials
        plain = self._materials[geom.material].rgba if known else geom.rgba
        return np.full((1, 1, 3), np.round(255 * plain[:3]), np.uint8)

    def _add_decals(self, geom: Any, name: str, parts: list[Any]) -> None:
        """Dark spots on the largest white part, where there is one worth it."""
        white = [part for part in parts if part_class(part.colour) == "white"]
        if not white or max(len(part.faces) for part in white) <= MIN_FACES:
            return
        if name not in self._made:
            largest = max(white, key=lambda part: len(part.faces))
            self._add_mesh(name, *decals(largest, seed=len(self._made)))
            self._spec.add_material(name=name, rgba=[0.1, 0.1, 0.1, 1])
        _add_mesh_geom(geom, name, name)

    def _add_mesh(self, name: str, vertices: Any, faces: Any, normals: Any = None) -> None:
        if name in self._made:
            return
        self._made.add(name)
        shell = load_mujoco().mjtMeshInertia.mjMESH_INERTIA_SHELL
        own = {} if normals is None else {"usernormal": normals.ravel()}
        self._spec.add_mesh(
            name=name, uservert=vertices.ravel(), userface=faces.ravel(), inertia=shell, **own
        )
