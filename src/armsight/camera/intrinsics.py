"""Where the camera matrix comes from: given, a camera file, a field of view, EXIF, or a guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile, check_K
from armsight.camera.image import LoadedImage
from armsight.errors import BadIntrinsicsError
from armsight.geometry import intrinsics_from_fov

Array = NDArray[np.floating]

ASSUMED_FOV_DEG = 60.0
"""Field of view [deg] of the longer side that is assumed when nothing is known."""
FILM_DIAGONAL_MM = 43.2666
"""Diagonal of 35 mm film (36 x 24 mm), to which EXIF's equivalent focal length refers."""


@dataclass(frozen=True)
class Intrinsics:
    """A camera matrix and where it came from."""

    K: Array
    """(3, 3) [px] of the upright image"""
    source: str
    """One of `armsight.state.INTRINSICS_SOURCES`"""
    messages: tuple[str, ...] = ()


def find_intrinsics(
    image: LoadedImage,
    K: ArrayLike | None = None,
    camera: CameraFile | None = None,
    fov_deg: float | None = None,
) -> Intrinsics:
    """The camera matrix for an image, from the best source there is.

    Args:
        image: the upright image; every `K` refers to it at its original size.
        K: (3, 3) [px].
        camera: a file's matrix, rescaled when it was made for the same picture at another size.
        fov_deg: horizontal field of view [deg].

    Raises:
        BadIntrinsicsError: more than one was given, or it cannot belong to this image.
    """
    if sum(option is not None for option in (K, camera, fov_deg)) > 1:
        raise BadIntrinsicsError("give only one of K, a camera file and a field of view")
    width, height = image.width, image.height
    if K is not None:
        return _checked(check_K(K), "given", image)
    if camera is not None:
        return _from_camera_file(camera, image)
    if fov_deg is not None:
        if not 1 <= fov_deg <= 175:
            raise BadIntrinsicsError(f"field of view is {fov_deg:g} deg; it must be 1 to 175")
        return Intrinsics(intrinsics_from_fov(width, height, fov_deg), "field_of_view")
    if image.focal_35mm is not None:
        focal = image.focal_35mm / FILM_DIAGONAL_MM * np.hypot(width, height)
        note = (
            f"camera from EXIF ({image.focal_35mm:g} mm equivalent): right to some percent, and "
            "wrong if the picture was cropped; distances share that error"
        )
        return Intrinsics(_centred(focal, width, height), "exif", (note,))
    focal = 0.5 * max(width, height) / np.tan(np.radians(ASSUMED_FOV_DEG) / 2)
    note = (
        f"no camera intrinsics: assumed a field of view of {ASSUMED_FOV_DEG:g} deg; distances are "
        "unreliable (give --K, --camera or --fov; K= in Python)"
    )
    return Intrinsics(_centred(focal, width, height), "assumed", (note,))


def _centred(focal: float, width: int, height: int) -> Array:
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def _checked(K: Array, source: str, image: LoadedImage, *notes: str) -> Intrinsics:
    cx, cy = K[0, 2], K[1, 2]
    if not (-0.5 <= cx <= image.width - 0.5 and -0.5 <= cy <= image.height - 0.5):
        notes = (
            *notes,
            f"the principal point ({cx:.0f}, {cy:.0f}) lies outside of the {image.width}x"
            f"{image.height} image: does K belong to another size, or to the picture before its "
            "EXIF rotation?",
        )
    return Intrinsics(K, source, notes)


def _from_camera_file(camera: CameraFile, image: LoadedImage) -> Intrinsics:
    K = camera.K
    notes: tuple[str, ...] = ()
    if camera.size is not None and camera.size != (image.width, image.height):
        sx, sy = image.width / camera.size[0], image.height / camera.size[1]
        sizes = f"{camera.size[0]}x{camera.size[1]} images, and this one is {image.width}x"
        if abs(sx / sy - 1) > 0.01:
            raise BadIntrinsicsError(
                f"{camera.path} is for {sizes}{image.height}: a different shape, so it is cropped "
                "or rotated. Give the intrinsics of this image"
            )
        S = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
        K = S @ K
        notes = (f"intrinsics rescaled: {camera.path} is for {sizes}{image.height}",)
    if camera.distorted:
        notes = (*notes, f"lens distortion in {camera.path} is ignored: undistort the image first")
    return _checked(K, "camera_file", image, *notes)
