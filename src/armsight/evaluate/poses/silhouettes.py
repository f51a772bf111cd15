"""Does the estimated arm cover the arm in the picture? For sets with robot masks.

Where the true camera pose is unknown, as in most real recordings, this is the one check of the
estimated camera: the links' shapes, posed by the answer, against a mask that a person drew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.data.frame import Frame
from armsight.errors import DatasetError
from armsight.robots import Robot
from armsight.viz.silhouette import silhouette

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

CLOSE_PX = 5
"""Light link meshes have cracks of a few pixels, which are closed before comparing"""


def silhouette_iou(robot: Robot, frame: Frame, answer: Mapping[str, Any]) -> float:
    """Intersection over union of the answer's outline and the frame's mask, in [0, 1].

    0 without an answer; NaN where the frame has no mask.

    Raises:
        DatasetError: the mask cannot be read, or is not of the picture's size.
    """
    if frame.mask_path is None:
        return float("nan")
    true = _read_mask(frame)
    q, T, K = (answer.get(name) for name in ("joint_positions", "T_cam_base", "K"))
    K = frame.K if K is None else K
    if not answer["robot_found"] or q is None or T is None or K is None:
        return 0.0
    joints, T_cam_base, camera = (np.array(values, dtype=float) for values in (q, T, K))
    drawn = silhouette(robot, joints, T_cam_base, camera, *frame.image_size)
    closed = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((CLOSE_PX, CLOSE_PX), np.uint8)) > 0
    union = int((closed | true).sum())
    return int((closed & true).sum()) / union if union else 0.0


def _read_mask(frame: Frame) -> Mask:
    try:
        with Image.open(frame.mask_path or "") as image:
            mask = np.array(image.convert("L")) > 127
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"cannot read mask {frame.mask_path}: {error}") from error
    if mask.shape[::-1] != frame.image_size:
        raise DatasetError(
            f"mask {frame.mask_path} is {mask.shape[1]}x{mask.shape[0]}, but its picture is "
            f"{frame.image_size[0]}x{frame.image_size[1]}; masks must have the picture's size"
        )
    return mask
