"""Whether the camera itself moved between frames: then what stands still in the room moves too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Grey = NDArray[np.uint8]

LONGER_SIDE = 320
"""[px] of the pictures that are compared"""
NUM_CORNERS = 250
FEWEST_CORNERS = 12
LEAST_SHIFT = 0.6
"""[px] in a picture of that size: below this the camera counts as still"""
TIMES_NOISE = 4.0
"""A shift counts where it exceeds so many times the frames' scatter"""
TOGETHER_PX = 1.5
"""[px] Half of the corners must shift alike to within this; otherwise they are on the arm"""
LEAST_TRACKED = 0.35
"""A frame says nothing where a smaller share of the corners is found again"""


@dataclass(frozen=True)
class CameraMotion:
    """A camera that moved once."""

    frame: int
    """the first frame after the move"""
    shift_px: float
    """by how much the room moved in pictures whose longer side has `LONGER_SIDE` px"""


def grey_copy(image: NDArray[np.uint8]) -> Grey:
    """A frame (H, W, 3) as a small grey picture."""
    height, width = image.shape[:2]
    factor = LONGER_SIDE / max(height, width)
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def find_camera_motion(greys: Sequence[Grey]) -> CameraMotion | None:
    """Where the room's corners shift for good, by more than they scatter; None if nowhere.

    Corners are tracked by the method of Lucas and Kanade from the middle frame into each other one;
    the arm carries few of them, so that their median is the room's.
    """
    shifts = background_shifts(greys)
    known = np.flatnonzero(np.isfinite(shifts).all(-1))
    if len(known) < 2:
        return None
    values = shifts[known]
    # The split that leaves the least scatter about the medians of both sides.
    k = min(range(1, len(known)), key=lambda k: _scatter(values[:k]) + _scatter(values[k:]))
    before, after = np.median(values[:k], axis=0), np.median(values[k:], axis=0)
    step = float(np.linalg.norm(after - before))
    rest = np.concatenate([values[:k] - before, values[k:] - after])
    noise = float(np.median(np.linalg.norm(rest, axis=-1)))
    if step < max(LEAST_SHIFT, TIMES_NOISE * noise):
        return None
    return CameraMotion(int(known[k]), step)


def background_shifts(greys: Sequence[Grey]) -> Array:
    """(N, 2) [px] by which the room's corners lie elsewhere than in the middle frame, in the
    median; NaN where too few are found again."""
    reference = greys[len(greys) // 2]
    corners = cv2.goodFeaturesToTrack(reference, NUM_CORNERS, 0.01, 5)
    shifts = np.full((len(greys), 2), np.nan)
    if corners is None or len(corners) < FEWEST_CORNERS:
        return shifts
    start = np.asarray(corners, np.float32)
    for i, grey in enumerate(greys):
        where, found, _ = cv2.calcOpticalFlowPyrLK(reference, grey, start, np.empty(0, np.float32))
        back, again, _ = cv2.calcOpticalFlowPyrLK(grey, reference, where, np.empty(0, np.float32))
        same = np.linalg.norm((back - start)[:, 0], axis=-1) < 0.5
        kept = (found[:, 0] == 1) & (again[:, 0] == 1) & same
        if kept.sum() < max(FEWEST_CORNERS, LEAST_TRACKED * len(start)):
            continue
        each = (where - start)[kept, 0]
        shift = np.median(each, axis=0)
        together = np.linalg.norm(each - shift, axis=-1) < TOGETHER_PX
        if together.mean() > 0.5:
            shifts[i] = shift
    return shifts


def _scatter(shifts: Array) -> float:
    return float(np.linalg.norm(shifts - np.median(shifts, axis=0), axis=-1).sum())
