"""What a film says above its pictures: which side is what, the step, the action, the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Array = NDArray[np.floating]

BACK, INK, SOLVED = (18, 22, 28), (235, 238, 242), (110, 220, 140)
SMALLEST, LARGEST = 9, 15
"""Size of letters [px]"""
LINE = 1.4
"""Line height in units of the letters"""


@dataclass
class Caption:
    """The texts of a film of actions."""

    title: str
    """Such as the task and its initial state"""
    actions: Array
    """(N, 7)"""
    keyframe_steps: Sequence[int] | NDArray[np.int64] = ()
    """Control steps of the keyframes, where they are shown on the left"""
    solved: Callable[[], bool] = field(default=lambda: False)
    """Whether the task is solved by now"""

    def lines(self, step: int) -> tuple[tuple[str, str], str, str]:
        """The sides' names, the title, and the action that is about to be played."""
        count = len(self.actions)
        seen = int(np.searchsorted(self.keyframe_steps, step, side="right"))
        left = f"input: keyframe {seen} of {len(self.keyframe_steps)}"
        right = f"simulator: step {step} of {count}"
        if self.solved():
            right += ", solved"
        if step >= count:
            return (left, right), self.title, "no more actions: holding still"
        x, y, z, rx, ry, rz, gripper = self.actions[step]
        action = (
            f"move {x:+.2f} {y:+.2f} {z:+.2f}  turn {rx:+.2f} {ry:+.2f} {rz:+.2f}  "
            f"gripper {'close' if gripper > 0 else 'open'}"
        )
        return (left, right), self.title, action


def add_caption(picture: Pixels, caption: Caption, step: int, split: int = 0) -> Pixels:
    """A picture (H, W, 3) with three lines above it; what does not fit is cut off.

    Above, since players lay their controls over the lower edge.

    Args:
        split: column where the right side begins; 0 where there is only one side.
    """
    width = picture.shape[1]
    size = int(np.clip(width / 32, SMALLEST, LARGEST))
    pad, line = size // 2, round(LINE * size)
    (left, right), title, action = caption.lines(step)
    bar = Image.new("RGB", (width, 3 * line + pad), BACK)
    draw = ImageDraw.Draw(bar)
    font = _font(size)
    if split:
        draw.text((pad, pad // 2), _fitting(left, split - pad, font), INK, font)
    colour = SOLVED if caption.solved() else INK
    draw.text((split + pad, pad // 2), _fitting(right, width - split - pad, font), colour, font)
    for i, text in enumerate((title, action), 1):
        draw.text((pad, pad // 2 + i * line), _fitting(text, width - pad, font), INK, font)
    return np.concatenate([np.asarray(bar, np.uint8), picture])


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of the text as has room."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
