"""Colour pictures of a MuJoCo model as one pinhole camera sees it, and nothing else.

`armsight.render.gl` draws depth and ids as well; here only colours count, and speed.
"""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render.gl import NoDisplayError, _gl_context, load_mujoco

NEAR, FAR = 0.02, 30.0
VISUAL_GROUP, COLLISION_GROUP = 1, 0
"""robosuite's groups of geoms; shapes that only collide are not drawn"""


class Painter:
    """An off-screen frame buffer for one model.

    Args:
        model: MuJoCo model.
        size: width and height of the pictures [px].
        oversample: draw that many times larger and average; evens out edges.

    Raises:
        NoDisplayError: neither EGL nor OSMesa works here.
    """

    def __init__(self, model: Any, size: int, oversample: int = 3) -> None:
        self._mj = load_mujoco()
        self.model, self.size, self._side = model, size, size * oversample
        model.vis.global_.offwidth = model.vis.global_.offheight = self._side
        model.vis.quality.offsamples = 0
        try:
            self._gl = _gl_context(self._side, self._side)
            self._gl.make_current()
            self._context = self._mj.MjrContext(model, self._mj.mjtFontScale.mjFONTSCALE_50)
        except Exception as error:
            raise NoDisplayError(
                f"MuJoCo cannot draw off screen with MUJOCO_GL={os.environ.get('MUJOCO_GL')!r}: "
                f"{error}. Install Mesa (Debian: apt install libegl1 libgl1-mesa-dri) and set "
                "MUJOCO_GL=egl, or apt install libosmesa6 and set MUJOCO_GL=osmesa."
            ) from error
        self._mj.mjr_setBuffer(self._mj.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = self._mj.MjvScene(model, maxgeom=model.ngeom + 50)
        self._scene.flags[self._mj.mjtRndFlag.mjRND_SHADOW] = 0  # no light casts any
        self._camera = self._mj.MjvCamera()
        self._option = self._mj.MjvOption()
        self._option.geomgroup[COLLISION_GROUP] = 0
        self._option.geomgroup[VISUAL_GROUP] = 1

    def upload_texture(self, index: int) -> None:
        """Send a texture that was changed in `model.tex_data` to the graphics library."""
        self._gl.make_current()
        self._mj.mjr_uploadTexture(self.model, self._context, index)

    def draw(
        self, data: Any, K: NDArray[np.floating], T_cam_world: NDArray[np.floating]
    ) -> NDArray[np.uint8]:
        """(size, size, 3) RGB, row 0 on top.

        Args:
            data: MjData after kinematics; only read.
            K: (3, 3) [px] at `size`, pixel centres at integers.
            T_cam_world: (4, 4), OpenCV camera frame.
        """
        mj, side = self._mj, self._side
        self._gl.make_current()
        mj.mjv_updateScene(
            self.model, data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL, self._scene
        )
        self._place_camera(K, T_cam_world)
        rect = mj.MjrRect(0, 0, side, side)
        mj.mjr_render(rect, self._scene, self._context)
        pixels = np.empty((side, side, 3), np.uint8)
        mj.mjr_readPixels(pixels, None, rect, self._context)
        upright = np.ascontiguousarray(pixels[::-1])
        # Drawing small is no faster: most of the time goes into the meshes' corners.
        size = (self.size, self.size)
        return np.asarray(cv2.resize(upright, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _place_camera(self, K: NDArray[np.floating], T: NDArray[np.floating]) -> None:
        R, t = T[:3, :3], T[:3, 3]
        left = (-0.5 - K[0, 2]) / K[0, 0] * NEAR
        right = (self.size - 0.5 - K[0, 2]) / K[0, 0] * NEAR
        top = (K[1, 2] + 0.5) / K[1, 1] * NEAR
        bottom = (K[1, 2] - (self.size - 0.5)) / K[1, 1] * NEAR
        for camera in self._scene.camera:
            camera.pos[:] = -R.T @ t
            camera.forward[:] = R[2]
            camera.up[:] = -R[1]
            camera.orthographic = 0
            camera.frustum_center = (left + right) / 2
            camera.frustum_width = (right - left) / 2
            camera.frustum_top, camera.frustum_bottom = top, bottom
            camera.frustum_near, camera.frustum_far = NEAR, FAR

    def close(self) -> None:
        """Free the frame buffer."""
        self._context.free()
        self._gl.free()
