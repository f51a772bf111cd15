"""Where in a picture an arm is: to blank it, and to tell whether two answers are of one arm."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.estimate.search import FEWEST_KEYPOINTS
from armsight.state import Estimate

Array = NDArray[np.floating]

BLANK_MARGIN = 1.2
"""Size of an arm's area, in sizes of the hull of its keypoints"""
SAME_ARM_SHARE = 0.4
"""An answer with a larger share of its keypoints inside the areas of other arms is one of those
arms, or what was left of it."""


def arm_area(estimate: Estimate) -> Array:
    """The convex hull (N, 2) [px] of an arm's keypoints, a little enlarged; empty without any."""
    if estimate.keypoints_2d is None:
        return np.zeros((0, 2))
    points = estimate.keypoints_2d[np.isfinite(estimate.keypoints_2d).all(axis=1)]
    if len(points) < FEWEST_KEYPOINTS:
        return np.zeros((0, 2))
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(float)
    centre = hull.mean(axis=0)
    enlarged: Array = centre + BLANK_MARGIN * (hull - centre)
    return enlarged


def lies_in(estimate: Estimate, areas: Sequence[Array]) -> bool:
    """Whether most of an arm's keypoints (its origins too) lie in the areas of other arms."""
    if estimate.keypoints_2d is None:
        return False
    points = estimate.keypoints_2d[np.isfinite(estimate.keypoints_2d).all(axis=1)]
    inside = [
        any(
            len(area) > 0 and cv2.pointPolygonTest(area.astype(np.float32), point, False) >= 0
            for area in areas
        )
        for point in points.tolist()
    ]
    return sum(inside) > SAME_ARM_SHARE * max(1, len(inside))
