"""Boxes and crops: what part of the image the network looks at, and through which camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.geometry import crop_intrinsics, crop_matrix

Array = NDArray[np.floating]
Box: TypeAlias = tuple[float, float, float, float]
"""Outer edges x0, y0, x1, y1 [px]; the whole of an image of width W spans -0.5 to W - 0.5."""


SMALLEST_BOX = 8.0
"""[px] Side of the smallest box that may be asked for"""


def whole_frame(width: int, height: int) -> Box:
    """The smallest square box that holds the whole image, centred on it."""
    half = max(width, height) / 2
    cx, cy = (width - 1) / 2, (height - 1) / 2
    return cx - half, cy - half, cx + half, cy + half


def scaled(box: Box, factor: float) -> Box:
    """The box `factor` times as wide and high, about the same centre."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half_width, half_height = factor * (box[2] - box[0]) / 2, factor * (box[3] - box[1]) / 2
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height


def square_around(box: Box) -> Box:
    """The smallest square box that holds `box`, about the same centre."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = max(box[2] - box[0], box[3] - box[1]) / 2
    return cx - half, cy - half, cx + half, cy + half


def check_box(box: Sequence[float], width: int, height: int) -> Box:
    """A box (x0, y0, x1, y1) [px] that holds part of an image of that size.

    Raises:
        ConfigError: it is not one; the message says why.
    """
    if len(box) != 4 or not np.isfinite(box).all():
        raise ConfigError(f"the box is {tuple(box)}; give four numbers: x0, y0, x1, y1 in pixels")
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if x1 - x0 < SMALLEST_BOX or y1 - y0 < SMALLEST_BOX:
        raise ConfigError(
            f"the box {x0:g},{y0:g},{x1:g},{y1:g} is {x1 - x0:g}x{y1 - y0:g} pixels; give x0,y0 "
            f"(top left) and x1,y1 (bottom right), at least {SMALLEST_BOX:g} pixels apart"
        )
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise ConfigError(
            f"the box {x0:g},{y0:g},{x1:g},{y1:g} lies outside of the {width}x{height} image"
        )
    return x0, y0, x1, y1


def tiles(width: int, height: int, share: float = 0.6) -> list[Box]:
    """Overlapping square boxes that cover an image, `share` of its longer side wide."""
    side = share * max(width, height)

    def starts(length: int) -> list[float]:
        if side >= length:
            return [(length - 1 - side) / 2]
        count = int(np.ceil(length / side))
        return [float(start) for start in np.linspace(-0.5, length - 0.5 - side, count)]

    return [(x, y, x + side, y + side) for y in starts(height) for x in starts(width)]


def box_around(points: Array, margin: float = 1.25, min_side: float = 32.0) -> Box:
    """The square box around points (N, 2) [px], `margin` times as wide as their extent."""
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    half = max(float((high - low).max()) * margin, min_side) / 2
    x, y = float(centre[0]), float(centre[1])
    return x - half, y - half, x + half, y + half


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return shared / (area_a + area_b - shared)


def cut(pixels: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:
    """Cut `box` out of pixels (H, W, 3) and resize it to (size, size, 3), black off the image.

    Where the box shrinks, whole blocks of pixels are averaged first: bilinear sampling alone
    would skip pixels and alias.
    """
    height, width = pixels.shape[:2]
    factor = max(1, round((box[2] - box[0]) / size))
    # Part of the image under the box, with one more pixel for the interpolation, in whole blocks.
    x0 = max(0, int(np.floor(box[0])) - factor)
    y0 = max(0, int(np.floor(box[1])) - factor)
    x1 = min(width, int(np.ceil(box[2])) + factor + 1)
    y1 = min(height, int(np.ceil(box[3])) + factor + 1)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size, size, 3), np.uint8)
    part: MatLike = pixels[y0:y1, x0:x1]
    to_crop = crop_matrix(box, size)
    if factor > 1:
        pad_x, pad_y = -part.shape[1] % factor, -part.shape[0] % factor
        if pad_x or pad_y:
            part = cv2.copyMakeBorder(part, 0, pad_y, 0, pad_x, cv2.BORDER_CONSTANT)
        shape = (part.shape[1] // factor, part.shape[0] // factor)
        part = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
    # Pixel of `part` -> pixel of the image: blocks have their centre half a block further on.
    to_image = np.array(
        [
            [factor, 0, x0 + (factor - 1) / 2],
            [0, factor, y0 + (factor - 1) / 2],
            [0, 0, 1.0],
        ]
    )
    warp = (to_crop @ to_image)[:2]
    crop = cv2.warpAffine(part, warp, (size, size), flags=cv2.INTER_LINEAR)
    return crop.astype(np.uint8, copy=False)


def to_image(points: Array, box: Box, size: int) -> Array:
    """Crop pixels (..., 2) back to pixels of the whole image."""
    side = (box[2] - box[0]) / size
    moved: Array = (points + 0.5) * side + np.array(box[:2])
    return moved


def camera_token(K: Array, box: Box, size: int) -> NDArray[np.float32]:
    """What the network is told of the camera (4,): the crop's focal lengths and centre.

    `[log(fx / S), log(fy / S), (cx - (S - 1) / 2) / S, (cy - (S - 1) / 2) / S]` of the intrinsics
    of the crop of `S` = `size` pixels.
    """
    C = crop_intrinsics(K, box, size)
    focal = np.log(np.array([C[0, 0], C[1, 1]]) / size)
    centre = (C[:2, 2] - (size - 1) / 2) / size
    return np.concatenate([focal, centre]).astype(np.float32)
