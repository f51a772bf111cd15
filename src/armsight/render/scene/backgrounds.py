"""Pictures to put behind a robot or on a wall: made-up ones and the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError
from armsight.render.scene.textures import Rng, noise_field, random_colour, surface

Image = NDArray[np.uint8]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class Pictures:
    """The user's background pictures, read when they are needed.

    Args:
        folder: searched with its subfolders; None for no pictures.

    Raises:
        DatasetError: the folder holds no pictures.
    """

    def __init__(self, folder: Path | None) -> None:
        self._paths: list[Path] = []
        if folder is not None:
            self._paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not self._paths:
                raise DatasetError(
                    f"no pictures ({', '.join(SUFFIXES)}) below the backgrounds folder {folder}"
                )

    def __len__(self) -> int:
        return len(self._paths)

    def sample(self, rng: Rng, height: int, width: int) -> Image:
        """A random part of a random picture, (height, width, 3) RGB, sometimes mirrored.

        Raises:
            DatasetError: the file that was drawn is not a picture that can be read.
        """
        path = self._paths[int(rng.integers(len(self._paths)))]
        # Half the resolution is read in a third of the time, and large pictures have enough.
        picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        if picture is None or min(picture.shape[:2]) < 200:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise DatasetError(f"cannot read the background picture {path}; remove or replace it")
        return picture_crop(rng, np.asarray(picture[..., ::-1], np.uint8), height, width)


def picture_crop(rng: Rng, picture: Image, height: int, width: int) -> Image:
    """A random part of a picture, scaled to (height, width, 3), sometimes mirrored."""
    h, w = picture.shape[:2]
    scale = rng.uniform(0.45, 1.0)
    ch = max(int(min(h, w * height / width) * scale), 8)
    cw = max(int(ch * width / height), 8)
    y, x = int(rng.integers(max(h - ch, 0) + 1)), int(rng.integers(max(w - cw, 0) + 1))
    part = picture[y : y + ch, x : x + cw]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    shrink = cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (width, height), interpolation=shrink), np.uint8)


def backdrop(rng: Rng, split: str, height: int, width: int) -> Image:
    """A made-up scene (height, width, 3): a surface, a wall over a floor, or clutter."""
    kind = rng.choice(["surface", "room", "clutter"], p=[0.25, 0.45, 0.3])
    side = 192
    image: NDArray[Any] = surface(rng, split, side).astype(np.float32)
    if kind == "room":
        horizon = int(side * rng.uniform(0.3, 0.8))
        image[horizon:] = surface(rng, split, side)[horizon:]
    if kind != "surface":
        _add_clutter(rng, image, int(rng.integers(2, 16 if kind == "clutter" else 7)))
        sigma = float(rng.choice([0.0, 0.7, 2.0]))
        if sigma:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
    shade = 0.75 + 0.5 * noise_field(rng, side, side, 1)
    image = np.clip(image * shade[..., None], 0, 255)
    return picture_crop(rng, image.astype(np.uint8), height, width)


def _add_clutter(rng: Rng, image: NDArray[Any], count: int) -> None:
    """Rectangles, ellipses and lines, some with a light edge as furniture has."""
    side = image.shape[0]
    for _ in range(count):
        x, y = int(rng.integers(0, side)), int(rng.integers(0, side))
        w, h = int(rng.integers(3, side // 2)), int(rng.integers(3, side // 2))
        colour = tuple(float(c) for c in random_colour(rng))
        shape = rng.random()
        if shape < 0.65:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
            if rng.random() < 0.4:
                edge = tuple(float(c) * rng.uniform(0.5, 1.4) for c in colour)
                cv2.rectangle(image, (x, y), (x + w, y + h), edge, 1)
        elif shape < 0.85:
            angle = float(rng.uniform(0, 180))
            cv2.ellipse(image, (x, y), (w // 2 + 1, h // 2 + 1), angle, 0, 360, colour, -1)
        else:
            cv2.line(image, (x, y), (x + w, y - h), colour, int(rng.integers(1, 6)))
