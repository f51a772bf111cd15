"""Does the camera stand still? Told from the background, while an arm moves before it.

Corners of one picture are tracked into others (Lucas and Kanade 1981; kept where tracking back
ends where it began, Kalal et al. 2010). Before a still camera many stay where they were, whatever
else moves; before a moving one hardly any do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

LONGER_SIDE = 320
"""[px] Pictures are shrunk to this"""
MOST_CORNERS, FEWEST_CORNERS = 300, 25
STAYED_PX, RETURNED_PX = 0.7, 0.5
"""[px of the shrunk picture] A corner that moved by less stayed; one that tracking back misses by
more was lost"""
SHARE_STAYED = 0.35
"""of the corners that were not lost must have stayed: a large arm may carry many of the others"""
SHARE_FRAMES = 0.85
"""of the pictures must be such; an arm close by hides the background now and then"""


@dataclass(frozen=True)
class Stillness:
    """What the background says of the camera."""

    still: bool | None
    """None: there is too little to see"""
    reason: str
    """for people"""


def small_grey(pixels: Pixels) -> Pixels:
    """A picture (H, W, 3) RGB as `camera_stands_still` wants it: (h, w), of even contrast."""
    factor = min(1.0, LONGER_SIDE / max(pixels.shape[:2]))
    size = tuple(max(16, round(side * factor)) for side in pixels.shape[1::-1])
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    # Cameras change exposure by themselves.
    return np.asarray(cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), np.uint8)


def camera_stands_still(pictures: Sequence[Pixels]) -> Stillness:
    """Whether pictures from all over a video were taken from one place.

    Args:
        pictures: (h, w) grey, see `small_grey`.
    """
    if len(pictures) < 2:
        return Stillness(None, "there is only one picture")
    middle = pictures[len(pictures) // 2]
    corners = _corners(middle)
    if len(corners) < FEWEST_CORNERS:
        return Stillness(None, "the pictures have too little texture")
    shares = np.array([_share_that_stayed(middle, one, corners) for one in pictures])
    seen = np.isfinite(shares)
    if seen.mean() < 0.5:
        return Stillness(False, "the pictures have little in common")
    stayed = float((shares[seen] >= SHARE_STAYED).mean())
    return Stillness(
        stayed >= SHARE_FRAMES, f"the background stays in place in {100 * stayed:.0f} % of frames"
    )


def _corners(picture: Pixels) -> NDArray[np.float32]:
    """(N, 1, 2) [px], spread over the picture."""
    found = cv2.goodFeaturesToTrack(picture, MOST_CORNERS, 0.01, 6)
    return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)


def _share_that_stayed(here: Pixels, there: Pixels, corners: NDArray[np.float32]) -> float:
    """Of the corners that are found again, the share that has not moved; NaN where few are."""
    if here.shape != there.shape:
        return float("nan")
    moved, found, _ = cv2.calcOpticalFlowPyrLK(here, there, corners, None)  # type: ignore[call-overload]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(there, here, moved, None)  # type: ignore[call-overload]
    kept = (found[:, 0] == 1) & (returned[:, 0] == 1)
    kept &= np.linalg.norm(back - corners, axis=-1)[:, 0] < RETURNED_PX
    if kept.sum() < FEWEST_CORNERS:
        return float("nan")
    distance = np.linalg.norm(moved - corners, axis=-1)[kept, 0]
    return float((distance < STAYED_PX).mean())
