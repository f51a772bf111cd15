"""Making many training pictures out of one rendered one, with its labels kept right.

A turn of the picture about the camera's principal point is a roll of the camera, and a scaling
a change of focal length (square pixels), so geometric augmentation stays exact pinhole geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Array = NDArray[np.floating]
Image = NDArray[np.uint8]

MAX_ROLL_DEG = 20.0
ZOOM_RANGE = (0.75, 1.4)
SHIFT = 0.10
"""largest shift, as a share of the picture's side"""

SECOND_LOOK = 0.7
"""Share of pictures that are cut as the estimator cuts its second look: around the keypoints that
are seen, centred. What the network takes for usual must be what it will be shown: arms a third
larger than usual were read too small, and so two percent too far away."""
MARGIN_RANGE = (1.08, 1.6)
"""side of such a cut over the larger extent of the keypoints; the estimator's is 1.25"""
SECOND_SHIFT = 0.05
LARGEST_ZOOM = 2.0
"""over the plain resizing; more would show pixels that no camera took"""


@dataclass(frozen=True)
class Sample:
    """One row, ready for the network with S x S input."""

    image: Image
    """(S, S, 3) RGB"""
    keypoints_2d: Array
    """(K, 2) [px of the input]"""
    keypoints_visible: NDArray[np.uint8]
    """(K,) 0 hidden or out of the picture, 1 seen, 2 behind the arm itself"""
    in_crop: NDArray[np.bool_]
    """(K,) the location lies in the picture, hidden or not"""
    camera: Array
    """(4,) see models.pose_model.Measurements"""


class Backgrounds:
    """Pictures of a folder, decoded once, given out as random square crops."""

    def __init__(self, folder: Path, limit: int = 400, longest: int = 512) -> None:
        self.pictures: list[Image] = []
        for path in sorted(folder.rglob("*"))[: 4 * limit]:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) if path.is_file() else None
            if picture is not None and len(self.pictures) < limit:
                scale = min(1.0, longest / max(picture.shape[:2]))
                size = (max(32, round(picture.shape[1] * scale)),
                        max(32, round(picture.shape[0] * scale)))  # fmt: skip
                small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                self.pictures.append(_bytes(small))

    def crop(self, rng: np.random.Generator, size: int) -> Image:
        picture = self.pictures[rng.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        side = int(min(height, width) * rng.uniform(0.4, 1.0))
        y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
        piece = picture[y : y + side, x : x + side]
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        return _bytes(cv2.resize(piece, (size, size), interpolation=cv2.INTER_LINEAR))


def augment(
    image: Image,
    mask: Image,
    keypoints_2d: Array,
    keypoints_visible: NDArray[np.uint8],
    K: Array,
    size: int,
    rng: np.random.Generator,
    *,
    composited: bool = False,
    backgrounds: Backgrounds | None = None,
    strength: float = 1.0,
) -> Sample:
    """A random variant of one rendered row; `strength` 0 only resizes to `size`."""
    source = image.shape[0]
    if strength and composited and backgrounds and backgrounds.pictures and rng.random() < 0.6:
        image = _replace_background(image, mask, backgrounds.crop(rng, source), rng)
    seen = keypoints_2d[(keypoints_visible > 0)] if rng.random() < SECOND_LOOK else None
    A = _random_similarity(source, size, rng, strength, seen)
    scale = float(np.sqrt(abs(np.linalg.det(A[:, :2]))))
    if scale < 0.7:  # before shrinking, remove what the smaller grid cannot hold
        image = _bytes(cv2.GaussianBlur(image, (0, 0), 0.35 / scale))
    warped = _bytes(cv2.warpAffine(image, A, (size, size), flags=cv2.INTER_LINEAR))
    keypoints = keypoints_2d @ A[:, :2].T + A[:, 2]
    in_crop = np.all((keypoints > -0.5) & (keypoints < size - 0.5), axis=-1)
    visible = np.where(in_crop, keypoints_visible, 0).astype(np.uint8)
    if strength:
        if rng.random() < 0.35 * strength:
            warped, visible = _cover(warped, keypoints, visible, backgrounds, rng)
        warped = Photometric.draw(rng).apply(warped, rng)
    focal = (K[0, 0] + K[1, 1]) / 2 * scale / size
    principal = A[:, :2] @ K[:2, 2] + A[:, 2]
    centre = (principal - (size - 1) / 2) / size
    camera = np.array([np.log(max(focal, 1e-3)), np.log(max(focal, 1e-3)), *centre])
    return Sample(warped, keypoints, visible, in_crop, camera)


def _random_similarity(
    source: int, size: int, rng: np.random.Generator, strength: float, seen: Array | None = None
) -> Array:
    """(2, 3) from source pixels to input pixels, pixel centres at integers.

    Args:
        seen: keypoints (N, 2) [px of the source] to cut around; None keeps to the whole source.
    """
    angle, zoom, shift = 0.0, 1.0, np.zeros(2)
    if strength:
        spread = MAX_ROLL_DEG if rng.random() < 0.5 else MAX_ROLL_DEG / 4
        angle = np.radians(rng.uniform(-spread, spread)) * strength
        zoom = np.exp(rng.uniform(*np.log(ZOOM_RANGE)) * strength)
        shift = rng.uniform(-SHIFT, SHIFT, 2) * size * strength
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre, scale = turn @ np.full(2, (source - 1) / 2), zoom * size / source
    if strength and seen is not None and len(seen) >= 2:
        low, high = (seen @ turn.T).min(0), (seen @ turn.T).max(0)
        margin = np.exp(rng.uniform(*np.log(MARGIN_RANGE)))
        scale = min(size / max(margin * (high - low).max(), 1.0), LARGEST_ZOOM * size / source)
        centre, shift = (low + high) / 2, rng.uniform(-SECOND_SHIFT, SECOND_SHIFT, 2) * size
    return np.column_stack([scale * turn, (size - 1) / 2 + shift - scale * centre])


def _replace_background(
    image: Image, mask: Image, behind: Image, rng: np.random.Generator
) -> Image:
    alpha = (
        cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 0.9)).astype(np.float32)[..., None] / 255
    )
    mixed: Image = (image * alpha + behind * (1 - alpha)).astype(np.uint8)
    return mixed


def _cover(
    image: Image,
    keypoints: Array,
    visible: NDArray[np.uint8],
    backgrounds: Backgrounds | None,
    rng: np.random.Generator,
) -> tuple[Image, NDArray[np.uint8]]:
    """Hide a part of the picture behind a rectangle or ellipse; covered keypoints become 0."""
    size = image.shape[0]
    cover = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(1, 3)):
        centre = rng.uniform(0, size, 2)
        axes = size * rng.uniform(0.05, 0.18, 2)
        box = (tuple(centre), tuple(2 * axes), rng.uniform(0, 180))
        if rng.random() < 0.5:
            cv2.ellipse(cover, box, 255, -1)
        else:
            cv2.fillPoly(cover, [np.round(cv2.boxPoints(box)).astype(np.int32)], 255)
    if backgrounds and backgrounds.pictures and rng.random() < 0.5:
        paint = backgrounds.crop(rng, size)
    else:
        paint = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), image.shape)
    pixels = np.clip(np.round(keypoints), 0, size - 1).astype(int)
    hidden = cover[pixels[:, 1], pixels[:, 0]] > 0
    return np.where(cover[..., None] > 0, paint, image), np.where(hidden, 0, visible).astype(
        np.uint8
    )


@dataclass(frozen=True)
class Photometric:
    """What light, film and file do to a picture; drawn once, it fits all frames of a video."""

    table: Image
    """(256, 3) tone curve per channel"""
    grey: bool
    blur: float
    noise: float
    jpeg_quality: int
    """0: not compressed"""

    @classmethod
    def draw(cls, rng: np.random.Generator, jpeg: float = 0.0) -> Photometric:
        """A random look; `jpeg` is the share of compressed pictures."""
        levels = np.arange(256) / 255.0
        gamma = np.exp(rng.uniform(-0.4, 0.4))
        gain = np.exp(rng.uniform(-0.3, 0.3)) * np.exp(rng.normal(0, 0.06, 3))
        table = np.clip(levels[:, None] ** gamma * gain + rng.uniform(-0.1, 0.1), 0, 1) * 255
        return cls(
            table=table.astype(np.uint8),
            grey=rng.random() < 0.05,
            blur=rng.uniform(0.4, 1.3) if rng.random() < 0.15 else 0.0,
            noise=rng.uniform(1, 8) if rng.random() < 0.3 else 0.0,
            jpeg_quality=int(rng.integers(40, 95)) if rng.random() < jpeg else 0,
        )

    def apply(self, image: Image, rng: np.random.Generator) -> Image:
        """The picture in this look; only its noise is drawn anew."""
        image = _bytes(cv2.LUT(image, self.table[None]))
        if self.grey:
            image = np.repeat(_bytes(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None], 3, axis=2)
        if self.blur:
            image = _bytes(cv2.GaussianBlur(image, (0, 0), self.blur))
        if self.noise:
            noise = rng.normal(0, self.noise, image.shape).astype(np.float32)
            image = np.clip(image + noise, 0, 255).astype(np.uint8)
        if self.jpeg_quality:
            quality = [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality]
            _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
        return image


def _bytes(pixels: MatLike) -> Image:
    """OpenCV's answer, whose type it does not tell, as what it is."""
    return pixels.astype(np.uint8, copy=False)
