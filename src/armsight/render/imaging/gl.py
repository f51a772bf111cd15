"""Off-screen rendering with MuJoCo: colour, depth and geom ids of one pinhole camera."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ArmsightError
from armsight.robots.description.simulator import load_mujoco

NEAR_M, FAR_M = 0.04, 60.0


class NoDisplayError(ArmsightError):
    """MuJoCo found no way to draw without a display."""

    exit_code = 9


def open_off_screen(model: Any, width: int, height: int) -> tuple[Any, Any]:
    """An off-screen buffer of that size [px] as (GL context, MuJoCo context), made current.

    Depth is read back 0 at the far plane and 1 at the near one.

    Raises:
        NoDisplayError: neither EGL nor OSMesa works here.
    """
    mj = load_mujoco()
    try:
        gl = _gl_context(width, height)
        gl.make_current()
        context = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_50)
    except Exception as error:
        raise NoDisplayError(
            f"MuJoCo cannot draw off screen with MUJOCO_GL={os.environ.get('MUJOCO_GL')!r}: "
            f"{error}. Install Mesa (Debian: apt install libegl1 libgl1-mesa-dri) and set "
            "MUJOCO_GL=egl, or apt install libosmesa6 and set MUJOCO_GL=osmesa."
        ) from error
    mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, context)
    context.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR
    return gl, context


def _gl_context(width: int, height: int) -> Any:
    """A context of the kind that MUJOCO_GL names now: MuJoCo itself reads it only when imported."""
    kind = os.environ.get("MUJOCO_GL", "").lower()
    if kind in ("egl", "osmesa"):
        return importlib.import_module(f"mujoco.{kind}").GLContext(width, height)
    return load_mujoco().GLContext(width, height)


@dataclass(frozen=True)
class Buffers:
    """What one camera sees, (H, W) pixels, row 0 on top."""

    rgb: NDArray[np.uint8]
    """(H, W, 3), without shadows"""
    shadowed: NDArray[np.uint8] | None
    """(H, W, 3), with shadows; None if they were not asked for"""
    depth: NDArray[np.float32]
    """(H, W) [m] along the camera's z axis; FAR_M and beyond where nothing was drawn"""
    geom: NDArray[np.int32]
    """(H, W) geom id, -1 where nothing was drawn"""


class Canvas:
    """An off-screen frame buffer for one model.

    Args:
        model: MuJoCo model; its `vis.global_.offwidth/offheight` must hold width x height.
        width, height: size of the buffer [px].

    Raises:
        NoDisplayError: neither EGL nor OSMesa works here.
    """

    def __init__(self, model: Any, width: int, height: int) -> None:
        self._mj = load_mujoco()
        self.model, self.width, self.height = model, width, height
        self._gl, self._context = open_off_screen(model, width, height)
        self._scene = self._mj.MjvScene(model, maxgeom=model.ngeom + 100)
        self._camera = self._mj.MjvCamera()
        self._option = self._mj.MjvOption()
        self._option.sitegroup[:] = 0
        # Ids stay below 2^24 - 1 only if the colours are not blended.
        self._seg_flags = (
            self._mj.mjtRndFlag.mjRND_SEGMENT,
            self._mj.mjtRndFlag.mjRND_IDCOLOR,
        )

    def upload_texture(self, index: int) -> None:
        """Send a texture that was changed in `model.tex_data` to the graphics library."""
        self._gl.make_current()
        self._mj.mjr_uploadTexture(self.model, self._context, index)

    def draw(
        self,
        data: Any,
        K: NDArray[np.floating],
        T_cam_world: NDArray[np.floating],
        shadows: bool,
        size: tuple[int, int] | None = None,
    ) -> Buffers:
        """Draw the scene as an OpenCV camera sees it.

        Args:
            data: MjData after kinematics.
            K: (3, 3) [px], any principal point: the frustum may be off axis. Skew is ignored.
            T_cam_world: (4, 4), OpenCV camera frame.
            shadows: draw also with the shadows of the lights that cast them.
            size: (width, height) of the part of the buffer to use; all of it by default.
        """
        width, height = size or (self.width, self.height)
        mj, scene = self._mj, self._scene
        self._gl.make_current()
        mj.mjv_updateScene(
            self.model, data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL, scene
        )
        place_camera(self._scene, K, T_cam_world, (width, height), (NEAR_M, FAR_M))
        scene.flags[mj.mjtRndFlag.mjRND_REFLECTION] = 0
        scene.flags[mj.mjtRndFlag.mjRND_SKYBOX] = 0
        rect = mj.MjrRect(0, 0, width, height)
        rgb = np.empty((height, width, 3), np.uint8)
        raw = np.empty((height, width), np.float32)
        shadowed = np.empty_like(rgb) if shadows else None
        for out in (rgb, shadowed):
            if out is not None:
                scene.flags[mj.mjtRndFlag.mjRND_SHADOW] = out is shadowed
                mj.mjr_render(rect, scene, self._context)
                mj.mjr_readPixels(out, None, rect, self._context)
        for flag in self._seg_flags:
            scene.flags[flag] = 1
        ids = np.empty((height, width, 3), np.uint8)
        mj.mjr_render(rect, scene, self._context)
        mj.mjr_readPixels(ids, raw, rect, self._context)
        for flag in self._seg_flags:
            scene.flags[flag] = 0
        depth = NEAR_M * FAR_M / (NEAR_M + raw[::-1] * (FAR_M - NEAR_M))
        return Buffers(
            rgb[::-1], None if shadowed is None else shadowed[::-1], depth,
            self._geoms_of(ids[::-1]),
        )  # fmt: skip

    def _geoms_of(self, ids: NDArray[np.uint8]) -> NDArray[np.int32]:
        code = ids[..., 0].astype(np.int32) + 256 * ids[..., 1].astype(np.int32)
        table = np.full(self._scene.ngeom + 2, -1, np.int32)
        is_geom = int(self._mj.mjtObj.mjOBJ_GEOM)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == is_geom:
                table[geom.segid + 1] = geom.objid
        geoms: NDArray[np.int32] = table[np.minimum(code, len(table) - 1)]
        return geoms

    def close(self) -> None:
        """Free the frame buffer."""
        self._context.free()
        self._gl.free()


def place_camera(
    scene: Any, K: NDArray[np.floating], T: NDArray[np.floating], size: tuple[int, int],
    near_far: tuple[float, float],
) -> None:  # fmt: skip
    """Give both eyes of an `mjvScene` the camera with matrix K (3, 3) [px] and pose T.

    Args:
        T: (4, 4) from the world to the camera's OpenCV axes [m].
        size: width and height of the picture [px].
        near_far: depths [m] between which something is drawn.
    """
    R, t = T[:3, :3], T[:3, 3]
    (width, height), (near, far) = size, near_far
    # Pixel (0, 0) has its centre at u = 0, so that the image spans -0.5 .. width - 0.5.
    left = (-0.5 - K[0, 2]) / K[0, 0] * near
    right = (width - 0.5 - K[0, 2]) / K[0, 0] * near
    top = (K[1, 2] + 0.5) / K[1, 1] * near
    bottom = (K[1, 2] - (height - 0.5)) / K[1, 1] * near
    for camera in scene.camera:
        camera.pos[:] = -R.T @ t
        camera.forward[:] = R[2]
        camera.up[:] = -R[1]
        camera.orthographic = 0
        camera.frustum_center = (left + right) / 2
        camera.frustum_width = (right - left) / 2
        camera.frustum_top, camera.frustum_bottom = top, bottom
        camera.frustum_near, camera.frustum_far = near, far
