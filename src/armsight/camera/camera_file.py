"""Camera matrices from the files that people have: text, JSON, OpenCV and ROS YAML."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadIntrinsicsError

Array = NDArray[np.floating]


@dataclass(frozen=True)
class CameraFile:
    """A camera matrix read from a file, with the size of the images that it belongs to."""

    path: Path
    K: Array
    size: tuple[int, int] | None = None
    """Width and height [px], where the file says so"""
    distorted: bool = False


def check_K(K: ArrayLike) -> Array:
    """`K` as a checked (3, 3) float array [px].

    Raises:
        BadIntrinsicsError: wrong shape, NaN, no positive focal length, or singular.
    """
    try:
        matrix = np.asarray(K, dtype=float)
    except (TypeError, ValueError):
        raise BadIntrinsicsError(f"K must be a 3x3 matrix of numbers, not {K!r}") from None
    want = "K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels"
    if matrix.shape != (3, 3):
        raise BadIntrinsicsError(f"K has shape {matrix.shape}; {want}")
    if not np.isfinite(matrix).all():
        raise BadIntrinsicsError(f"K holds NaN or infinity: {matrix.tolist()}; {want}")
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise BadIntrinsicsError(
            f"K has focal lengths {matrix[0, 0]:g} and {matrix[1, 1]:g}, not above 0; {want}"
        )
    if not np.allclose(matrix[2], [0, 0, 1]) or matrix[1, 0] != 0:
        raise BadIntrinsicsError(f"K is {matrix.tolist()}; {want}")
    if not 0.2 < matrix[0, 0] / matrix[1, 1] < 5:
        raise BadIntrinsicsError(
            f"K has fx = {matrix[0, 0]:g} and fy = {matrix[1, 1]:g}, too far apart; {want}"
        )
    return matrix


def read_camera_file(path: str | Path) -> CameraFile:
    """Read a camera matrix from one of the usual files.

    Known: nine numbers as text (`K.txt`), DREAM's `_camera_settings.json`, any JSON with `K` or
    `camera_matrix` (armsight's own too), and OpenCV or ROS camera_info YAML.

    Raises:
        BadIntrinsicsError: the file cannot be read, or no camera matrix is found in it.
    """
    path = Path(path)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BadIntrinsicsError(f"cannot read camera file {path}: {reason}") from error
    try:
        if path.suffix.lower() == ".json" or text.lstrip().startswith("{"):
            found = _from_json(json.loads(text))
        elif path.suffix.lower() in (".yaml", ".yml") or ":" in text:
            found = _from_yaml(text)
        else:
            found = np.array(text.replace(",", " ").split(), dtype=float).reshape(3, 3), None, ()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise BadIntrinsicsError(
            f"no camera matrix found in {path}; known: nine numbers as text, DREAM's "
            "_camera_settings.json, JSON with K or camera_matrix, OpenCV or ROS camera_info YAML"
        ) from None
    K, size, distortion = found
    return CameraFile(path, check_K(K), size, bool(np.any(np.abs(distortion) > 1e-9)))


def _from_json(data: dict[str, Any]) -> tuple[Array, tuple[int, int] | None, Any]:
    if "camera_settings" in data:
        camera = data["camera_settings"][0]
        values = camera["intrinsic_settings"]
        K = [[values["fx"], values.get("s", 0), values["cx"]], [0, values["fy"], values["cy"]],
             [0, 0, 1]]  # fmt: skip
        size = camera.get("captured_image_size") or values.get("resolution")
        return np.array(K, dtype=float), size and (size["width"], size["height"]), ()
    names = ("K", "k", "camera_matrix", "intrinsics")
    matrix = next((data[name] for name in names if data.get(name)), None)
    if isinstance(matrix, dict):
        matrix = matrix["data"]
    width = data.get("width", data.get("image_width"))
    height = data.get("height", data.get("image_height"))
    size = (int(width), int(height)) if width and height else None
    distortion = data.get("D", data.get("distortion_coefficients", ())) or ()
    if isinstance(distortion, dict):
        distortion = distortion["data"]
    return np.array(matrix, dtype=float).reshape(3, 3), size, distortion


def _from_yaml(text: str) -> tuple[Array, tuple[int, int] | None, Any]:
    """The few keys that camera files use, without a YAML library."""

    def numbers(*keys: str) -> list[float] | None:
        for key in keys:
            # `key: [...]` and `key:` with an indented `data: [...]`, over several lines.
            pattern = rf"^{key}\s*:[^\[\]]*?\[([^\]]*)\]"
            if match := re.search(pattern, text, re.MULTILINE):
                return [float(number) for number in match[1].replace(",", " ").split()]
        return None

    def number(*keys: str) -> int | None:
        match = re.search(rf"^(?:{'|'.join(keys)})\s*:\s*(\d+)", text, re.MULTILINE)
        return int(match[1]) if match else None

    K = np.array(numbers("camera_matrix", "K", "k"), dtype=float).reshape(3, 3)
    width, height = number("image_width", "width"), number("image_height", "height")
    distortion = numbers("distortion_coefficients", "D", "d") or ()
    return K, (width, height) if width and height else None, distortion
