"""The small panel of numbers in a corner of an overlay."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from armsight.state import Estimate

Pixels = NDArray[np.uint8]

BACK = np.array([18, 22, 28], dtype=np.float32)
OPACITY = 0.72
LINE = 1.35
"""Line height in units of the text size"""
SMALLEST_CANVAS = 200
"""Height [px] under which a panel would hide the picture."""


def draw_panel(canvas: Pixels, estimate: Estimate, mask: NDArray[np.uint8] | None) -> None:
    """Write robot, confidence and joint angles into the corner that shows least of the arm.

    Args:
        canvas: (H, W, 3) RGB, drawn on.
        estimate: what to write.
        mask: (H, W) where the arm is; None puts the panel into the top left corner.
    """
    height, width = canvas.shape[:2]
    if height < SMALLEST_CANVAS:
        return
    size = max(11, round(max(width, height) / 52))
    lines = panel_lines(estimate)
    font = _font(size)
    pad = size // 2
    w = min(width, int(max(font.getlength(line) for line in lines)) + 2 * pad)
    h = min(height, round(LINE * size * len(lines)) + 2 * pad)
    x, y = _corner(mask, width, height, w, h, size // 2)

    part = canvas[y : y + h, x : x + w]
    text = Image.new("L", (part.shape[1], part.shape[0]))
    draw = ImageDraw.Draw(text)
    for i, line in enumerate(lines):
        draw.text((pad, pad + i * LINE * size), line, fill=255, font=font)
    letters = np.asarray(text, dtype=np.float32)[..., None] / 255
    backed = part * (1 - OPACITY) + BACK * OPACITY
    part[:] = (backed + letters * (245 - backed)).astype(np.uint8)


def panel_lines(estimate: Estimate) -> list[str]:
    """The panel's text: one line for each joint [deg], or why there is no answer."""
    if not estimate.robot_found or estimate.joint_positions is None:
        sure = "" if estimate.presence is None else f" (presence {estimate.presence:.2f})"
        return [f"no {estimate.robot} found{sure}"]
    lines = [f"{estimate.robot}  confidence {estimate.confidence:.2f}"]
    angles = np.degrees(estimate.joint_positions)
    stds = np.full(len(angles), np.nan)
    if estimate.joint_std is not None:
        stds = np.degrees(estimate.joint_std)
    for i, (angle, std) in enumerate(zip(angles, stds, strict=True)):
        spread = f" ± {std:.1f}" if np.isfinite(std) else ""
        lines.append(f"joint {i + 1}   {angle:.1f}{spread}°")
    if not estimate.metric_depth_reliable:
        lines.append(f"camera {estimate.intrinsics_source}: distances unreliable")
    return lines


def _corner(
    mask: NDArray[np.uint8] | None, width: int, height: int, w: int, h: int, gap: int
) -> tuple[int, int]:
    xs, ys = (gap, max(0, width - w - gap)), (gap, max(0, height - h - gap))
    corners = [(x, y) for y in ys for x in xs]
    if mask is None:
        return corners[0]
    return min(corners, key=lambda c: int(mask[c[1] : c[1] + h, c[0] : c[0] + w].sum()))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
