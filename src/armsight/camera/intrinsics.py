"""Where the camera matrix comes from: given, a camera file, a field of view, EXIF, or a guess."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.camera.camera_file import CameraFile, check_K
from armsight.camera.distortion import Distortion
from armsight.camera.image import LoadedImage
from armsight.errors import BadIntrinsicsError
from armsight.geometry import intrinsics_from_fov, scale_matrix
from armsight.state import Estimate

Array = NDArray[np.floating]

ASSUMED_FOV_DEG = 60.0
"""Field of view [deg] of the longer side that is assumed when nothing is known."""
NARROWEST_FOV_DEG, WIDEST_FOV_DEG = 3.0, 170.0
"""Field of view [deg] of the longer side outside of which K cannot be meant"""
LOG_FOCAL_STD = {"given": 0.003, "camera_file": 0.003, "field_of_view": 0.03, "exif": 0.05,
                 "assumed": 0.35}  # fmt: skip
"""How far the log of the focal length may be from that of K, by where K came from. Cameras' fields
of view run from 35 to 110 deg: 0.6 to -0.9 from the one that is assumed."""
EXACT = 0.01
"""What is known better than this counts as exact for one picture; many pictures can check it"""
CENTRE_STD = 0.012
"""How far a principal point that is not known lies off the middle, as a share of the longer side"""
OFF_CENTRE, UNEQUAL_FOCAL = 0.15, 0.1
"""Shares of a side and of the focal length from which on K gets a note"""
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
    distortion: Distortion | None = None
    """Of the lens, where a camera file tells it; it is undone before the picture is read"""

    @property
    def log_focal_std(self) -> float:
        """of the log of the focal length about that of K; 0 where that is known well enough for
        one picture (EXACT)"""
        std = LOG_FOCAL_STD[self.source]
        return std if std > EXACT else 0.0

    @property
    def centre_std(self) -> float:
        """[rad] by which the optical axis may be off where no principal point is known."""
        if not self.log_focal_std:
            return 0.0
        return float(CENTRE_STD * 2 * max(self.K[0, 2], self.K[1, 2]) / self.K[0, 0])

    def undistort(self, image: LoadedImage) -> LoadedImage:
        """The image as a pinhole camera with the same K would have taken it."""
        if self.distortion is None:
            return image
        height, width = image.pixels.shape[:2]
        K = scale_matrix(width / image.width, height / image.height) @ self.K
        return replace(image, pixels=self.distortion.undistorted(image.pixels, K))

    def as_taken(self, estimate: Estimate) -> Estimate:
        """An estimate of the undistorted image, with pixels of the image as it was taken."""
        if self.distortion is None:
            return estimate
        points = estimate.keypoints_2d
        return replace(
            estimate,
            keypoints_2d=None if points is None else self.distortion.distorted(points, self.K),
            distortion=self.distortion,
            others=tuple(self.as_taken(other) for other in estimate.others),
        )


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
    """Intrinsics, with notes on what makes them unlikely for this image.

    Raises:
        BadIntrinsicsError: no camera has such a field of view.
    """
    width, height = image.width, image.height
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    fov = np.degrees(2 * np.arctan(0.5 * max(width / fx, height / fy)))
    if not NARROWEST_FOV_DEG <= fov <= WIDEST_FOV_DEG:
        raise BadIntrinsicsError(
            f"with fx = {fx:g} and fy = {fy:g} px the {width}x{height} image has a field of view "
            f"of {fov:.1f} deg; known lenses have {NARROWEST_FOV_DEG:g} to {WIDEST_FOV_DEG:g}. "
            "Does K belong to another size, or are its numbers in another order?"
        )
    if not (-0.5 <= cx <= width - 0.5 and -0.5 <= cy <= height - 0.5):
        notes = (
            *notes,
            f"the principal point ({cx:.0f}, {cy:.0f}) lies outside of the {width}x{height} "
            "image: does K belong to another size, or to the picture before its EXIF rotation?",
        )
    elif max(abs(cx / width - 0.5), abs(cy / height - 0.5)) > OFF_CENTRE:
        notes = (
            *notes,
            f"the principal point ({cx:.0f}, {cy:.0f}) is far off the middle of the "
            f"{width}x{height} image: was the picture cropped, or does K belong to another size?",
        )
    if abs(fx / fy - 1) > UNEQUAL_FOCAL:
        notes = (
            *notes,
            f"fx = {fx:g} and fy = {fy:g} px differ by {abs(fx / fy - 1):.0%}: was the picture "
            "stretched, or are the numbers of K in another order?",
        )
    return Intrinsics(K, source, notes)


def _from_camera_file(camera: CameraFile, image: LoadedImage) -> Intrinsics:
    K = camera.K
    notes = camera.messages
    if camera.size is not None and camera.size != (image.width, image.height):
        sx, sy = image.width / camera.size[0], image.height / camera.size[1]
        sizes = f"{camera.size[0]}x{camera.size[1]} images, and this one is {image.width}x"
        if abs(sx / sy - 1) > 0.01:
            raise BadIntrinsicsError(
                f"{camera.path} is for {sizes}{image.height}: a different shape, so it is cropped "
                "or rotated. Give the intrinsics of this image"
            )
        K = scale_matrix(sx, sy) @ K
        notes = (*notes, f"intrinsics rescaled: {camera.path} is for {sizes}{image.height}")
    if camera.distortion is not None:
        model = camera.distortion.model.replace("_", " ")
        notes = (*notes, f"lens distortion ({model}) of {camera.path} is undone")
    if camera.source == "assumed":
        notes = (*notes, f"the intrinsics in {camera.path} were assumed; distances are unreliable")
    return replace(_checked(K, camera.source, image, *notes), distortion=camera.distortion)
