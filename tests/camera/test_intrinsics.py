"""Which camera matrix is used, what it says of itself, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.camera.camera_file import CameraFile, check_K
from armsight.camera.distortion import Distortion
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.errors import BadIntrinsicsError

K = np.array([[600.0, 0, 320], [0, 605, 240], [0, 0, 1]])


def image(width: int = 640, height: int = 480, **options: Any) -> LoadedImage:
    return LoadedImage(np.zeros((height, width, 3), np.uint8), width, height, **options)


def with_entry(row: int, column: int, value: float) -> np.ndarray[Any, Any]:
    changed = K.copy()
    changed[row, column] = value
    return changed


BAD_K = {
    "NaN": (with_entry(0, 0, np.nan), "NaN or infinity"),
    "infinite": (with_entry(1, 2, np.inf), "NaN or infinity"),
    "negative": (with_entry(0, 0, -600), "focal lengths -600 and 605"),
    "zero": (np.zeros((3, 3)), "focal lengths 0 and 0"),
    "singular": (np.ones((3, 3)), "1.0, 1.0"),
    "transposed": (K.T, "320"),
    "no last row": (with_entry(2, 2, 0), "0.0"),
    "far apart": (with_entry(1, 1, 6), "too far apart"),
    "3x4": (np.zeros((3, 4)), r"shape \(3, 4\)"),
    "four numbers": ([600, 600, 320, 240], r"shape \(4,\)"),
    "text": ("600", r"shape \(\)"),
    "words": ("wide", "must be a 3x3 matrix"),
    "ragged": ([[1, 2], [3]], "must be a 3x3 matrix"),
}


@pytest.mark.parametrize("case", BAD_K)
def test_bad_matrices_are_named(case: str) -> None:
    matrix, message = BAD_K[case]
    with pytest.raises(BadIntrinsicsError, match=message):
        find_intrinsics(image(), matrix)


def test_given_matrix_is_used_as_it_is() -> None:
    found = find_intrinsics(image(), K.tolist())
    np.testing.assert_array_equal(found.K, K)
    assert (found.source, found.messages) == ("given", ())
    np.testing.assert_array_equal(check_K(with_entry(0, 1, 3.0))[0], [600, 3, 320])


def test_matrix_of_another_size_is_doubted() -> None:
    found = find_intrinsics(image(200, 150), K)
    assert "outside of the 200x150 image" in found.messages[0]


def test_field_of_view_is_horizontal() -> None:
    found = find_intrinsics(image(640, 480), fov_deg=90)
    np.testing.assert_allclose(found.K, [[320, 0, 319.5], [0, 320, 239.5], [0, 0, 1]])
    assert found.source == "field_of_view"


@pytest.mark.parametrize("fov", [0, -60, 180, float("nan")])
def test_impossible_field_of_view(fov: float) -> None:
    with pytest.raises(BadIntrinsicsError, match="must be 1 to 175"):
        find_intrinsics(image(), fov_deg=fov)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640)])
def test_without_anything_the_longer_side_spans_sixty_degrees(width: int, height: int) -> None:
    found = find_intrinsics(image(width, height))
    assert found.source == "assumed"
    assert "assumed a field of view of 60 deg" in found.messages[0]
    assert 2 * np.degrees(np.arctan(320 / found.K[0, 0])) == pytest.approx(60)
    assert found.K[0, 2] == (width - 1) / 2


def test_exif_focal_length() -> None:
    # On 3:2, like the film, 36 mm of width and the diagonal say the same: fx = W * f / 36.
    found = find_intrinsics(image(3000, 2000, focal_35mm=28.0))
    assert found.K[0, 0] == pytest.approx(3000 * 28 / 36, rel=1e-4)
    assert found.source == "exif"
    assert "28 mm" in found.messages[0]


def test_only_one_source_may_be_given() -> None:
    with pytest.raises(BadIntrinsicsError, match="only one"):
        find_intrinsics(image(), K, fov_deg=60)


def test_camera_file_of_another_size_is_rescaled() -> None:
    camera = CameraFile(Path("cam.json"), K, (640, 480))
    found = find_intrinsics(image(1280, 960), camera=camera)
    # The same direction must land on the same place of the larger picture.
    ray = np.array([0.2, -0.1, 1.0])
    small, large = (K @ ray)[:2], (found.K @ ray)[:2]
    np.testing.assert_allclose((large + 0.5) / 2, small + 0.5)
    assert found.source == "camera_file"
    assert "rescaled" in found.messages[0]


def test_camera_file_of_another_shape_is_refused() -> None:
    camera = CameraFile(Path("cam.json"), K, (640, 480))
    with pytest.raises(BadIntrinsicsError, match="a different shape"):
        find_intrinsics(image(480, 640), camera=camera)


LENS = Distortion("plumb_bob", np.array([-0.1, 0.0, 0.0, 0.0]))


def test_distortion_is_mentioned() -> None:
    found = find_intrinsics(image(), camera=CameraFile(Path("cam.yaml"), K, None, LENS))
    assert "distortion" in found.messages[0]


def test_K_belongs_to_the_upright_image(tmp_path: Path) -> None:
    """A photo stored on its side: K of the picture as shown is used untouched."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 480)).save(tmp_path / "r.jpg", exif=exif)
    upright = np.array([[600.0, 0, 239.5], [0, 600, 319.5], [0, 0, 1]])
    loaded = load_image(tmp_path / "r.jpg")
    found = find_intrinsics(loaded, upright)
    np.testing.assert_array_equal(found.K, upright)
    assert found.messages == ()
    as_stored = np.array([[600.0, 0, 500], [0, 600, 239.5], [0, 0, 1]])
    assert "before its EXIF rotation" in find_intrinsics(loaded, as_stored).messages[0]


@pytest.mark.parametrize(
    ("fx", "fy", "cx", "cy", "words"),
    [
        (600, 600, 100, 240, "far off the middle"),
        (600, 600, 900, 240, "outside of the 640x480"),
        (600, 480, 320, 240, "differ by 25%"),
    ],
)
def test_unlikely_intrinsics_get_a_note(
    fx: float, fy: float, cx: float, cy: float, words: str
) -> None:
    odd = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    assert any(words in note for note in find_intrinsics(image(), odd).messages)


@pytest.mark.parametrize("focal", [21.0, 20000.0])
def test_an_absurd_field_of_view_is_refused(focal: float) -> None:
    odd = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]])
    with pytest.raises(BadIntrinsicsError, match="field of view of"):
        find_intrinsics(image(), odd)


def test_a_file_that_was_assumed_stays_so() -> None:
    found = find_intrinsics(image(), camera=CameraFile(Path("a.json"), K, source="assumed"))
    assert found.source == "assumed"
    assert any("were assumed" in note for note in found.messages)
