"""Images of every kind that people have."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.image import LoadedImage, load_image
from armsight.errors import BadImageError
from tests.charted_arm import chart

W, H = 80, 60


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Smooth colours that differ at every place, in every channel and under every turn."""
    picture = chart(W, H)
    picture[..., 2] = np.linspace(255, 40, W * H).reshape(H, W)
    return picture


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_files_give_their_pixels(
    tmp_path: Path, picture: NDArray[np.uint8], suffix: str
) -> None:
    loaded = load_image(save(tmp_path / f"a{suffix}", Image.fromarray(picture)))
    np.testing.assert_array_equal(loaded.pixels, picture)
    assert (loaded.width, loaded.height) == (W, H)
    assert loaded.name == str(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_files_come_close(tmp_path: Path, picture: NDArray[np.uint8], suffix: str) -> None:
    loaded = load_image(str(save(tmp_path / f"a{suffix}", Image.fromarray(picture), quality=95)))
    assert np.abs(loaded.pixels.astype(int) - picture).mean() < 4


def test_pillow_image_and_array_are_the_same(picture: NDArray[np.uint8]) -> None:
    for image in (picture, Image.fromarray(picture)):
        loaded = load_image(image)
        np.testing.assert_array_equal(loaded.pixels, picture)
        assert loaded.name is None


def test_grey_becomes_three_equal_channels(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    grey = picture[..., 0]
    for image in (save(tmp_path / "g.png", Image.fromarray(grey)), grey, grey[..., None]):
        np.testing.assert_array_equal(load_image(image).pixels, np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("as_array", [True, False])
def test_transparency_lies_over_white(
    tmp_path: Path, picture: NDArray[np.uint8], as_array: bool
) -> None:
    alpha = np.zeros((H, W, 1), np.uint8)
    alpha[:, 20:40], alpha[:, 40:] = 128, 255
    rgba = np.concatenate([picture, alpha], axis=2)
    image = rgba if as_array else save(tmp_path / "t.png", Image.fromarray(rgba))
    pixels = load_image(image).pixels.astype(float)
    assert (pixels[:, :20] == 255).all()
    np.testing.assert_array_equal(pixels[:, 40:], picture[:, 40:])
    half = picture[:, 20:40] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(pixels[:, 20:40] - half).max() <= 1


def test_grey_with_transparency_and_palette_with_transparency(
    tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    alpha = np.zeros((H, W), np.uint8)
    alpha[0] = 255
    path = save(tmp_path / "la.png", Image.fromarray(np.stack([picture[..., 0], alpha], 2), "LA"))
    assert (load_image(path).pixels[1:] == 255).all()
    colours = np.zeros((H, W), np.uint8)
    colours[0] = 1
    palette = Image.fromarray(colours, "P")
    palette.putpalette([10, 20, 30] * 256)
    path = save(tmp_path / "p.png", palette, transparency=0)
    assert (load_image(path).pixels[1:] == 255).all()


@pytest.mark.parametrize("faintest", [0, 1])
def test_an_empty_alpha_channel_is_ignored(
    tmp_path: Path, picture: NDArray[np.uint8], faintest: int
) -> None:
    rgba = np.concatenate([picture, np.full((H, W, 1), faintest, np.uint8)], axis=2)
    for image in (rgba, save(tmp_path / "t.png", Image.fromarray(rgba))):
        loaded = load_image(image)
        np.testing.assert_array_equal(loaded.pixels, picture)
        assert any("alpha channel is empty" in message for message in loaded.messages)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("colour", [False, True])
def test_few_bits_in_sixteen(
    tmp_path: Path, picture: NDArray[np.uint8], bits: int, colour: bool
) -> None:
    deep = (picture.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    deep = deep if colour else deep[..., 0]
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), deep[..., ::-1] if colour else deep)
    for image in (path, deep):
        loaded = load_image(image)
        expected = picture if colour else picture[..., :1]
        assert np.abs(loaded.pixels.astype(int) - expected).max() <= 1
        assert any(f"read as {bits} bits" in message for message in loaded.messages)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_orientations_that_do_not_exist(
    tmp_path: Path, picture: NDArray[np.uint8], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = load_image(save(tmp_path / "o.png", Image.fromarray(picture), exif=exif))
    np.testing.assert_array_equal(loaded.pixels, picture)
    assert (loaded.width, loaded.height) == (W, H)
    assert any(f"no EXIF orientation {orientation}" in message for message in loaded.messages)


def test_palette_gives_its_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(np.full((H, W), 7, np.uint8), "P")
    palette.putpalette([v for i in range(256) for v in (i, 2 * i % 256, 200)])
    pixels = load_image(save(tmp_path / "p.png", palette)).pixels
    assert (pixels == (7, 14, 200)).all()


def test_black_and_white_bits(tmp_path: Path) -> None:
    bits = Image.fromarray(np.eye(64, dtype=bool))
    pixels = load_image(save(tmp_path / "b.png", bits)).pixels
    np.testing.assert_array_equal(pixels[..., 0], np.eye(64, dtype=np.uint8) * 255)


def test_cmyk_jpeg(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    path = save(tmp_path / "c.jpg", Image.fromarray(picture).convert("CMYK"), quality=95)
    with Image.open(path) as stored:
        assert stored.mode == "CMYK"
    assert np.abs(load_image(path).pixels.astype(int) - picture).mean() < 5


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, W * H).reshape(H, W).astype(np.uint16)
    expected = values / 257
    for image in (save(tmp_path / "16.png", Image.fromarray(values)), values):
        pixels = load_image(image).pixels
        assert np.abs(pixels[..., 0] - expected).max() <= 1
        assert pixels.max() == 255


def test_sixteen_bit_colour_array() -> None:
    values = np.full((H, W, 3), 257 * 100, np.uint16)
    assert (load_image(values).pixels == 100).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(
    tmp_path: Path, picture: NDArray[np.uint8], orientation: int
) -> None:
    # What a camera stores so that a viewer which obeys the tag shows `picture` (EXIF 2.3, 4.6.4).
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    loaded = load_image(save(tmp_path / "r.png", image, exif=exif))
    np.testing.assert_array_equal(loaded.pixels, picture)
    assert (loaded.width, loaded.height) == (W, H)


def test_exif_rotation_of_a_grey_16_bit_file(tmp_path: Path) -> None:
    values = np.zeros((H, W), np.uint16)
    values[:, : W // 2] = 65535
    exif = Image.Exif()
    exif[0x0112] = 6
    loaded = load_image(save(tmp_path / "r.png", Image.fromarray(values), exif=exif))
    assert (loaded.width, loaded.height) == (H, W)
    assert loaded.pixels[: W // 2].min() == 255


def test_focal_length_from_exif(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    path = save(tmp_path / "f.jpg", Image.fromarray(picture), exif=exif)
    assert load_image(path).focal_35mm == 26
    assert load_image(picture).focal_35mm is None


@pytest.mark.parametrize("focal", [0, 65535])
def test_impossible_focal_lengths_are_ignored(
    tmp_path: Path, picture: NDArray[np.uint8], focal: int
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = focal
    path = save(tmp_path / "f.jpg", Image.fromarray(picture), exif=exif)
    assert load_image(path).focal_35mm is None


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (W, H), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == ".webp" else {}
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, **options)
    loaded = load_image(path)
    assert (loaded.pixels == (255, 0, 0)).all()
    assert loaded.messages == ("animated: only the first of 3 frames was read",)


def test_name_and_content_may_disagree(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    np.testing.assert_array_equal(load_image(tmp_path / "a.jpg").pixels, picture)


def test_loaded_image_passes_through(picture: NDArray[np.uint8]) -> None:
    loaded = load_image(picture)
    assert load_image(loaded) is loaded


@pytest.mark.parametrize(("width", "height"), [(20_000, 400), (20_000, 2_000)])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_twenty_thousand_pixels_wide(tmp_path: Path, width: int, height: int, suffix: str) -> None:
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.arange(width) / width * 255
    path = save(tmp_path / f"wide{suffix}", Image.fromarray(ramp))
    loaded = load_image(path)
    assert (loaded.width, loaded.height) == (width, height)
    assert loaded.pixels.size <= 3 * 24_000_000
    # Coordinates stay those of the original: red 127.5 lies in its middle.
    crop = loaded.cut((width / 2 - 200.5, -0.5, width / 2 + 199.5, 399.5), 64)
    assert abs(crop[32, 32, 0] - 127.5) < 2
    assert abs(crop[..., 0].mean() - 127.5) < 2


def test_exif_rotation_survives_the_reduction(tmp_path: Path) -> None:
    tall = np.zeros((6000, 5000, 3), np.uint8)
    tall[:3000] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: the stored top is the right half
    for suffix in (".jpg", ".png"):
        path = save(tmp_path / f"t{suffix}", Image.fromarray(tall), exif=exif)
        loaded = load_image(path)
        assert (loaded.width, loaded.height) == (6000, 5000)
        assert loaded.pixels.shape[1] > loaded.pixels.shape[0]
        h, w = loaded.pixels.shape[:2]
        assert loaded.pixels[h // 2, w // 4].max() < 5
        assert loaded.pixels[h // 2, 3 * w // 4].min() > 195


def test_cut_follows_the_original_size(picture: NDArray[np.uint8]) -> None:
    """A picture held at half its size is cut in coordinates of the whole."""
    whole = LoadedImage(np.repeat(np.repeat(picture, 2, 0), 2, 1), 2 * W, 2 * H)
    half = LoadedImage(picture, 2 * W, 2 * H)
    box = (19.5, 9.5, 99.5, 89.5)
    difference = whole.cut(box, 40).astype(int) - half.cut(box, 40)
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize(("suffix", "bits"), [("jpg", 8), ("png", 8), ("png", 16), ("tiff", 8)])
def test_bytes_of_a_file_are_read_like_the_file(tmp_path: Path, suffix: str, bits: int) -> None:
    picture = np.random.default_rng(0).integers(0, 2**bits, (40, 60, 3))
    path = tmp_path / f"picture.{suffix}"
    cv2.imwrite(str(path), picture.astype(np.uint16 if bits == 16 else np.uint8))
    by_path, by_bytes = load_image(path), load_image(path.read_bytes())
    np.testing.assert_array_equal(by_bytes.pixels, by_path.pixels)
    assert by_bytes == replace(by_path, pixels=by_bytes.pixels, name=None)


def test_bytes_that_are_no_image() -> None:
    for content, message in (
        (b"", "empty"),
        (b"hello, world", "not an image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not an image|damaged"),
    ):
        with pytest.raises(BadImageError, match=f"the image .*({message})"):
            load_image(content)
