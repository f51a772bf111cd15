"""Damaged JPEGs are told from whole ones of every kind that people have."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.image import load_image
from armsight.camera.jpeg import is_damaged_jpeg
from armsight.errors import BadImageError
from tests.charted_arm import chart


def picture() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 40, (240, 320, 3))
    return np.clip(chart(320, 240).astype(int) + noise, 0, 255).astype(np.uint8)


def encoded(mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        encoded(),
        encoded(quality=5),
        encoded(quality=100, subsampling=0),
        encoded(subsampling="4:1:1"),
        encoded(progressive=True),
        encoded("L", progressive=True),
        encoded("CMYK"),
        encoded(restart_marker_blocks=4),
        encoded(keep_rgb=True),
        encoded() + bytes(1000),
        encoded() + np.random.default_rng(1).bytes(5000),
        encoded() + encoded(quality=50),
    ],
)
def test_whole_files_are_not_damaged(data: bytes) -> None:
    assert not is_damaged_jpeg(data)
    assert load_image(data).pixels.shape == (240, 320, 3)


def test_damage_that_decoders_hide() -> None:
    """Of files with changed bytes that Pillow shows without a word, a good part is refused, and
    what a refused one shows is not the picture."""
    data, true = encoded(), np.asarray(Image.open(io.BytesIO(encoded())), int)
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(60):
        changed = bytearray(data)
        for place in rng.integers(700, len(data) - 2, 3):
            changed[place] = rng.integers(256)
        try:
            shown = np.asarray(Image.open(io.BytesIO(bytes(changed))), int)
        except (OSError, SyntaxError):
            continue
        if is_damaged_jpeg(bytes(changed)):
            refused += 1
            assert np.abs(shown - true).max() > 10
            with pytest.raises(BadImageError, match="damaged"):
                load_image(bytes(changed))
    assert refused > 5
