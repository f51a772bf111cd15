"""Boxes and crops against sampling by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.camera.crops import (
    Box,
    box_around,
    camera_token,
    cut,
    overlap,
    scaled,
    square_around,
    tiles,
    to_image,
    whole_frame,
)
from armsight.geometry import crop_intrinsics, crop_matrix, project
from tests.charted_arm import make_arm


def smooth_picture(width: int, height: int) -> NDArray[np.uint8]:
    """A picture of slow waves, different in each channel."""
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(u / 19 + v / 31), np.cos(u / 23 - v / 17), np.sin(v / 13) * np.cos(u / 29)]
    return (127 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


def brute_force_cut(pixels: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.float64]:
    """Mean over 8x8 samples spread evenly within each crop pixel, black off the image."""
    height, width = pixels.shape[:2]
    fine = 8 * size
    where = (np.arange(fine) + 0.5) / fine
    u = np.round(box[0] + where * (box[2] - box[0])).astype(int)
    v = np.round(box[1] + where * (box[3] - box[1])).astype(int)
    samples = pixels[v.clip(0, height - 1)[:, None], u.clip(0, width - 1)].astype(float)
    samples[(v < 0) | (v >= height)] = 0
    samples[:, (u < 0) | (u >= width)] = 0
    return samples.reshape(size, 8, size, 8, 3).mean(axis=(1, 3))


@pytest.mark.parametrize(
    "box",
    [
        (-0.5, -0.5, 63.5, 63.5),  # pixel for pixel
        (20.2, 10.7, 52.2, 42.7),  # enlarged twice
        (13.3, 8.9, 190.3, 185.9),  # shrunk by 2.8
        (-60.5, -40.5, 239.5, 259.5),  # over all borders
        (150.0, 100.0, 230.0, 180.0),  # over one corner
        (-0.5, -0.5, 319.5, 319.5),  # by exactly 5
    ],
)
def test_cut_is_the_mean_of_what_lies_under_each_pixel(box: Box) -> None:
    picture = smooth_picture(200, 150)
    crop = cut(picture, box, 64)
    expected = brute_force_cut(picture, box, 64)
    assert crop.shape == (64, 64, 3)
    # At the image's border half of a pixel is black: allow it there.
    inside = brute_force_cut(np.full_like(picture, 255), box, 64)[..., 0] > 254.9
    inside[1:] &= inside[:-1]
    inside[:-1] &= inside[1:]
    inside[:, 1:] &= inside[:, :-1]
    inside[:, :-1] &= inside[:, 1:]
    assert inside.sum() > 500
    assert np.abs(crop - expected)[inside].mean() < 1.5
    assert np.abs(crop - expected)[inside].max() < 12


def test_pixel_for_pixel_changes_nothing() -> None:
    picture = smooth_picture(64, 64)
    np.testing.assert_array_equal(cut(picture, (-0.5, -0.5, 63.5, 63.5), 64), picture)


def test_shrinking_does_not_alias() -> None:
    """Stripes one pixel wide become even grey; plain bilinear sampling would keep some."""
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut(stripes, (-0.5, -0.5, 599.5, 599.5), 60)
    assert np.abs(crop[1:-1, 1:-1].astype(float) - 127.5).max() < 2


def test_box_off_the_image_is_black() -> None:
    assert not cut(smooth_picture(50, 40), (100.0, 100.0, 160.0, 160.0), 32).any()


def test_whole_frame_is_square_and_centred() -> None:
    assert whole_frame(640, 480) == (-0.5, -80.5, 639.5, 559.5)
    assert whole_frame(3, 9) == (-3.5, -0.5, 5.5, 8.5)


def test_box_around_points() -> None:
    points = np.array([[10.0, 20], [110, 60], [50, 30]])
    assert box_around(points, margin=1.5) == pytest.approx((-15, -35, 135, 115))
    assert box_around(points[:1]) == pytest.approx((-6, 4, 26, 36))


def test_overlap() -> None:
    unit = (0.0, 0.0, 1.0, 1.0)
    assert overlap(unit, unit) == 1
    assert overlap(unit, (0.5, 0.0, 1.5, 1.0)) == pytest.approx(1 / 3)
    assert overlap(unit, (5.0, 5.0, 6.0, 6.0)) == 0
    assert overlap(unit, (0.0, 0.0, 2.0, 2.0)) == pytest.approx(0.25)


def test_to_image_undoes_the_crop() -> None:
    box, size = (13.0, -20.5, 213.0, 179.5), 96
    points = np.array([[0.0, 0], [95, 95], [30.5, 7]])
    A = crop_matrix(box, size)
    back = to_image(points, box, size)
    np.testing.assert_allclose(back * A[0, 0] + A[:2, 2], points, atol=1e-9)


def test_camera_token_says_how_the_crop_was_seen() -> None:
    arm, box, size = make_arm(), (100.0, 50.0, 400.0, 350.0), 192
    token = camera_token(arm.K, box, size).astype(float)
    focal = np.exp(token[:2]) * size
    centre = token[2:] * size + (size - 1) / 2
    K = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
    np.testing.assert_allclose(K, crop_intrinsics(arm.K, box, size), rtol=1e-4, atol=1e-3)
    in_crop = project(arm.keypoints_3d_cam, K)
    np.testing.assert_allclose(to_image(in_crop, box, size), arm.keypoints_2d, atol=0.01)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1920, 400), (300, 300)])
def test_tiles_cover_the_image(width: int, height: int) -> None:
    covered = np.zeros((height, width), bool)
    boxes = tiles(width, height)
    for x0, y0, x1, y1 in boxes:
        assert x1 - x0 == pytest.approx(y1 - y0)
        assert x1 - x0 == pytest.approx(0.6 * max(width, height))
        left, top, right, bottom = (max(0, round(edge + 0.5)) for edge in (x0, y0, x1, y1))
        covered[top:bottom, left:right] = True
    assert covered.all()
    assert len(boxes) <= 6


def test_boxes_grow_about_their_centre() -> None:
    assert scaled((0, 10, 4, 12), 2) == (-2, 9, 6, 13)
    assert square_around((0, 10, 4, 12)) == (0, 9, 4, 13)
