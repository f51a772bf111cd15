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
from armsight.estimate.crop_reading import Crop, CropReading, read_crops
from armsight.estimate.session import Session
from armsight.estimate.tuning import Tuning

Array = NDArray[np.floating]
ReadCrops: TypeAlias = Callable[[list[int], list[Box], int], list[CropReading]]
"""Runs the network on a box of each of the chosen images, with so many hypotheses"""

SAME_BOX = 0.5
"""A crop is well aimed where it overlaps the box around its own keypoints by at least this."""
STILL_THERE = 0.5
"""Presence from which on a further crop counts. It is no calibrated threshold: those are fitted to
what was read, which must not depend on them."""
FEWEST_KEYPOINTS = 3
"""With fewer keypoints there is no box, and the whole frame stays in view."""
CLEARLY_THERE = 0.9
"""Below this presence in the whole frame, the frame is read with a border, too."""
BORDER = 1.3
"""Side of that larger box, in sides of the frame."""


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
) -> list[CropReading]:
    """The best reading of a crop around the robot in each image.

    Where the robot is not in the frame, that of the whole frame is returned, without hypotheses.

    Args:
        session: the network.
        tuning: its thresholds.
        images, cameras: one camera for each image.
        hypotheses: samples of the diffusion model.
        blanked: for each image the polygons (N, 2) [px] that are painted black.
        box: read only here, instead of searching the whole frame.
        in_parts: where nothing is found, read parts of the frame, too. It takes several times
            as long, for tiny arms.
        with_border: where nothing is plain, read the frame with a border, too.
    """

    def read(which: list[int], boxes: list[Box], count: int) -> list[CropReading]:
        crops = [
            Crop(images[i], cameras[i].K, box, blanked[i])
            for i, box in zip(which, boxes, strict=True)
        ]
        return read_crops(session, crops, count)

    everyone = list(range(len(images)))
    if box is not None:
        return read(everyone, [square_around(box)] * len(images), hypotheses)
    frames = [whole_frame(image.width, image.height) for image in images]
    readings = read(everyone, frames, 0)
    if with_border:
        _read_wider(readings, images, read, tuning.first_look if in_parts else 0.0)
    there = [i for i in everyone if readings[i].presence >= tuning.first_look]
    boxes = [next_box(readings[i], tuning) for i in there]
    for i, seen in zip(there, read(there, boxes, hypotheses), strict=True):
        readings[i] = seen
    off = [i for i in there if overlap(next_box(readings[i], tuning), readings[i].box) < SAME_BOX]
    boxes = [next_box(readings[i], tuning) for i in off]
    for i, seen in zip(off, read(off, boxes, hypotheses), strict=True):
        if seen.presence >= min(readings[i].presence, STILL_THERE):
            readings[i] = seen
    return readings


def next_box(seen: CropReading, tuning: Tuning) -> Box:
    """The next crop: around the keypoints that were seen."""
    visible = seen.keypoints_seen >= tuning.keypoint_seen
    if visible.sum() < FEWEST_KEYPOINTS:
        return seen.box
    return box_around(seen.keypoints_2d[visible])


def _read_wider(
    readings: list[CropReading], images: list[LoadedImage], read: ReadCrops, in_parts_below: float
) -> None:
    """Replace readings of whole frames without a clear arm: with a border, or in parts.

    An arm that fills the frame is seen with a border around it, a tiny one in parts of the frame.
    """
    unclear = [i for i in range(len(readings)) if readings[i].presence < CLEARLY_THERE]
    boxes = [scaled(readings[i].box, BORDER) for i in unclear]
    for i, seen in zip(unclear, read(unclear, boxes, 0), strict=True):
        readings[i] = max(readings[i], seen, key=lambda one: one.presence)
    for i in unclear:
        if readings[i].presence < in_parts_below:
            parts = tiles(images[i].width, images[i].height)
            seen_parts = read([i] * len(parts), parts, 0)
            readings[i] = max(readings[i], *seen_parts, key=lambda one: one.presence)
