"""A camera's view of a scene, and which keypoints it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.render.imaging import camera
from armsight.render.imaging.gl import Buffers
from armsight.render.scene.scene import Scene

Array = NDArray[np.float64]
SUPERSAMPLING = 2


@dataclass(frozen=True)
class CameraView:
    """A camera and the part of its frame that is drawn."""

    K: Array
    T_cam_base: Array
    size: tuple[int, int]
    """width, height [px]"""
    frame_rect: Array
    scale: float
    """pixels drawn per pixel of the camera's frame"""


def buffers_of(scene: Scene, view: CameraView) -> Buffers:
    """The scene drawn at SUPERSAMPLING times the size."""
    k = SUPERSAMPLING
    K = np.diag([k, k, 1.0]) @ view.K
    K[:2, 2] += (k - 1) / 2
    return scene.draw(K, view.T_cam_base, (view.size[0] * k, view.size[1] * k))


def hidden_share(visible: NDArray[np.uint8], uv: Array, cam: Array, view: CameraView) -> float:
    """Share of the keypoints in the picture that something other than the arm hides."""
    inside = camera.inside(uv, *view.size) & (cam[:, 2] > 0.05)
    return float((visible[inside] == 0).mean()) if inside.any() else 0.0


def visibility(
    scene: Scene,
    uv: Array,
    cam: Array,
    buffers: Buffers,
    view: CameraView,
    num_origins: int,
    scale: float = 1.0,
) -> NDArray[np.uint8]:
    """(K,) 0 hidden or outside, 1 visible, 2 behind another part of the arm.

    `scale` is the arm's reach in reaches of a Panda, whose links' thickness is known.
    """
    w, h = view.size
    rect = view.frame_rect
    seen = camera.inside(uv, w, h) & (cam[:, 2] > 0.05)
    seen &= (uv > rect[:2]).all(1) & (uv < rect[2:]).all(1)
    k = SUPERSAMPLING
    px = np.clip(uv * k + (k - 1) / 2, -1, 1e6).round().astype(int)
    px = np.clip(px, 0, [w * k - 1, h * k - 1])
    geom, depth = buffers.geom[px[:, 1], px[:, 0]], buffers.depth[px[:, 1], px[:, 0]]
    link = scene.link_of_geom[geom]
    behind = cam[:, 2] - depth
    # Origins lie inside of their link or its neighbours: up to a link's thickness deep.
    tolerance = np.full(len(uv), 0.02 * scale)
    tolerance[:num_origins] = 0.13 * scale
    hidden_by_other = (link < 0) & (geom >= 0) & (behind > 0.005 * scale)
    hidden_by_arm = (link >= 0) & (behind > tolerance)
    return np.where(seen & ~hidden_by_other, 1 + hidden_by_arm, 0).astype(np.uint8)
