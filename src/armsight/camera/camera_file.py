"""Camera matrices from the files that people have: what their keys mean.

A file may hold several cameras; each is a mapping with a matrix, or with fx, fy, cx and cy. Keys
are compared without case, dots and underscores, and never across mappings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.distortion import Distortion, distortion_of
from armsight.camera.documents import plain_key, read_documents
from armsight.errors import BadIntrinsicsError
from armsight.geometry import scale_matrix

Array = NDArray[np.floating]

MATRIX_KEYS = (
    "k", "camk", "cameramatrix", "cameraintrinsics", "cameraintrinsic", "intrinsicmatrix",
    "intrinsicsmatrix", "intrinsics", "intrinsic", "mtx", "matrix", "colorintrinsics",
)  # fmt: skip
WIDTH_KEYS = ("width", "imagewidth", "imgwidth", "camerawidth", "w")
HEIGHT_KEYS = ("height", "imageheight", "imgheight", "cameraheight", "h")
SIZE_KEYS = ("imagesize", "imgsize", "size", "resolution", "capturedimagesize", "shape")
FOCAL_KEYS = (("fx", "camerafx"), ("fy", "camerafy"))
CENTRE_KEYS = (("cx", "ppx", "cameracx"), ("cy", "ppy", "cameracy"))
DEEPEST = 5
"""Levels of mappings that are searched"""
SHORTEST_FOCAL_PX = 20.0
"""[px] Shorter focal lengths are no pixels: an identity, or a matrix in units of the image"""
KNOWN = (
    "a 3x3 matrix as text, NumPy file, JSON, YAML, or OpenCV XML under K, camera_matrix or the "
    "like; fx, fy, cx, cy by name; ROS camera_info; DREAM's _camera_settings.json; COLMAP's "
    "cameras.txt; an answer of armsight"
)


@dataclass(frozen=True)
class CameraFile:
    """A camera matrix read from a file, with the size of the images that it belongs to."""

    path: Path
    K: Array
    """(3, 3) [px]"""
    size: tuple[int, int] | None = None
    """Width and height [px], where the file says so"""
    distortion: Distortion | None = None
    """Of the lens; None where there is none"""
    source: str = "camera_file"
    """'assumed' or 'exif' where the file is an answer of armsight's that said so"""
    messages: tuple[str, ...] = ()


def check_K(K: ArrayLike) -> Array:
    """`K` as a checked (3, 3) float array [px].

    Raises:
        BadIntrinsicsError: wrong shape, NaN, no positive focal length, or not in pixels.
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
    if matrix[0, 0] < SHORTEST_FOCAL_PX:
        raise BadIntrinsicsError(
            f"K has a focal length of {matrix[0, 0]:g}, which is not in pixels; {want}. If the "
            "matrix is in units of the image, multiply its first row by the width and its second "
            "by the height"
        )
    return matrix


def read_camera_file(path: str | Path) -> CameraFile:
    """Read a camera matrix from one of the usual files.

    Where a file holds several cameras, `FILE#NAME` says which.

    Raises:
        BadIntrinsicsError: the file cannot be read, holds no camera matrix, or several.
    """
    path, wanted = Path(path), ""
    if not path.exists() and "#" in path.name:
        name, _, wanted = path.name.rpartition("#")
        path = path.with_name(name)
    documents = read_documents(path)
    found = {
        name or f"camera {i + 1}": camera
        for i, document in enumerate(documents)
        for name, camera in _cameras(document, "", str(i + 1) if len(documents) > 1 else "")
    }
    if not found:
        keys = ", ".join(dict.fromkeys(_keys(documents))) or "none"
        raise BadIntrinsicsError(
            f"no camera matrix found in {path}; it has the keys {keys}. Known: {KNOWN}"
        )
    if wanted:
        if wanted not in found:
            raise BadIntrinsicsError(f"{path} has no camera {wanted!r}; it has {', '.join(found)}")
        found = {wanted: found[wanted]}
    cameras = [camera_of(node, path) for node in found.values()]
    # One camera written twice is one camera; the fuller text of it tells the lens, too.
    first = next((camera for camera in cameras if camera.distortion is not None), cameras[0])
    if any(not np.array_equal(other.K, first.K) for other in cameras):
        raise BadIntrinsicsError(
            f"{path} holds {len(found)} cameras: {', '.join(found)}; say which by "
            f"{path}#{next(iter(found))}"
        )
    return first


def _cameras(node: Any, name: str, number: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and contents of the nodes that describe a camera."""
    if isinstance(node, np.ndarray) or _is_matrix(node):
        if _matrix({"K": node}) is not None:
            yield name or number, {"K": node}
        return
    if isinstance(node, list):
        for i, child in enumerate(node):
            own = child.get("name", i + 1) if isinstance(child, Mapping) else i + 1
            yield from _cameras(child, str(own), number, depth + 1)
        return
    if not isinstance(node, Mapping) or depth > DEEPEST:
        return
    if _matrix(node) is not None:
        yield name or number or str(node.get("camera_name", "")), node
        return
    # DREAM keeps the size beside the mapping with the intrinsics.
    if isinstance(inner := node.get("intrinsic_settings"), Mapping):
        yield from _cameras({**node, **inner, "intrinsic_settings": None}, name, number, depth + 1)
        return
    for key, child in node.items():
        # Numbers under a key that is no camera matrix's are something else, such as a rotation.
        if isinstance(child, Mapping | list) and not _is_matrix(child):
            yield from _cameras(child, str(key), number, depth + 1)


def camera_of(node: Mapping[str, Any], path: Path) -> CameraFile:
    """The camera that a mapping with a matrix describes; `path` is where it was read.

    Raises:
        BadIntrinsicsError: it makes no sense.
    """
    K, messages = _matrix(node), list[str]()
    assert K is not None
    size = _size(node, K)
    plain = {plain_key(key): value for key, value in node.items()}
    distortion = distortion_of(node, path)
    projection = plain.get("p", plain.get("projectionmatrix"))
    if projection is not None and distortion is not None:
        P = np.asarray(_values(projection), dtype=float).reshape(3, 4)
        if not np.allclose(P[:, :3], K, rtol=1e-3):
            messages.append(
                f"{path} has K for the picture as it was taken and P for the rectified one; K "
                "was used. For rectified pictures give the first three columns of P"
            )
    K, size, window = _windowed(K, size, plain)
    source = str(node.get("intrinsics_source", ""))
    return CameraFile(
        path,
        check_K(K),
        size,
        distortion,
        source if source in ("assumed", "exif", "field_of_view") else "camera_file",
        (*messages, *window),
    )


def _windowed(
    K: Array, size: tuple[int, int] | None, plain: Mapping[str, Any]
) -> tuple[Array, tuple[int, int] | None, list[str]]:
    """K and size of the pictures that a camera with a region of interest and binning sends.

    In ROS (sensor_msgs/CameraInfo) K belongs to the whole sensor at full resolution.
    """
    roi = {plain_key(key): value for key, value in (plain.get("roi") or {}).items()}
    x, y = float(roi.get("xoffset", 0)), float(roi.get("yoffset", 0))
    w, h = int(roi.get("width", 0)), int(roi.get("height", 0))
    bin_x, bin_y = (max(1, int(plain.get(key, 0) or 0)) for key in ("binningx", "binningy"))
    notes = []
    if w and h and (x, y) != (0, 0):
        size, K = (w, h), K - [[0, 0, x], [0, 0, y], [0, 0, 0]]
        notes.append(f"the camera sends the region {w}x{h} at ({x:g}, {y:g}): K was moved there")
    if (bin_x, bin_y) != (1, 1):
        K = scale_matrix(1 / bin_x, 1 / bin_y) @ K
        size = size and (size[0] // bin_x, size[1] // bin_y)
        notes.append(f"the camera bins {bin_x}x{bin_y} pixels: K was scaled")
    return K, size, notes


def _matrix(node: Mapping[str, Any]) -> Array | None:
    """The camera matrix that a mapping holds, or None."""
    plain = {plain_key(key): value for key, value in node.items()}
    for key in MATRIX_KEYS:
        value = plain.get(key)
        if isinstance(value, Mapping) and (named := _by_name(value)) is not None:
            return named
        numbers = None if value is None else _values(value)
        if numbers is not None:
            try:
                return _from_numbers(np.asarray(numbers, dtype=float))
            except (ValueError, TypeError):
                continue
    return _by_name(node)


def _by_name(node: Mapping[str, Any]) -> Array | None:
    plain = {plain_key(key): value for key, value in node.items()}

    def value(keys: tuple[str, ...]) -> float | None:
        found = next((plain[key] for key in keys if key in plain), None)
        return float(found) if isinstance(found, int | float) else None

    fx, fy = (value(keys) for keys in FOCAL_KEYS)
    cx, cy = (value(keys) for keys in CENTRE_KEYS)
    if fx is None or fy is None or cx is None or cy is None:
        return None
    return np.array([[fx, float(plain.get("s", 0) or 0), cx], [0, fy, cy], [0, 0, 1]])


def _from_numbers(numbers: Array) -> Array:
    """(3, 3) from 4, 9, 12 or 16 numbers.

    Raises:
        ValueError: another number of them.
    """
    flat = numbers.ravel()
    if flat.size == 4:
        fx, fy, cx, cy = flat
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    if flat.size not in (9, 12, 16):
        raise ValueError
    K: Array = flat.reshape(4 if flat.size == 16 else 3, -1)[:3, :3]
    # Open3D and MATLAB write columns first.
    return K.T if K[2, :2].any() and not K[:2, 2].any() else K


def _size(node: Mapping[str, Any], K: Array) -> tuple[int, int] | None:
    """Width and height [px], where the mapping says so."""
    plain = {plain_key(key): value for key, value in node.items()}
    width = next((plain[key] for key in WIDTH_KEYS if plain.get(key)), None)
    height = next((plain[key] for key in HEIGHT_KEYS if plain.get(key)), None)
    if width is None or height is None:
        value = next((plain[key] for key in SIZE_KEYS if plain.get(key) is not None), None)
        if isinstance(value, Mapping):
            return _size(value, K)
        numbers = None if value is None else _values(value)
        if numbers is None or len(np.ravel(numbers)) < 2:
            return None
        width, height = np.ravel(numbers)[:2]
        # NumPy's shapes have the height first: the principal point tells.
        if not (K[0, 2] < width and K[1, 2] < height) and K[0, 2] < height and K[1, 2] < width:
            width, height = height, width
    try:
        return int(width), int(height)
    except (TypeError, ValueError):
        return None


def _values(value: Any) -> Any:
    """A matrix's numbers: OpenCV and ROS keep them under `data`."""
    if isinstance(value, Mapping):
        return value.get("data")
    return value if isinstance(value, list | tuple | np.ndarray) else None


def _is_matrix(node: Any) -> bool:
    """Whether a list holds nothing but numbers, in rows or in one."""
    if not isinstance(node, list) or not node:
        return False
    rows = node if isinstance(node[0], list) else [node]
    return all(
        isinstance(row, list) and all(isinstance(x, int | float) for x in row) for row in rows
    )


def _keys(node: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(node, Mapping) and depth < DEEPEST:
        for key, child in node.items():
            yield str(key)
            yield from _keys(child, depth + 1)
    elif isinstance(node, list):
        for child in node[:3]:
            yield from _keys(child, depth + 1)
