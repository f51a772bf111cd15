"""Make a robot data file (robots/<name>.json and .npz) from a MuJoCo model.

Everything that the runtime needs of a robot is read off the compiled model once: link frames,
joint axes and limits, keypoints spread over the link surfaces, and light meshes for outlines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.files import atomic_write

Array = NDArray[np.floating]

OUTLINE_GRID_M = 0.008
"""Cell size of the vertex clustering that lightens the link meshes for outlines."""
SURFACE_SAMPLES_PER_LINK = 4000


def make_robot_file(
    model: Any,
    *,
    name: str,
    joint_names: list[str],
    ready_positions: list[float],
    origin_links: list[str],
    skeleton: list[tuple[str, str]],
    num_surface_keypoints: int,
    simulation: dict[str, Any],
    out: Path,
    seed: int = 0,
) -> Path:
    """Write `<out>/<name>.json` and `<out>/<name>.npz`; return the path of the former.

    Args:
        model: a compiled `mujoco.MjModel` that holds the robot.
        joint_names: the arm's hinge joints, base first; other joints (fingers) count as fixed.
        ready_positions: (J,) a usual working pose [rad].
        origin_links: bodies whose frame origins are the first keypoints.
        skeleton: pairs of bodies from `origin_links`, joined by a line in drawings.
        num_surface_keypoints: further keypoints on the link surfaces.
        simulation: stored as it is; tells the renderer where the model comes from.

    Raises:
        ConfigError: a name is not in the model, or a joint is no hinge at its body's origin.
    """
    links = _links(model, joint_names, origin_links)
    shapes = {link["name"]: _link_mesh(model, link["name"]) for link in links}
    shapes = {key: mesh for key, mesh in shapes.items() if len(mesh[0])}
    joints = [
        {
            "name": joint,
            "axis": model.joint(joint).axis.tolist(),
            "limits": model.joint(joint).range.tolist(),
            "ready": ready,
        }
        for joint, ready in zip(joint_names, ready_positions, strict=True)
    ]
    keypoints = [
        {"name": link, "link": link, "position": [0.0, 0.0, 0.0], "kind": "origin"}
        for link in origin_links
    ]
    keypoints += _surface_keypoints(shapes, num_surface_keypoints, np.random.default_rng(seed))
    data = {
        "name": name,
        "joints": joints,
        "links": links,
        "keypoints": keypoints,
        "skeleton": skeleton,
        "simulation": simulation,
    }
    arrays = {}
    for link, (vertices, faces) in shapes.items():
        light_vertices, light_faces = cluster_vertices(vertices, faces, OUTLINE_GRID_M)
        arrays[f"{link}.vertices"] = light_vertices.astype(np.float32)
        arrays[f"{link}.faces"] = light_faces.astype(np.uint16)
    with atomic_write(out / f"{name}.npz") as path:
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    with atomic_write(out / f"{name}.json") as path:
        path.write_text(json.dumps(data, indent=1) + "\n")
    return out / f"{name}.json"


def _links(model: Any, joint_names: list[str], origin_links: list[str]) -> list[dict[str, Any]]:
    """The bodies that lead from the base to the last origin link, parents first."""
    bodies = {model.body(i).name: i for i in range(model.nbody)}
    for link in origin_links:
        if link not in bodies:
            raise ConfigError(f"no body {link!r} in the model; it has {', '.join(bodies)}")
    base = bodies[origin_links[0]]
    wanted: set[int] = set()
    for link in origin_links:
        body = bodies[link]
        while body not in (base, 0):
            wanted.add(body)
            body = int(model.body_parentid[body])
    result = []
    for body in [base, *sorted(wanted)]:
        names = [
            model.joint(j).name
            for j in range(
                model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]
            )
        ]
        joint = next((n for n in names if n in joint_names), None)
        if joint is not None and np.any(model.joint(joint).pos):
            raise ConfigError(f"joint {joint!r} does not turn about its body's origin")
        is_base = body == base
        result.append(
            {
                "name": model.body(body).name,
                "parent": None if is_base else model.body(int(model.body_parentid[body])).name,
                "translation": [0.0] * 3 if is_base else model.body_pos[body].tolist(),
                "rotation_wxyz": [1.0, 0, 0, 0] if is_base else model.body_quat[body].tolist(),
                "joint": joint,
            }
        )
    missing = set(joint_names) - {link["joint"] for link in result}
    if missing:
        raise ConfigError(f"joints {sorted(missing)} are not between base and {origin_links[-1]!r}")
    return result


def _link_mesh(model: Any, link: str) -> tuple[Array, NDArray[np.intp]]:
    """All mesh geoms of a body as one mesh in the body's frame [m]."""
    import mujoco

    body = model.body(link).id
    vertices, faces, count = [], [], 0
    for geom in range(
        model.body_geomadr[body], model.body_geomadr[body] + model.body_geomnum[body]
    ):
        if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH or model.geom_group[geom] > 2:
            continue
        mesh = model.geom_dataid[geom]
        v0, nv = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        f0, nf = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        R = np.zeros(9)
        mujoco.mju_quat2Mat(R, model.geom_quat[geom])
        vertices.append(model.mesh_vert[v0 : v0 + nv] @ R.reshape(3, 3).T + model.geom_pos[geom])
        faces.append(model.mesh_face[f0 : f0 + nf] + count)
        count += nv
    if not vertices:
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.intp)
    return np.concatenate(vertices), np.concatenate(faces).astype(np.intp)


def cluster_vertices(
    vertices: Array, faces: NDArray[np.intp], cell: float
) -> tuple[Array, NDArray[np.intp]]:
    """Lighten a mesh: vertices (V, 3) in one grid cell [m] become one, flat faces vanish."""
    _, label, count = np.unique(
        np.round(vertices / cell), axis=0, return_inverse=True, return_counts=True
    )
    merged = np.zeros((len(count), 3))
    np.add.at(merged, label.ravel(), vertices)
    merged /= count[:, None]
    faces = label.ravel()[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)]
    return merged, np.unique(np.sort(faces, axis=1), axis=0)


def _surface_keypoints(
    shapes: dict[str, tuple[Array, NDArray[np.intp]]], count: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Farthest-point samples on every link, more on larger links, at least two on each."""
    areas = {link: _areas(*mesh).sum() for link, mesh in shapes.items()}
    weight = {link: np.sqrt(area) for link, area in areas.items()}
    share = {link: count * w / sum(weight.values()) for link, w in weight.items()}
    quota = {link: max(2, round(s)) for link, s in share.items()}
    while sum(quota.values()) != count:  # rounding: give to or take from the most unfairly served
        step = 1 if sum(quota.values()) < count else -1
        free = [k for k in quota if step > 0 or quota[k] > 2]
        if not free:
            raise ConfigError(f"{count} surface keypoints are fewer than two for each link")
        link = max(free, key=lambda k: step * (share[k] - quota[k]))
        quota[link] += step
    keypoints = []
    for link, (vertices, faces) in shapes.items():
        points = _sample_surface(vertices, faces, SURFACE_SAMPLES_PER_LINK, rng)
        for i, point in enumerate(farthest_points(points, quota[link])):
            position = np.round(point, 5).tolist()
            keypoints.append(
                {"name": f"{link}_s{i}", "link": link, "position": position, "kind": "surface"}
            )
    return keypoints


def farthest_points(points: Array, count: int) -> Array:
    """Farthest-point sampling of (N, 3) points, starting at the one farthest from the centre."""
    distance = np.linalg.norm(points - points.mean(0), axis=1)
    chosen = [int(distance.argmax())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def _areas(vertices: Array, faces: NDArray[np.intp]) -> Array:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    areas: Array = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return areas


def _sample_surface(
    vertices: Array, faces: NDArray[np.intp], count: int, rng: np.random.Generator
) -> Array:
    areas = _areas(vertices, faces)
    chosen = rng.choice(len(faces), count, p=areas / areas.sum())
    a, b, c = np.moveaxis(vertices[faces[chosen]], 1, 0)
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    points: Array = (1 - u) * a + u * (1 - v) * b + u * v * c
    return points
