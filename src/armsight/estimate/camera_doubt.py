"""What a picture tells of its camera: the focal length, and what speaks against a given one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import LoadedImage
from armsight.fit.solution import Solution

Array = NDArray[np.floating]

OTHER_FOCAL, OTHER_FOCAL_GAIN = 0.15, 4.0
"""A given focal length is contradicted where the best-fitting one differs by more (in its log) and
is more likely by more than this (in log likelihood)."""
SURE_GAIN, CONTRADICTED_CONFIDENCE = 6.0, 0.4
"""Where the gain is larger than the first, the confidence is at most the second."""
CONTRADICTED = "the arm looks like a field of view of"
"""How the message of a contradicted focal length begins"""


def camera_messages(K: Array, image: LoadedImage, solution: Solution) -> tuple[str, ...]:
    """What the fit found where the focal length was not known, and what speaks against a given one.

    Args:
        K: (3, 3) [px] of the answer.
        image: that it belongs to.
    """
    assert solution.covariance is not None
    half = 0.5 * max(image.width, image.height) / K[0, 0]
    std = float(np.sqrt(solution.covariance[-1, -1]))
    if std > 0.0:
        angle = np.arctan(half)
        fov_deg, fov_std_deg = np.degrees([2 * angle, np.sin(2 * angle) * std])
        return (f"field of view seen from the arm: {fov_deg:.0f} +- {fov_std_deg:.0f} deg",)
    if not is_contradicted(solution):
        return ()
    assert solution.focal_seen is not None
    given, seen = np.degrees(2 * np.arctan([half, half * np.exp(-solution.focal_seen[0])]))
    return (
        f"{CONTRADICTED} {seen:.0f} deg, and the given camera has "
        f"{given:.0f}: does K belong to another size, another lens, or a picture that was cropped?",
    )


def is_contradicted(solution: Solution, gain: float = OTHER_FOCAL_GAIN) -> bool:
    """Whether the picture speaks against the focal length that was given for it."""
    if solution.focal_seen is None:
        return False
    return abs(solution.focal_seen[0]) > OTHER_FOCAL and solution.focal_seen[1] > gain


def with_camera_doubt(confidence: float, solution: Solution) -> float:
    """The confidence of an answer, small where its given camera is surely wrong."""
    if is_contradicted(solution, SURE_GAIN):
        return min(confidence, CONTRADICTED_CONFIDENCE)
    return confidence
