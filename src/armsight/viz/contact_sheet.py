"""Frames of one camera with the arm's outline as joints and camera have it, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import scale_matrix
from armsight.robots import Robot
from armsight.viz.silhouette import outline, silhouette

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

OUTLINE_RGB, DARK_RGB, WHITE_RGB = (40, 225, 255), (18, 22, 28), (255, 255, 255)


def outlined_frame(
    frame: Pixels,
    caption: str,
    robot: Robot,
    joint_positions: Array,
    T_cam_base: Array | None,
    K: Array,
    width: int,
) -> Pixels:
    """A frame (H, W, 3) RGB, `width` px wide, with the arm's outline and a caption in ASCII.

    Args:
        joint_positions: (J,) [rad]; nothing is drawn where they are not finite.
        T_cam_base: (4, 4); None draws no outline.
        K: (3, 3) [px] of the frame.
    """
    scale = width / frame.shape[1]
    size = (width, max(1, round(frame.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = np.asarray(cv2.resize(frame, size, interpolation=how), np.uint8)
    if T_cam_base is not None and np.isfinite(joint_positions).all():
        S = scale_matrix(scale, scale)
        contours = outline(silhouette(robot, joint_positions, T_cam_base, S @ K, *size))
        cv2.drawContours(canvas, contours, -1, DARK_RGB, 3, cv2.LINE_AA)
        cv2.drawContours(canvas, contours, -1, OUTLINE_RGB, 1, cv2.LINE_AA)
    font, size_of_text = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    (long, _), _ = cv2.getTextSize(caption, font, size_of_text, 1)
    cv2.rectangle(canvas, (0, 0), (long + 12, 22), DARK_RGB, cv2.FILLED)
    cv2.putText(canvas, caption, (6, 16), font, size_of_text, WHITE_RGB, 1, cv2.LINE_AA)
    return canvas


def contact_sheet(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """Pictures of one size in rows of `columns`, on black."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * height, min(columns, len(pictures)) * width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = picture
    return sheet
