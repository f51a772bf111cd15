"""Which initial state a picture shows: the one whose own picture is most like it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

BLUR = 4.0
"""Standard deviation [px] of the neighbourhood whose mean and contrast are taken away"""
VARYING = 0.1
"""Share of the pixels, those that differ most between the states, that is compared"""


class SeenScene(Protocol):
    """What is reset and looked at: `armsight.control.simulation.Simulation`."""

    def reset(self, initial_state: int) -> None:
        """Start over from one of the task's initial states."""

    def render(self) -> Pixels:
        """(S, S, 3) RGB"""


def rank(pictures: Sequence[Pixels], picture: Pixels) -> tuple[NDArray[np.intp], Array]:
    """Which of `pictures` are most like `picture`, all (H, W, 3) of one camera.

    What all pictures share (robot, floor, basket) says nothing and would drown the rest, and
    brightness may differ between renderers. So local contrast is compared, its mean over
    `pictures` taken away, where the pictures differ from one another.

    Returns:
        Indices (N,), the most alike first, and the correlations (N,) in that order.
    """
    height, width = picture.shape[:2]
    sized = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in pictures]
    contrasts = np.stack([_local_contrast(np.asarray(one)) for one in sized])
    mean, spread = contrasts.mean(axis=0), contrasts.std(axis=0)
    where = spread >= np.quantile(spread, 1 - VARYING)
    known, seen = (contrasts - mean)[:, where], (_local_contrast(picture) - mean)[where]
    norms = np.linalg.norm(known, axis=1) * np.linalg.norm(seen)
    alike = known @ seen / np.maximum(norms, 1e-9)
    order = np.argsort(-alike, kind="stable")
    return order, alike[order]


def most_alike(
    scene: SeenScene, picture: Pixels, initial_states: Iterable[int]
) -> tuple[list[int], Array]:
    """Initial states in the order in which their pictures are like `picture` (H, W, 3).

    The scene is left in whichever state was tried last.

    Returns:
        The states, the most alike first, and their correlations (N,).
    """
    states, pictures = [], []
    for state in initial_states:
        scene.reset(state)
        states.append(state)
        pictures.append(scene.render())
    order, alike = rank(pictures, picture)
    return [states[i] for i in order], alike


def _local_contrast(picture: Pixels) -> Array:
    """(H, W, 3): each pixel against its neighbourhood, over that neighbourhood's contrast."""
    values = picture.astype(np.float64)
    difference = values - cv2.GaussianBlur(values, (0, 0), BLUR)
    contrast = np.sqrt(cv2.GaussianBlur(difference**2, (0, 0), BLUR))
    flattened: Array = difference / (contrast + 4.0)  # [grey values]; even areas hold only noise
    return flattened
