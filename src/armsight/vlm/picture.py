"""Pictures as they are sent: resized by us, so that every model gets the same pixels."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.image import ImageLike, LoadedImage, load_image
from armsight.errors import ConfigError

LONGER_SIDE = 768
"""[px] by default; most providers shrink larger pictures themselves, each in its own way"""
JPEG_QUALITY = 90


@dataclass(frozen=True)
class SentPicture:
    """A JPEG as it goes to the model."""

    data: bytes
    width: int
    height: int
    name: str | None = None

    @cached_property
    def digest(self) -> str:
        """Of the bytes that are sent."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    def data_uri(self) -> str:
        """The picture as text that goes into a request."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode()

    def label(self) -> dict[str, object]:
        """What results say of it."""
        return {
            "name": self.name,
            "sent_width": self.width,
            "sent_height": self.height,
            "sent_bytes": len(self.data),
            "sha256": self.digest,
        }


def prepare(image: ImageLike | LoadedImage, longer_side: int = LONGER_SIDE) -> SentPicture:
    """Shrink an image to at most `longer_side` [px] (never enlarge it) and encode it.

    Raises:
        BadImageError: it is not an image, or is broken.
        ConfigError: `longer_side` makes no sense.
    """
    if not 64 <= longer_side <= 4096:
        raise ConfigError(f"the image size is {longer_side}; it must be 64 to 4096 pixels")
    loaded = load_image(image)
    return encode(loaded.pixels, longer_side, loaded.name)


def encode(pixels: NDArray[np.uint8], longer_side: int, name: str | None = None) -> SentPicture:
    """Pixels (H, W, 3) RGB as a picture to send."""
    picture = Image.fromarray(pixels)
    factor = longer_side / max(picture.size)
    if factor < 1:
        w, h = (max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize((w, h), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return SentPicture(buffer.getvalue(), *picture.size, name and Path(name).name)
