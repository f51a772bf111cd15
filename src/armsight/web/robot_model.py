"""A robot for a page that draws it: its chain of links, limits, and light meshes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot


def robot_model(robot: Robot) -> dict[str, Any]:
    """JSON with the fixed transform, joint and axis of each link, and meshes as base64.

    Vertices are little-endian float32 (V, 3) [m, link frame], faces uint16 or uint32 (F, 3).
    """
    chain, shapes = robot.chain, robot.link_shapes()
    skews = np.asarray(chain.axis_skews)
    axes = np.stack([skews[:, 2, 1], skews[:, 0, 2], skews[:, 1, 0]], -1)
    return {
        "name": robot.name,
        "joint_names": list(robot.joint_names),
        "joint_limits": robot.joint_limits.tolist(),
        "ready_positions": robot.ready_positions.tolist(),
        "skeleton": [list(pair) for pair in robot.skeleton],
        "num_origin_keypoints": robot.num_origin_keypoints,
        "reach": robot.reach,
        "links": [
            {
                "name": name,
                "parent": chain.parents[i],
                "joint": chain.joints[i],
                "rotation": np.asarray(chain.rotations)[i].tolist(),
                "translation": np.asarray(chain.translations)[i].tolist(),
                "axis": axes[i].tolist(),
                "mesh": _mesh(*shapes[name]) if name in shapes else None,
            }
            for i, name in enumerate(robot.link_names)
        ],
    }


def _mesh(vertices: NDArray[np.floating], faces: NDArray[np.int64]) -> dict[str, Any]:
    wide = len(vertices) > np.iinfo(np.uint16).max
    return {
        "vertices": _base64(vertices.astype("<f4")),
        "faces": _base64(faces.astype("<u4" if wide else "<u2")),
        "wide": wide,
    }


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
