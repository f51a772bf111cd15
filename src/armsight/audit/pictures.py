"""Frames with the outline of the arm as the log and the fitted camera have it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import OutputError
from armsight.robots import Robot
from armsight.viz.contact_sheet import contact_sheet, outlined_frame

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

WIDTH = 320
"""Of each picture in a strip [px]"""


def overlay_strip(
    frames: Sequence[Pixels],
    captions: Sequence[str],
    robot: Robot,
    joint_positions: Array,
    T_cam_base: Array | None,
    K: Array,
) -> bytes:
    """Frames side by side as one JPEG; without a camera they are shown as they are.

    Args:
        frames: N pictures (H, W, 3) RGB.
        captions: N short ASCII texts.
        joint_positions: (N, J) [rad].
        K: (3, 3) [px] of the frames.

    Raises:
        OutputError: OpenCV cannot encode it.
    """
    pictures = [
        outlined_frame(frame, caption, robot, q, T_cam_base, K, WIDTH)
        for frame, caption, q in zip(frames, captions, joint_positions, strict=True)
    ]
    done, jpeg = cv2.imencode(
        ".jpg", contact_sheet(pictures, len(pictures))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    if not done:
        raise OutputError("OpenCV could not write a JPEG for the report")
    return jpeg.tobytes()
