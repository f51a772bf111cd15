"""Does the camera stand still, sway, or move? Told from the background, while an arm moves.

Corners of one picture are tracked into others (Lucas and Kanade 1981; kept where tracking back
ends where it began, Kalal et al. 2010). Before a still camera many stay where they were, whatever
else moves. Before a camera on a shaky stand, or in a calm hand, they move together by a little:
such a sway is nearly a turn of the camera, and can be taken out. Else the camera moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.geometry import rotvec_from_rotation

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

LONGER_SIDE = 320
"""[px] Pictures are shrunk to this"""
MOST_CORNERS, FEWEST_CORNERS = 300, 25
STAYED_PX, RETURNED_PX = 0.7, 0.5
"""[px of the shrunk picture] A corner that moved by less stayed; one that tracking back misses by
more was lost"""
SHARE_STAYED = 0.35
"""of the corners that were not lost must have stayed: a large arm may carry many of the others"""
TOGETHER_PX = 1.5
"""[px of the shrunk picture] from the common motion: things at other depths sway otherwise"""
SHARE_FRAMES = 0.85
"""of the pictures must be such; an arm close by hides the background now and then"""
LARGEST_SWAY = np.radians(6.0)
"""A camera that turns further moves"""


@dataclass(frozen=True)
class Stillness:
    """What the background says of the camera."""

    verdict: str
    """still, sways, moves, or unknown: there is too little to see"""
    reason: str
    """for people"""
    background: Background | None = None
    """to take the sway out with"""


def small_grey(pixels: Pixels) -> Pixels:
    """A picture (H, W, 3) RGB as `camera_stands_still` wants it: (h, w), of even contrast."""
    factor = min(1.0, LONGER_SIDE / max(pixels.shape[:2]))
    size = tuple(max(16, round(side * factor)) for side in pixels.shape[1::-1])
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    # Cameras change exposure by themselves.
    return np.asarray(cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), np.uint8)


@dataclass(frozen=True)
class Background:
    """One picture that others are compared with."""

    picture: Pixels
    """(h, w) grey, see `small_grey`"""

    @cached_property
    def corners(self) -> NDArray[np.float32]:
        """(N, 1, 2) [px], spread over the picture."""
        found = cv2.goodFeaturesToTrack(self.picture, MOST_CORNERS, 0.01, 6)
        return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)

    def share_that_stayed(self, picture: Pixels) -> float:
        """Of the corners that are found again, the share that has not moved; NaN: few are."""
        here, there = self._tracked(picture)
        if len(here) < FEWEST_CORNERS:
            return float("nan")
        return float((np.linalg.norm(there - here, axis=-1) < STAYED_PX).mean())

    def turn(self, picture: Pixels, focal: float) -> Array | None:
        """The camera's turn (3,) [rad] since the reference picture, as a rotation vector.

        A point at `p_cam` in the reference picture's camera is at `rotation(turn) @ p_cam` now.

        Args:
            picture: (h, w) grey.
            focal: focal length over the longer side of the picture.

        None where the background is not found again, or does not move as one.
        """
        here, there = self._tracked(picture)
        if len(here) < FEWEST_CORNERS:
            return None
        _, mask = cv2.estimateAffinePartial2D(
            here, there, method=cv2.RANSAC, ransacReprojThreshold=TOGETHER_PX
        )
        together = np.zeros(len(here), bool) if mask is None else mask[:, 0] > 0
        if together.sum() < FEWEST_CORNERS or together.mean() < SHARE_STAYED:
            return None
        rays = [self._rays(points[together], focal) for points in (here, there)]
        # The rotation that takes the rays to where they are now (Kabsch 1976).
        U, _, Vt = np.linalg.svd(rays[1].T @ rays[0])
        R = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
        turn = rotvec_from_rotation(R)
        return turn if np.linalg.norm(turn) < LARGEST_SWAY else None

    def _rays(self, points: Array, focal: float) -> Array:
        h, w = self.picture.shape
        off = (points - [(w - 1) / 2, (h - 1) / 2]) / (focal * max(w, h))
        rays = np.concatenate([off, np.ones((len(off), 1))], axis=-1)
        unit: Array = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        return unit

    def _tracked(self, picture: Pixels) -> tuple[Array, Array]:
        """Corners (M, 2) [px] here and in another picture."""
        nothing = np.zeros((0, 2))
        if picture.shape != self.picture.shape or len(self.corners) == 0:
            return nothing, nothing
        track = cv2.calcOpticalFlowPyrLK
        moved, found, _ = track(self.picture, picture, self.corners, None)  # type: ignore[call-overload]
        back, returned, _ = track(picture, self.picture, moved, None)  # type: ignore[call-overload]
        kept = (found[:, 0] == 1) & (returned[:, 0] == 1)
        kept &= np.linalg.norm(back - self.corners, axis=-1)[:, 0] < RETURNED_PX
        return self.corners[kept, 0], moved[kept, 0]


def camera_stands_still(pictures: Sequence[Pixels]) -> Stillness:
    """Whether pictures from all over a video were taken from one place.

    Args:
        pictures: (h, w) grey, see `small_grey`.
    """
    if len(pictures) < 2:
        return Stillness("unknown", "there is only one picture")
    background = Background(pictures[len(pictures) // 2])
    if len(background.corners) < FEWEST_CORNERS:
        return Stillness("unknown", "the pictures have too little texture")
    shares = np.array([background.share_that_stayed(one) for one in pictures])
    seen = np.isfinite(shares)
    if seen.mean() < 0.5:
        return Stillness("moves", "the pictures have little in common")
    stayed = float((shares[seen] >= SHARE_STAYED).mean())
    reason = f"the background stays in place in {100 * stayed:.0f} % of frames"
    if stayed >= SHARE_FRAMES:
        return Stillness("still", reason)
    turns = [background.turn(one, focal=1.0) for one in pictures]
    found = [turn for turn in turns if turn is not None]
    if len(found) >= SHARE_FRAMES * len(pictures):
        largest = np.degrees(max(np.linalg.norm(turn) for turn in found))
        return Stillness("sways", f"the background sways by {largest:.1f} deg", background)
    return Stillness("moves", reason)
