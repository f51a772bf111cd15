"""Augmented labels stay exact pinhole geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.geometry import intrinsics_from_fov, project
from armsight.train.pose.augment import augment

SIDE = 96


def plain_row(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-0.3, -0.3, 0.9], [0.3, 0.3, 1.4], (6, 3))
    K = intrinsics_from_fov(SIDE, SIDE, 55)
    K[:2, 2] += rng.uniform(-20, 20, 2)  # a crop's principal point lies anywhere
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    uv = project(points, K)
    return image, points, K, uv


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([64, 96, 160]))
def test_keypoints_are_what_a_rolled_camera_with_the_new_intrinsics_sees(seed, size):
    image, points, K, uv = plain_row(seed)
    sample = augment(image, image[..., 0], uv, np.ones(6, np.uint8), K, size,
                     np.random.default_rng(seed))  # fmt: skip
    log_f, _, px, py = sample.camera
    focal = np.exp(log_f) * size
    principal = np.array([px, py]) * size + (size - 1) / 2
    rays = (sample.keypoints_2d - principal) / focal
    before = points[:, :2] / points[:, 2:]
    # A roll about the optical axis turns all rays by one angle and changes no length.
    np.testing.assert_allclose(
        np.linalg.norm(rays, axis=1), np.linalg.norm(before, axis=1), atol=1e-6
    )
    turn = np.angle((rays @ [1, 1j]) / (before @ [1, 1j]))
    np.testing.assert_allclose(turn, turn[0], atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_pixels_move_with_their_labels(seed):
    image, _, K, _ = plain_row(seed)
    spot = np.array([[40.0, 55.0]])
    image[54:57, 39:42] = 255
    image[:, :, 1] = 0
    rng = np.random.default_rng(seed)
    sample = augment(image, image[..., 0], spot, np.ones(1, np.uint8), K, 96, rng)
    if sample.keypoints_visible[0] == 0:
        pytest.skip("this draw covers the spot or moves it out of the picture")
    red = sample.image[..., 0].astype(float)
    red[red < red.max() * 0.6] = 0
    y, x = np.mgrid[:96, :96]
    near = (x - sample.keypoints_2d[0, 0]) ** 2 + (y - sample.keypoints_2d[0, 1]) ** 2 < 64
    centre = np.array([(red * x * near).sum(), (red * y * near).sum()]) / (red * near).sum()
    assert np.linalg.norm(centre - sample.keypoints_2d[0]) < 1.0


def test_strength_zero_only_resizes():
    image, _, K, uv = plain_row(3)
    image[:] = np.random.default_rng(0).integers(0, 255, image.shape)
    sample = augment(image, image[..., 0], uv, np.ones(6, np.uint8), K, SIDE,
                     np.random.default_rng(0), strength=0.0)  # fmt: skip
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_allclose(sample.keypoints_2d, uv)


def test_most_pictures_are_cut_as_the_estimator_cuts_them():
    """Around the keypoints that are seen, 1.08 to 1.6 times as wide; the others anyhow."""
    alike = 0
    for seed in range(60):
        image, _, K, uv = plain_row(seed)
        uv = uv - uv.mean(0) + (SIDE - 1) / 2
        sample = augment(image, image[..., 0], uv, np.ones(6, np.uint8), K, SIDE,
                         np.random.default_rng(seed))  # fmt: skip
        low, high = sample.keypoints_2d.min(0), sample.keypoints_2d.max(0)
        margin = SIDE / (high - low).max()
        off = np.abs((low + high) / 2 - (SIDE - 1) / 2).max() / SIDE
        alike += 1.079 < margin < 1.601 and off < 0.0501
    assert 0.6 < alike / 60 < 0.95
