"""Where in an image is the robot? The frame first, then a box around it, then a better box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import (
    Box,
    box_around,
    overlap,
    scaled,
    square_around,
    tiles,
    whole_frame,
)
from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import Intrinsics
from armsight.estimate.answer import Tuning
from armsight.estimate.look import Look, View, look
from armsight.estimate.session import Session

Array = NDArray[np.floating]
LookAt: TypeAlias = Callable[[list[int], list[Box], int], list[Look]]
"""Runs the network on a box of each of the chosen images, with so many hypotheses"""

SAME_BOX = 0.5
"""Overlap with the box around its own keypoints from which on a look counts as well aimed."""
STILL_THERE = 0.5
"""Presence from which on a further look counts. No calibrated threshold: those are fitted to
what was looked at, which must then not depend on them."""
FEWEST_KEYPOINTS = 3
"""Keypoints that make a box; with fewer the whole frame stays in view."""
CLEARLY_THERE = 0.9
"""Presence in the whole frame under which the frame is looked at with a border, too."""
BORDER = 1.3
"""Side of that second look, in sides of the frame."""


def search(
    session: Session,
    tuning: Tuning,
    images: list[LoadedImage],
    cameras: list[Intrinsics],
    hypotheses: int,
    blanked: Sequence[tuple[Array, ...]],
    box: Box | None = None,
    in_parts: bool = True,
    with_border: bool = True,
) -> list[Look]:
    """The best look at the robot in each image.

    Where the robot is not in the frame, the first look is returned, without hypotheses.

    Args:
        session: the network.
        tuning: its thresholds.
        images, cameras: one camera for each image.
        hypotheses: samples of the diffusion model.
        blanked: for each image the polygons (N, 2) [px] that are painted black.
        box: look only here, instead of searching the whole frame.
        in_parts: where nothing is found, look at parts of the frame, too. It takes several times
            as long, for tiny arms.
        with_border: where nothing is plain, look at the frame with a border, too.
    """

    def look_at(which: list[int], boxes: list[Box], count: int) -> list[Look]:
        views = [
            View(images[i], cameras[i].K, box, blanked[i])
            for i, box in zip(which, boxes, strict=True)
        ]
        return look(session, views, count)

    everyone = list(range(len(images)))
    if box is not None:
        return look_at(everyone, [square_around(box)] * len(images), hypotheses)
    frames = [whole_frame(image.width, image.height) for image in images]
    looks = look_at(everyone, frames, 0)
    if with_border:
        _look_wider(looks, images, look_at, tuning.first_look if in_parts else 0.0)
    there = [i for i in everyone if looks[i].presence >= tuning.first_look]
    boxes = [next_box(looks[i], tuning) for i in there]
    for i, seen in zip(there, look_at(there, boxes, hypotheses), strict=True):
        looks[i] = seen
    off = [i for i in there if overlap(next_box(looks[i], tuning), looks[i].box) < SAME_BOX]
    boxes = [next_box(looks[i], tuning) for i in off]
    for i, seen in zip(off, look_at(off, boxes, hypotheses), strict=True):
        if seen.presence >= min(looks[i].presence, STILL_THERE):
            looks[i] = seen
    return looks


def next_box(seen: Look, tuning: Tuning) -> Box:
    """Where to look next: around the keypoints that were seen."""
    visible = seen.keypoints_seen >= tuning.keypoint_seen
    if visible.sum() < FEWEST_KEYPOINTS:
        return seen.box
    return box_around(seen.keypoints_2d[visible])


def _look_wider(
    looks: list[Look], images: list[LoadedImage], look_at: LookAt, in_parts_below: float
) -> None:
    """Replace first looks that saw no clear arm: with a border around the frame, or in parts.

    An arm that fills the frame is seen with a border around it, a tiny one in parts of the frame.
    """
    unclear = [i for i in range(len(looks)) if looks[i].presence < CLEARLY_THERE]
    boxes = [scaled(looks[i].box, BORDER) for i in unclear]
    for i, seen in zip(unclear, look_at(unclear, boxes, 0), strict=True):
        looks[i] = max(looks[i], seen, key=lambda one: one.presence)
    for i in unclear:
        if looks[i].presence < in_parts_below:
            parts = tiles(images[i].width, images[i].height)
            seen_parts = look_at([i] * len(parts), parts, 0)
            looks[i] = max(looks[i], *seen_parts, key=lambda one: one.presence)
