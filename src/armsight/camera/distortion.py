"""Lens distortion: read from camera files, undone in pictures, applied to points.

Models of OpenCV: `plumb_bob` and `rational_polynomial` (k1, k2, p1, p2, k3, k4, k5, k6) and
`fisheye`, which ROS and Kalibr call `equidistant` (k1, k2, k3, k4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import BadIntrinsicsError

Array = NDArray[np.floating]

COEFFICIENT_KEYS = (
    "d", "dist", "distcoeff", "distcoeffs", "distortion", "distortioncoefficients",
    "distortioncoeffs", "distortioncoefs", "coeffs",
)  # fmt: skip
NAMED = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
MODELS = {
    "plumb_bob": ("", "plumbbob", "radtan", "browncostrady", "brownconrady", "opencv", "pinhole",
                  "distortionbrownconrady", "distortionmodifiedbrownconrady"),
    "rational_polynomial": ("rationalpolynomial", "rational"),
    "fisheye": ("fisheye", "equidistant", "equi", "kannalabrandt", "kannalabrandt4",
                "distortionkannalabrandt4"),
    "none": ("none", "distortionnone", "distortioninversebrownconrady"),
}  # fmt: skip
"""Our names, and those that files use. RealSense's inverse Brown-Conrady comes with zeros."""


@dataclass(frozen=True)
class Distortion:
    """How a lens bends a picture."""

    model: str
    """`plumb_bob`, `rational_polynomial` or `fisheye`"""
    coefficients: Array
    """(4,), (5,) or (8,) in OpenCV's order"""

    def undistorted(self, pixels: NDArray[np.uint8], K: Array) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that a pinhole camera with the same K (3, 3) [px] would take."""
        size = (pixels.shape[1], pixels.shape[0])
        if self.model == "fisheye":
            maps = cv2.fisheye.initUndistortRectifyMap(
                K, self.coefficients, np.eye(3), K, size, cv2.CV_32FC1
            )
        else:
            maps = cv2.initUndistortRectifyMap(
                K, self.coefficients, np.eye(3), K, size, cv2.CV_32FC1
            )
        return cv2.remap(pixels, *maps, cv2.INTER_LINEAR).astype(np.uint8, copy=False)

    def distorted(self, points: Array, K: Array) -> Array:
        """Points (N, 2) [px] of the pinhole picture in the picture as it was taken."""
        normal = (points - K[:2, 2]) / K[[0, 1], [0, 1]]
        if self.model == "fisheye":
            moved = cv2.fisheye.distortPoints(normal[None], K, self.coefficients)
            return np.asarray(moved, dtype=float).reshape(-1, 2)
        rays = np.concatenate([normal, np.ones((len(normal), 1))], axis=1)
        zero = np.zeros(3)
        moved, _ = cv2.projectPoints(rays[:, None], zero, zero, K, self.coefficients)
        return np.asarray(moved, dtype=float).reshape(-1, 2)


def distortion_of(node: Mapping[str, Any], path: Path) -> Distortion | None:
    """The distortion that a camera's mapping describes; None where it has none.

    Raises:
        BadIntrinsicsError: its model is not known, or has another number of coefficients.
    """
    plain = {"".join(c for c in str(key).lower() if c.isalnum()): v for key, v in node.items()}
    named = str(plain.get("distortionmodel") or plain.get("model") or plain.get("cameramodel", ""))
    word = "".join(c for c in named.lower() if c.isalnum())
    model = next((ours for ours, theirs in MODELS.items() if word in theirs), None)
    values = next((plain[key] for key in COEFFICIENT_KEYS if plain.get(key) is not None), None)
    if isinstance(values, Mapping):
        values = values.get("data", list(values.values()))
    if values is None:
        values = [plain.get(name, 0.0) for name in NAMED] if "k1" in plain else []
    try:
        flat = np.asarray(values, dtype=float).ravel()
    except (TypeError, ValueError):
        raise BadIntrinsicsError(
            f"the distortion coefficients in {path} are {values!r}; they must be numbers"
        ) from None
    if model != "fisheye" and not np.any(np.abs(flat) > 1e-9):
        return None
    if model is None or model == "none":
        raise BadIntrinsicsError(
            f"{path} has the distortion model {named!r}, which is not known; known: "
            f"{', '.join(name for name in MODELS if name != 'none')}. Undistort the pictures first"
        )
    if model == "fisheye":
        flat = flat[:4] if flat.size >= 4 else np.pad(flat, (0, 4 - flat.size))
    elif flat.size not in (4, 5, 8, 12, 14):
        flat = np.pad(flat, (0, max(0, 5 - flat.size)))[:8]
    return Distortion(model, flat)
