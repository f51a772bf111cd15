"""MuJoCo, imported on first use and nowhere else in the package."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library
from importlib import metadata
from types import ModuleType

from armsight.errors import MissingExtraError

INSTALL = (
    "pip install 'armsight[render]' && pip install --no-deps dm-robotics-panda==0.4.8 "
    "robosuite==1.4.0"
)


def mujoco_version() -> str:
    """Of the installed MuJoCo; "none" without it. Nothing is imported."""
    try:
        return metadata.version("mujoco")
    except metadata.PackageNotFoundError:
        return "none"


def load_mujoco() -> ModuleType:
    """The mujoco module, set up to draw off screen on few threads.

    A `MUJOCO_GL` or `LP_NUM_THREADS` that the user set is kept. Without one, Linux gets EGL, or
    OSMesa where there is no EGL library. Mesa's software rasteriser gets no threads of its own:
    many single-threaded workers draw more images than few many-threaded ones.

    Raises:
        MissingExtraError: MuJoCo is not installed.
    """
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if sys.platform.startswith("linux") and "MUJOCO_GL" not in os.environ:
        use_osmesa = not find_library("EGL") and find_library("OSMesa")
        os.environ["MUJOCO_GL"] = "osmesa" if use_osmesa else "egl"
    try:
        import mujoco
    except ImportError as error:
        raise MissingExtraError("Rendering", "mujoco", INSTALL) from error
    module: ModuleType = mujoco
    return module
