"""What moves between frames of a fixed camera: where the arm must be, before any camera is known.

Frames are compared in pairs. Exposure and white balance change from frame to frame in real
recordings, so each is first brought to the gain and offset of the frames' median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

WIDTH = 80
"""[px] The longer side of the pictures that are compared"""
MOST_DIFFERENCE = 60.0
"""[grey levels] Larger differences count as this"""
AGREEING_SHARE = 0.7
"""Gain and offset are fitted to this share of the pixels, those that agree best"""


@dataclass(frozen=True)
class MotionImages:
    """How much each of P pairs of frames differs, in small pictures."""

    pairs: NDArray[np.intp]
    """(P, 2) frames"""
    differences: NDArray[np.float32]
    """(P, height * width), each of mean 0 and length 1"""
    size: tuple[int, int]
    """width, height [px] of the small pictures"""
    activity: NDArray[np.float32]
    """(height, width) how much changes there, over all pairs, 0 where no more than noise does"""

    @classmethod
    def of(cls, images: Sequence[Pixels]) -> MotionImages:
        """Of N >= 2 frames (H, W, 3) of one size."""
        small = compensated(shrunk(images, WIDTH))
        pairs = np.array(list(combinations(range(len(images)), 2)))
        raw = np.stack([np.abs(small[i] - small[j]).max(-1) for i, j in pairs])
        raw = np.minimum(raw, MOST_DIFFERENCE)
        noise = np.median(raw, axis=(1, 2), keepdims=True)
        activity = np.maximum(raw - 3 * noise - 2, 0).mean(0)
        flat = raw.reshape(len(pairs), -1)
        flat = flat - flat.mean(1, keepdims=True)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9
        height, width = small.shape[1:3]
        return cls(pairs, flat.astype(np.float32), (width, height), activity)

    def among(self, frames: NDArray[np.intp]) -> MotionImages:
        """The same for some of the frames, numbered anew."""
        place = np.full(self.pairs.max() + 1, -1)
        place[frames] = np.arange(len(frames))
        kept = (place[self.pairs] >= 0).all(-1)
        return MotionImages(
            place[self.pairs[kept]], self.differences[kept], self.size, self.activity
        )

    def correlation(self, masks: NDArray[np.uint8] | None) -> float:
        """Of what differs between frames with what differs between masks (N, height, width) of the
        arm, as a mean over pairs: 1 for a perfect explanation, about 0 for none."""
        if masks is None:
            return -1.0
        one, other = masks.reshape(len(masks), -1)[self.pairs.T]
        changed = (one ^ other).astype(np.float32)
        share = changed.mean(1)
        std = np.sqrt(share * (1 - share) * changed.shape[1])
        products = np.einsum("pk,pk->p", changed, self.differences)
        return float((products / np.maximum(std, 1e-3)).mean())


def shrunk(images: Sequence[Pixels], longer_side: int) -> NDArray[np.float32]:
    """(N, h, w, 3) smoothed small copies of frames of one size."""
    height, width = images[0].shape[:2]
    factor = longer_side / max(height, width)
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack([cv2.GaussianBlur(s, (0, 0), 0.8).astype(np.float32) for s in small])


def compensated(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (N, h, w, 3), each at the gain and offset of their median, by channel."""
    reference = np.median(small, axis=0).reshape(-1, 3)
    result = np.empty_like(small)
    for n, frame in enumerate(small):
        for c in range(3):
            gain, offset = _gain_offset(frame[..., c].ravel(), reference[:, c])
            result[n, ..., c] = gain * frame[..., c] + offset
    return result


def _gain_offset(values: Array, reference: Array) -> tuple[float, float]:
    """Least trimmed squares of `reference` on `values`."""
    gain, offset = 1.0, float(np.median(reference - values))
    for _ in range(5):
        off = np.abs(gain * values + offset - reference)
        kept = off <= np.quantile(off, AGREEING_SHARE)
        v, r = values[kept], reference[kept]
        spread = v.var()
        gain = float(np.clip(((v - v.mean()) * (r - r.mean())).mean() / spread, 0.3, 3.0)) \
            if spread > 4.0 else 1.0  # fmt: skip
        offset = float(r.mean() - gain * v.mean())
    return gain, offset
