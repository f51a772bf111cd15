"""Frames with the outline of the arm as the log and the fitted camera have it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import OutputError
from armsight.robots import Robot
from armsight.viz.silhouette import outline, silhouette

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

WIDTH = 320
"""Of each picture in a strip [px]"""
OUTLINE_RGB, DARK_RGB, WHITE_RGB = (40, 225, 255), (18, 22, 28), (255, 255, 255)


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
    pictures = []
    for frame, caption, q in zip(frames, captions, joint_positions, strict=True):
        scale = WIDTH / frame.shape[1]
        size = (WIDTH, max(1, round(frame.shape[0] * scale)))
        canvas = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        if T_cam_base is not None and np.isfinite(q).all():
            S = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
            contours = outline(silhouette(robot, q, T_cam_base, S @ K, *size))
            cv2.drawContours(canvas, contours, -1, DARK_RGB, 3, cv2.LINE_AA)
            cv2.drawContours(canvas, contours, -1, OUTLINE_RGB, 1, cv2.LINE_AA)
        for colour, thick in ((DARK_RGB, 3), (WHITE_RGB, 1)):
            cv2.putText(
                canvas, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA
            )
        pictures.append(canvas)
    done, jpeg = cv2.imencode(
        ".jpg", np.hstack(pictures)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    if not done:
        raise OutputError("OpenCV could not write a JPEG for the report")
    return jpeg.tobytes()
