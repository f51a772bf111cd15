"""Kinematics and shapes of robot models, worked out without armsight.render."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def urdf_frames(path: Path, joint_positions: dict[str, float]) -> dict[str, Array]:
    """Link name -> `T_root_link` (4, 4), by the URDF specification; other joints at zero."""
    joints = [j for j in ET.parse(path).getroot().findall("joint") if j.find("child") is not None]
    parents = {j.find("child").get("link"): j for j in joints}  # type: ignore[union-attr]
    names = [link.get("name") for link in ET.parse(path).getroot().findall("link")]
    frames: dict[str, Array] = {}

    def frame(link: Any) -> Array:
        if link not in parents:
            return np.eye(4)
        if link not in frames:
            joint = parents[link]
            T = frame(joint.find("parent").get("link")) @ origin(joint)  # type: ignore[union-attr]
            axis = np.array((joint.find("axis").get("xyz")).split(), float) if (
                joint.find("axis") is not None
            ) else np.array([1.0, 0, 0])  # fmt: skip
            q = joint_positions.get(str(joint.get("name")), 0.0)
            if joint.get("type") in ("revolute", "continuous"):
                T = T @ turn(axis, q)
            frames[link] = T
        return frames[link]

    return {str(name): frame(name) for name in names}


def origin(element: Any) -> Array:
    """The 4x4 transform of a URDF element's <origin>: fixed axes, roll then pitch then yaw."""
    found = element.find("origin")
    T = np.eye(4)
    if found is not None:
        roll, pitch, yaw = (float(x) for x in found.get("rpy", "0 0 0").split())
        T = turn([0, 0, 1], yaw) @ turn([0, 1, 0], pitch) @ turn([1, 0, 0], roll)
        T[:3, 3] = [float(x) for x in found.get("xyz", "0 0 0").split()]
    return T


def turn(axis: Any, angle: float) -> Array:
    """4x4 rotation by the matrix exponential's series in closed form (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    W = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    T = np.eye(4)
    T[:3, :3] += np.sin(angle) * W + (1 - np.cos(angle)) * W @ W
    return T


def read_stl(path: Path) -> Array:
    """Triangles (F, 3, 3) of a binary STL file."""
    record = np.dtype([("numbers", "<f4", (12,)), ("unused", "<u2")])
    rows = np.frombuffer(path.read_bytes()[84:], record)
    return rows["numbers"][:, 3:].reshape(-1, 3, 3).astype(float)


def distance_to_triangles(point: Array, triangles: Array) -> float:
    """Shortest distance [m] from a point (3,) to triangles (F, 3, 3)."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    keep = area > 0
    a, b, c, normal = a[keep], b[keep], c[keep], normal[keep] / area[keep, None]
    height = ((point - a) * normal).sum(1)
    foot = point - height[:, None] * normal
    inside = np.ones(len(a), bool)
    nearest = np.full(len(a), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        inside &= (np.cross(edge, foot - start) * normal).sum(1) >= 0
        t = np.clip(((point - start) * edge).sum(1) / (edge**2).sum(1), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(point - start - t[:, None] * edge, axis=1))
    return float(np.where(inside, np.abs(height), nearest).min())


def distance_to_geom(model: Any, data: Any, geom: int, point: Array) -> float:
    """Distance [m] from a world point (3,) to the surface of one of MuJoCo's geoms."""
    R, size = data.geom_xmat[geom].reshape(3, 3), model.geom_size[geom]
    p = R.T @ (point - data.geom_xpos[geom])
    kind = int(model.geom_type[geom])
    if kind == 2:  # sphere
        return float(abs(np.linalg.norm(p) - size[0]))
    if kind == 3:  # capsule
        rest = p - [0, 0, np.clip(p[2], -size[1], size[1])]
        return float(abs(np.linalg.norm(rest) - size[0]))
    if kind == 4:  # ellipsoid: first order, good near the surface
        value = np.sqrt(((p / size) ** 2).sum())
        return float(abs(value - 1) * value / np.linalg.norm(p / size**2))
    if kind in (5, 6):  # cylinder, box
        d = np.abs(p) - size if kind == 6 else np.array(
            [np.hypot(p[0], p[1]) - size[0], abs(p[2]) - size[1]]
        )  # fmt: skip
        return float(abs(np.linalg.norm(np.maximum(d, 0)) + min(d.max(), 0)))
    mesh = model.geom_dataid[geom]
    vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
    faces = model.mesh_face[model.mesh_faceadr[mesh] :][: model.mesh_facenum[mesh]]
    return distance_to_triangles(p, vertices[faces].astype(float))
