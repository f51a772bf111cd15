"""Goes over all frames once: small copies for what changes, and whether the room stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.background import CameraMotion, find_camera_motion, grey_copy
from armsight.fit.extrinsics.inputs import check_image
from armsight.fit.extrinsics.motion import WIDTH, shrunk

Pixels = NDArray[np.uint8]

MOST_SCANNED = 300
"""At most so many frames of a recording are scanned"""


@dataclass(frozen=True)
class Scan:
    """What a quick look at the frames tells."""

    indices: NDArray[np.intp]
    """(S,) of the frames that were looked at"""
    small: NDArray[np.float32]
    """(S, h, w, 3) copies, longer side 80 px"""
    camera_motion: CameraMotion | None
    """with `frame` counted among all frames"""


def scan(images: Sequence[Pixels], frames: NDArray[np.intp], size: tuple[int, int]) -> Scan:
    """Look at the frames of these indices, of that size (width, height).

    Raises:
        BadImageError: one is no image, or of another size.
    """
    if len(frames) > MOST_SCANNED:
        frames = frames[np.linspace(0, len(frames) - 1, MOST_SCANNED).round().astype(int)]
    small, greys = [], []
    for i in frames:
        image = np.asarray(images[int(i)])
        check_image(image, int(i), size)
        small.append(shrunk([image], WIDTH)[0])
        greys.append(grey_copy(image))
    moved = find_camera_motion(greys)
    if moved is not None:
        moved = CameraMotion(int(frames[moved.frame]), moved.shift_px)
    return Scan(frames, np.stack(small), moved)
