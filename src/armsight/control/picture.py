"""Colour pictures of a MuJoCo model as one pinhole camera sees it, and nothing else.

`armsight.render.imaging.gl` draws depth and ids as well; here only colours count, and speed.
"""

from __future__ import annotations

import atexit
import weakref
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render.imaging.gl import open_off_screen, place_camera
from armsight.robots.description.simulator import load_mujoco

NEAR_M, FAR_M = 0.02, 30.0
DRAWN_GROUPS, HIDDEN_GROUP = (1, 2), 5
"""robosuite's groups of geoms; group 0 only collides"""
STILL_M = 2e-5
"""A geom lies still while its position [m] and axes change by less"""


@dataclass(frozen=True)
class Backdrop:
    """What lies still: its picture, kept until the camera, the lights or an object change."""

    camera: NDArray[np.float64]
    poses: NDArray[np.float64]
    """(G, 12) positions and axes of all geoms"""
    moves: NDArray[np.bool_]
    """(G,) which of them are not in the picture"""
    pixels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    """Larger is nearer; 0 where nothing was drawn"""


class Painter:
    """An off-screen frame buffer for one model.

    Args:
        model: MuJoCo model.
        size: width and height of the pictures [px].
        robot: name of the body of the robot's base: all of it is expected to move.
        oversample: draw that many times larger and average; evens out edges.

    Raises:
        NoDisplayError: neither EGL nor OSMesa works here.
    """

    def __init__(self, model: Any, size: int, robot: str, oversample: int = 3) -> None:
        self._mj = load_mujoco()
        self.model, self.size, self._side = model, size, size * oversample
        model.vis.global_.offwidth = model.vis.global_.offheight = self._side
        model.vis.quality.offsamples = 0
        self._gl, self._context = open_off_screen(model, self._side, self._side)
        self._scene = self._mj.MjvScene(model, maxgeom=model.ngeom + 50)
        self._scene.flags[self._mj.mjtRndFlag.mjRND_SHADOW] = 0  # no light casts any
        self._camera = self._mj.MjvCamera()
        self._option = self._mj.MjvOption()
        self._option.geomgroup[:] = [group in DRAWN_GROUPS for group in range(6)]
        self._roots = model.body_rootid[model.geom_bodyid]
        self._robot = self._roots == model.body_rootid[model.body(robot).id]
        self._backdrop: Backdrop | None = None
        self._free = weakref.finalize(self, _free, self._context, self._gl)
        atexit.register(self._free)  # before MuJoCo shuts the graphics library down

    def upload_texture(self, index: int) -> None:
        """Send a texture that was changed in `model.tex_data` to the graphics library."""
        self._gl.make_current()
        self._mj.mjr_uploadTexture(self.model, self._context, index)

    def forget(self) -> None:
        """Colours or lights have changed: what was drawn before is of no use any more."""
        self._backdrop = None

    def draw(
        self, data: Any, K: NDArray[np.floating], T_cam_world: NDArray[np.floating]
    ) -> NDArray[np.uint8]:
        """(size, size, 3) RGB, row 0 on top.

        Objects that lie still are drawn once and kept with their depth; from then on only what
        moves is drawn, which takes a third of the time and gives the same pixels.

        Args:
            data: MjData after kinematics; only read.
            K: (3, 3) [px] at `size`, pixel centres at integers.
            T_cam_world: (4, 4), OpenCV camera frame.
        """
        self._gl.make_current()
        poses = np.concatenate([data.geom_xpos, data.geom_xmat], axis=1)
        camera = np.concatenate([K.ravel(), T_cam_world.ravel()])
        old = self._backdrop
        if old is None or not np.array_equal(old.camera, camera):
            old, moves = None, self._robot
        else:
            moved = np.abs(poses - old.poses).max(1) > STILL_M
            moves = np.isin(self._roots, self._roots[moved | old.moves])
        if old is None or (moves & ~old.moves).any():
            pixels, depth = self._draw(data, K, T_cam_world, ~moves)
            old = self._backdrop = Backdrop(camera, poses, moves, pixels, depth)
        moves = moves & _in_view(self.model, data, K, T_cam_world, self.size)
        pixels, depth = self._draw(data, K, T_cam_world, moves)
        pixels = np.where((depth > old.depth)[..., None], pixels, old.pixels)
        # Drawing small is no faster: most of the time goes into the meshes' corners.
        size = (self.size, self.size)
        upright = np.ascontiguousarray(pixels[::-1])
        return np.asarray(cv2.resize(upright, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _draw(
        self,
        data: Any,
        K: NDArray[np.floating],
        T_cam_world: NDArray[np.floating],
        wanted: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colours and depth of some geoms at the full size, the lowest row first."""  # fmt: skip
        mj, groups = self._mj, self.model.geom_group.copy()
        self.model.geom_group[~wanted] = HIDDEN_GROUP
        mj.mjv_updateScene(
            self.model, data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL, self._scene
        )
        self.model.geom_group[:] = groups
        place_camera(self._scene, K, T_cam_world, (self.size, self.size), (NEAR_M, FAR_M))
        rect = mj.MjrRect(0, 0, self._side, self._side)
        mj.mjr_render(rect, self._scene, self._context)
        pixels = np.empty((self._side, self._side, 3), np.uint8)
        depth = np.empty((self._side, self._side), np.float32)
        mj.mjr_readPixels(pixels, depth, rect, self._context)
        return pixels, depth

    def close(self) -> None:
        """Free the frame buffer."""
        self._free()
        atexit.unregister(self._free)


def _free(context: Any, gl: Any) -> None:
    context.free()
    gl.free()


def _in_view(
    model: Any, data: Any, K: NDArray[np.floating], T: NDArray[np.floating], size: int
) -> NDArray[np.bool_]:
    """(G,) False for geoms that are certainly outside of the picture."""
    points = data.geom_xpos @ T[:3, :3].T + T[:3, 3]
    radius = np.where(model.geom_rbound > 0, model.geom_rbound, np.inf)  # 0: a plane
    inside = points[:, 2] + radius > NEAR_M
    for axis in (0, 1):
        for sign, edge in ((1, -0.5), (-1, size - 0.5)):
            normal = np.zeros(3)
            normal[axis], normal[2] = sign, -sign * (edge - K[axis, 2]) / K[axis, axis]
            inside &= points @ (normal / np.linalg.norm(normal)) > -radius
    return np.asarray(inside)
