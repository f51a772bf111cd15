"""Notes on shapes that are not what a camera sees: boxes, and hulls made for collisions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.robots.description.link_tree import LinkTree
from armsight.robots.description.simulator import load_mujoco

HULL_FACES = 2000
"""Convex meshes with fewer faces are hulls made for collisions."""


def shape_notes(model: Any, tree: LinkTree) -> list[str]:
    """Notes on links that are drawn as primitives, as convex hulls, or not at all."""
    mesh_kind = load_mujoco().mjtGeom.mjGEOM_MESH
    primitive, hulls, bare = [], [], []
    for link, body in zip(tree.links(), tree.bodies, strict=True):
        start = model.body_geomadr[body]
        geoms = range(start, start + model.body_geomnum[body])
        kinds = [model.geom_type[geom] == mesh_kind for geom in geoms]
        if not kinds:
            bare.append(link["name"])
        elif not any(kinds):
            primitive.append(link["name"])
        elif all(_is_hull(model, geom) for geom in geoms):
            hulls.append(link["name"])
    notes = []
    if primitive:
        notes.append(f"drawn as boxes, cylinders or balls, without a mesh: {', '.join(primitive)}")
    if len(hulls) > len(tree.bodies) / 3:
        notes.append(
            "convex, as shapes for collisions are, so that outlines will not fit the real arm "
            f"well: {', '.join(hulls)}; is there a model with visual meshes?"
        )
    if len(bare) == len(tree.bodies):
        notes.append("no link has a shape")
    return notes


def _is_hull(model: Any, geom: int) -> bool:
    mesh = int(model.geom_dataid[geom])
    if mesh < 0 or model.mesh_facenum[mesh] > HULL_FACES:
        return False
    vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
    faces = model.mesh_face[model.mesh_faceadr[mesh] :][: model.mesh_facenum[mesh]]
    return is_convex(vertices.astype(float), faces)


def is_convex(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> bool:
    """Whether all vertices (V, 3) lie on the inner side of every face (F, 3), to a hundredth of
    the mesh's size."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals, a = normals[length > 0] / length[length > 0, None], a[length > 0]
    outside = normals @ vertices.T - (normals * a).sum(1)[:, None]
    return bool(outside.max() < 0.01 * np.ptp(vertices, axis=0).max())
