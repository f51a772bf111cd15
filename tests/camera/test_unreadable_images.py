"""What cannot be read as an image: each case names what is wrong."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.camera.image import load_image
from armsight.errors import BadImageError

W, H = 80, 60


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def encoded(suffix: str, size: tuple[int, int] = (W, H)) -> bytes:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, suffix)
    return buffer.getvalue()


def compressible() -> bytes:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 9, (300, 400, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).save(buffer, "PNG")
    return buffer.getvalue()


DEFLATED = compressible()
BAD_FILES = {
    "zero bytes": ("a.png", b"", r"a\.png is empty"),
    "text renamed": ("a.png", b"not a picture\n" * 50, "not an image that can be read"),
    "random bytes": ("a.jpg", bytes(range(256)) * 8, "not an image that can be read"),
    "truncated jpeg": ("a.jpg", encoded("JPEG")[:2000], "damaged"),
    "truncated png": ("a.png", encoded("PNG")[:5000], "damaged"),
    "truncated webp": ("a.webp", encoded("WEBP")[:500], "damaged|not an image"),
    "only a signature": ("a.png", b"\x89PNG\r\n\x1a\n", "damaged|not an image"),
    "png without its data": ("a.png", png_header(200, 200), "damaged"),
    "bit flips in a png": (
        "a.png",
        DEFLATED[:3000] + b"\xff" * 500 + DEFLATED[3500:],
        "damaged",
    ),
    "decompression bomb": ("a.png", png_header(60_000, 60_000), "more than 178 megapixels"),
    "too many pixels": ("a.png", png_header(20_000, 10_000), "more than 178 megapixels"),
    "one pixel": ("a.png", encoded("PNG", (1, 1)), "1x1 pixels"),
    "a line": ("a.png", encoded("PNG", (500, 3)), "500x3 pixels"),
    "heic": ("a.heic", b"\0\0\0\x18ftypheic" + bytes(100), "save HEIC as JPEG first"),
    "svg": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "known: JPEG, PNG"),
    "pdf": ("a.pdf", b"%PDF-1.4\n%%EOF", "not an image that can be read"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_named(tmp_path: Path, case: str) -> None:
    name, content, message = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadImageError, match=message) as caught:
        load_image(tmp_path / name)
    assert name in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match=r"nothing\.png does not exist"):
        load_image(tmp_path / "nothing.png")
    with pytest.raises(BadImageError, match="not a file"):
        load_image(tmp_path)


def test_floating_point_tiff(tmp_path: Path) -> None:
    path = save(tmp_path / "f.tif", Image.fromarray(np.zeros((H, W), np.float32)))
    with pytest.raises(BadImageError, match="floating-point"):
        load_image(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = save(tmp_path / "p.png", Image.new("RGB", (W, H)))
    path.chmod(0)
    with pytest.raises(BadImageError, match="no permission"):
        load_image(path)


BAD_ARRAYS = {
    "floats": (np.zeros((H, W, 3)), "dtype float64; it must be uint8"),
    "NaN": (np.full((H, W, 3), np.nan), "holds NaN or infinity"),
    "infinity": (np.full((H, W, 3), np.inf, np.float32), "holds NaN or infinity"),
    "signed": (np.zeros((H, W, 3), np.int32), "dtype int32"),
    "bool": (np.zeros((H, W, 3), bool), "dtype bool"),
    "text": (np.full((H, W, 3), "x"), "dtype <U1"),
    "channel first": (np.zeros((3, H, W), np.uint8), "channel-first"),
    "two channels": (np.zeros((H, W, 2), np.uint8), r"must be \(H, W, 3\)"),
    "five channels": (np.zeros((H, W, 5), np.uint8), r"must be \(H, W, 3\)"),
    "one row": (np.zeros(W, np.uint8), r"shape \(80,\)"),
    "a batch": (np.zeros((2, H, W, 3), np.uint8), "give a list"),
    "nothing": (np.zeros((0, 0, 3), np.uint8), "empty"),
    "tiny": (np.zeros((8, 8, 3), np.uint8), "8x8 pixels"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_named(case: str) -> None:
    array, message = BAD_ARRAYS[case]
    with pytest.raises(BadImageError, match=message):
        load_image(array)


@pytest.mark.parametrize("thing", [None, 7, {"a": 1}, object()])
def test_other_things_are_named(thing: Any) -> None:
    with pytest.raises(BadImageError, match=type(thing).__name__):
        load_image(thing)
