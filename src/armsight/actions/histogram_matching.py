"""Frames of another renderer get the tones of the camera that a network knows.

A world model, or another renderer, shows a scene lighter or in other colours. The suite's own
first pictures are so alike in their histograms, over all tasks and initial states (within one grey
level), that one mean histogram, kept beside the weights (first_pictures.py), stands for them; no
simulator is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

MODES = ("auto", "always", "never")
AUTO_MATCH_LEVELS = 5.0
"""[grey levels] `auto` matches histograms that are further apart than this"""


@dataclass(frozen=True)
class ToneHistogram:
    """How often a camera sees which grey value."""

    shares: Array
    """(3, 256) of each channel: the share of pixels up to that value, rising to 1"""

    @classmethod
    def of(cls, pictures: Pixels) -> ToneHistogram:
        """Those of pictures (..., H, W, 3), all pixels together."""
        channels = pictures.reshape(-1, 3).T
        counts = np.stack([np.bincount(channel, minlength=256) for channel in channels])
        return cls(np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True))

    def distance(self, other: ToneHistogram) -> float:
        """How many grey levels a pixel must be moved in the mean to turn one into the other."""
        return float(np.abs(self.shares - other.shares).sum(axis=1).mean())

    def curves_to(self, wanted: ToneHistogram) -> Pixels:
        """(3, 256): which value each value becomes (histogram matching by channel)."""
        curves = np.empty((3, 256), np.uint8)
        for channel, (shares, known) in enumerate(zip(self.shares, wanted.shares, strict=True)):
            there = np.flatnonzero(np.diff(known, prepend=0.0) > 0)
            curves[channel] = np.round(np.interp(shares, known[there], there))
        return curves


def match_tones(frames: Pixels, wanted: ToneHistogram) -> Pixels:
    """Frames (N, H, W, 3) of which the first one, and with it all others, get the wanted tones."""
    curves = ToneHistogram.of(frames[0]).curves_to(wanted)
    return np.stack([curves[c][frames[..., c]] for c in range(3)], axis=-1)


@dataclass(frozen=True)
class Matching:
    """What was done about the tones of frames; travels with the actions."""

    mode: str
    matched: bool
    distance: float | None
    """Grey levels from the first frame's tones to those of the weights; None: they have none"""

    def note(self, task: str) -> str | None:
        """What a person should know of it."""
        if self.distance is None or not (self.matched or self.distance > AUTO_MATCH_LEVELS):
            return None
        off = f"the first frame's tones are {self.distance:.0f} grey levels off {task}'s own"
        if self.matched:
            return f"{off}: all frames were matched to them (--match-tones never does not)"
        return f"{off}, and were left so, as --match-tones never asks"

    def to_json(self) -> dict[str, Any]:
        """For files: `distance` in grey levels."""
        return {"mode": self.mode, "matched": self.matched, "distance": self.distance}


def adapt(
    images: Pixels, inside: tuple[slice, slice], wanted: ToneHistogram | None, mode: str
) -> tuple[Pixels, Matching]:
    """Images (N, S, S, 3) as the network is to see them.

    Args:
        inside: rows and columns that show something; what is around them stays as it is.
        wanted: tones that the network knows, if that is known.
        mode: "auto" matches what is more than AUTO_MATCH_LEVELS off, "always" all, "never" none.

    Raises:
        ConfigError: another mode, or "always" without tones to match to.
    """
    if mode not in MODES:
        raise ConfigError(f"match_tones is {mode!r}; valid: {', '.join(MODES)}")
    if wanted is None:
        if mode == "always":
            raise ConfigError(
                "these weights come without first_pictures.npz, so there are no tones to match to; "
                "write it with `armsight control first-pictures`, or match tones never or auto"
            )
        return images, Matching(mode, False, None)
    shown = images[(slice(None), *inside)]
    distance = round(ToneHistogram.of(shown[0]).distance(wanted), 3)
    if mode == "never" or (mode == "auto" and distance <= AUTO_MATCH_LEVELS):
        return images, Matching(mode, False, distance)
    images = images.copy()
    images[(slice(None), *inside)] = match_tones(shown, wanted)
    return images, Matching(mode, True, distance)
