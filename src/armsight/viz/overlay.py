"""An estimate drawn over its image: outline, skeleton, keypoints, uncertainty, base axes."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import project, scale_matrix
from armsight.robots import Robot, load_robot
from armsight.state import Estimate
from armsight.viz.panel import draw_panel
from armsight.viz.silhouette import outline, silhouette

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

LONGEST, SHORTEST = 1920, 640
"""Longer side [px] of a drawing: larger pictures are shrunk, smaller ones enlarged."""
OUTLINE: Colour = (40, 225, 255)
DARK: Colour = (18, 22, 28)
WHITE: Colour = (255, 255, 255)
CHAIN = np.array([[60.0, 220, 140], [255, 215, 60], [255, 70, 150]])
"""Colours along the skeleton: green at the base, yellow, pink at the hand"""
AXES: tuple[Colour, ...] = ((255, 70, 70), (80, 220, 80), (80, 140, 255))
AXIS_LENGTH = 0.15
"""[m]"""
TINT = 0.16
TINTED = (
    (np.arange(256)[:, None] * (1 - TINT) + np.array(OUTLINE) * TINT)
    .round()
    .astype(np.uint8)
    .reshape(256, 1, 3)
)
"""For each value of a channel, the value after tinting"""
FARTHEST_PX = 30_000.0
"""Coordinates [px] beyond which nothing is drawn: OpenCV's fixed point would overflow."""


def draw_overlay(
    image: Pixels,
    estimate: Estimate,
    robot: Robot | None = None,
    *,
    full_size: tuple[int, int] | None = None,
    resize: bool = True,
) -> Pixels:
    """Draw an estimate over its image.

    Args:
        image: (H, W, 3) RGB.
        estimate: in pixels of the image; one without an answer draws its message only.
        robot: for the outline and the skeleton; the estimate's own robot by default.
        full_size: width and height that the estimate's pixels refer to, where `image` is a
            reduced copy.
        resize: bring the longer side to between `SHORTEST` and `LONGEST` pixels.

    Returns:
        (H', W', 3) RGB, a new array.
    """
    width, height = full_size or (image.shape[1], image.shape[0])
    longer = max(image.shape[:2])
    factor = min(max(longer, SHORTEST), LONGEST) / longer if resize else 1.0
    if estimate.distortion is not None and estimate.K is not None:
        # Everything is drawn as a pinhole camera sees it.
        K = scale_matrix(image.shape[1] / width, image.shape[0] / height) @ estimate.K
        image = estimate.distortion.undistorted(image, K)
    canvas = _resized(image, factor)
    robot = robot or load_robot(estimate.robot)
    if not estimate.robot_found or estimate.T_cam_base is None:
        draw_panel(canvas, estimate, None)
        return canvas

    h, w = canvas.shape[:2]
    S = scale_matrix(w / width, h / height)
    unit = max(w, h) / 640  # line widths grow with the picture
    # The surest arm is drawn last, on top.
    for other in reversed(estimate.others):
        _draw_arm(canvas, other, load_robot(other.robot), S, unit)
    mask = _draw_arm(canvas, estimate, robot, S, unit)
    draw_panel(canvas, estimate, mask)
    return canvas


def _draw_arm(
    canvas: Pixels, estimate: Estimate, robot: Robot, S: Array, unit: float
) -> NDArray[np.uint8] | None:
    """Draw one arm; `S` (3, 3) takes the estimate's pixels to the canvas's. Returns its mask."""
    if estimate.T_cam_base is None:
        return None
    assert estimate.K is not None
    assert estimate.joint_positions is not None
    h, w = canvas.shape[:2]
    K = S @ estimate.K
    mask = silhouette(robot, estimate.joint_positions, estimate.T_cam_base, K, w, h)
    _draw_outline(canvas, mask, unit)
    _draw_axes(canvas, estimate.T_cam_base, K, unit)
    assert estimate.keypoints_3d_cam is not None
    points = project(estimate.keypoints_3d_cam, K)
    std = None if estimate.keypoints_2d_std is None else estimate.keypoints_2d_std * S[0, 0]
    _draw_keypoints(canvas, points, std, robot, unit)
    return mask


def _resized(image: Pixels, factor: float) -> Pixels:
    if factor == 1.0:
        return image.copy()
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=how).astype(np.uint8, copy=False)


def _draw_outline(canvas: Pixels, mask: NDArray[np.uint8], unit: float) -> None:
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return
    part, where = canvas[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    part[where > 0] = cv2.LUT(part[where > 0].reshape(-1, 1, 3), TINTED).reshape(-1, 3)
    contours = outline(mask)
    cv2.drawContours(canvas, contours, -1, DARK, _thick(3.0 * unit), cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, OUTLINE, _thick(1.6 * unit), cv2.LINE_AA)


def _draw_axes(canvas: Pixels, T_cam_base: Array, K: Array, unit: float) -> None:
    """The base frame's axes: x red, y green, z blue."""
    in_base = np.vstack([np.zeros(3), AXIS_LENGTH * np.eye(3)])
    ends = project(in_base @ T_cam_base[:3, :3].T + T_cam_base[:3, 3], K)
    for end, colour in zip(ends[1:], AXES, strict=True):
        _line(canvas, ends[0], end, DARK, 4.0 * unit)
        _line(canvas, ends[0], end, colour, 2.2 * unit)


def _draw_keypoints(
    canvas: Pixels, points: Array, std: Array | None, robot: Robot, unit: float
) -> None:
    """Skeleton and origin keypoints from green (base) to pink (hand); surface points small."""
    count = robot.num_origin_keypoints
    along = np.linspace(0, len(CHAIN) - 1, count)
    stops = [np.interp(along, range(len(CHAIN)), channel) for channel in CHAIN.T]
    colours = [_colour(c) for c in np.stack(stops, axis=1)]
    for point in points[count:]:
        _dot(canvas, point, 1.5 * unit, WHITE)
    for a, b in robot.skeleton:
        _line(canvas, points[a], points[b], DARK, 5.0 * unit)
    for a, b in robot.skeleton:
        _line(canvas, points[a], points[b], colours[min(b, count - 1)], 3.0 * unit)
    if std is not None:
        _draw_uncertainty(canvas, points[:count], 2 * std[:count], colours, unit)
    for point, colour in zip(points[:count], colours, strict=True):
        _dot(canvas, point, 5.0 * unit, DARK)
        _dot(canvas, point, 4.2 * unit, WHITE)
        _dot(canvas, point, 3.0 * unit, colour)


def _draw_uncertainty(
    canvas: Pixels, points: Array, radii: Array, colours: list[Colour], unit: float
) -> None:
    """Discs of two standard deviations, see-through."""
    layer = canvas.copy()
    for point, radius, colour in zip(points, radii, colours, strict=True):
        _dot(layer, point, min(float(radius), max(canvas.shape) / 4), colour)
    cv2.addWeighted(layer, 0.3, canvas, 0.7, 0, dst=canvas)
    for point, radius, colour in zip(points, radii, colours, strict=True):
        _dot(canvas, point, min(float(radius), max(canvas.shape) / 4), colour, _thick(unit))


def _line(canvas: Pixels, a: Array, b: Array, colour: Colour, width: float) -> None:
    if _drawable(a) and _drawable(b):
        cv2.line(canvas, _fixed(a), _fixed(b), colour, _thick(width), cv2.LINE_AA, 4)


def _dot(canvas: Pixels, at: Array, radius: float, colour: Colour, thickness: int = -1) -> None:
    if _drawable(at) and np.isfinite(radius):
        cv2.circle(canvas, _fixed(at), round(radius * 16), colour, thickness, cv2.LINE_AA, 4)


def _drawable(point: Array) -> bool:
    return bool(np.isfinite(point).all() and (np.abs(point) < FARTHEST_PX).all())


def _fixed(point: Array) -> tuple[int, int]:
    return round(float(point[0]) * 16), round(float(point[1]) * 16)


def _thick(width: float) -> int:
    return max(1, round(width))


def _colour(values: Array) -> Colour:
    r, g, b = (round(float(v)) for v in values)
    return r, g, b
