"""Pictures to put behind a robot: procedural ones and the user's own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import DatasetError

Image = NDArray[np.uint8]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def find_pictures(folder: Path | None) -> list[Path]:
    """All pictures below a folder, sorted by name; none for None.

    Raises:
        DatasetError: the folder does not exist or holds no pictures.
    """
    if folder is None:
        return []
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DatasetError(
            f"no pictures ({', '.join(SUFFIXES)}) below the backgrounds folder {folder}"
        )
    return found


def noise_field(
    rng: np.random.Generator, height: int, width: int, octaves: int
) -> NDArray[np.float32]:
    """Smooth noise (H, W) in 0..1 with 1/f structure."""
    total = np.zeros((height, width), np.float32)
    for k in range(octaves):
        n = 2 ** (k + 1)
        coarse = rng.random((n + 1, n + 1)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / n
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def picture_crop(rng: np.random.Generator, picture: Image, height: int, width: int) -> Image:
    """A random part of a picture, (H, W, 3), sometimes mirrored."""
    h, w = picture.shape[:2]
    scale = rng.uniform(0.4, 1.0)
    ch = int(min(h, w * height / width) * scale)
    cw = int(ch * width / height)
    ch, cw = max(ch, 8), max(cw, 8)
    y, x = rng.integers(0, max(h - ch, 0) + 1), rng.integers(0, max(w - cw, 0) + 1)
    part = picture[y : y + ch, x : x + cw]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    shrink = cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (width, height), interpolation=shrink), np.uint8)


def procedural(rng: np.random.Generator, height: int, width: int) -> Image:
    """A made-up background (H, W, 3): gradients, noise, a wall over a table, clutter."""
    kind = rng.choice(
        ["gradient", "noise", "room", "clutter", "checker"], p=[0.15, 0.2, 0.35, 0.2, 0.1]
    )
    a, b = random_colour(rng), random_colour(rng)
    if kind == "checker":
        n = int(rng.integers(2, 16))
        board = (np.indices((n, n)).sum(0) % 2).astype(np.float32)
        t = cv2.resize(board, (width, height), interpolation=cv2.INTER_NEAREST)
    elif kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        t = np.cos(angle) * x / width + np.sin(angle) * y / height
        t = (t - t.min()) / (t.max() - t.min())
    else:
        t = noise_field(rng, height, width, int(rng.integers(1, 7)))
        if kind == "room":
            t = t * 0.25
    image = a + t[..., None] * (b - a)
    if kind == "room":
        horizon = int(height * rng.uniform(0.3, 0.8))
        floor = random_colour(rng)
        grain = noise_field(rng, height - horizon, width, 6)[..., None]
        image[horizon:] = floor * (0.8 + 0.4 * grain)
    if kind in ("room", "clutter"):
        for _ in range(int(rng.integers(0, 14 if kind == "clutter" else 6))):
            x, y = rng.integers(0, width), rng.integers(0, height)
            w, h = rng.integers(4, width // 2), rng.integers(4, height // 2)
            colour = tuple(float(c) for c in random_colour(rng))
            if rng.random() < 0.7:
                cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)
            else:
                cv2.circle(image, (int(x), int(y)), int(w // 3 + 2), colour, -1)
        sigma = float(rng.choice([0.0, 1.0, 3.0]))
        if sigma:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.clip(image, 0, 255).astype(np.uint8)


def random_colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """An RGB colour (3,) in 0..255, more often greyish and bright than not, as rooms are."""
    value = 255 * rng.beta(2.0, 1.5)
    saturation = rng.beta(1.0, 3.0)
    hue = rng.random(3)
    hue = hue / hue.max()
    colour: NDArray[np.float32] = (value * (1 - saturation + saturation * hue)).astype(np.float32)
    return colour
