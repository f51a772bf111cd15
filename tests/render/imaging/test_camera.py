"""Cameras and crops against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from armsight.render.imaging import camera

RNG = np.random.default_rng(0)


def test_projection_is_opencvs() -> None:
    T = camera.look_at(np.array([1.2, -0.5, 0.9]), np.array([0.1, 0.0, 0.4]), 0.3)
    K = camera.intrinsics(1.1, 640, 480)
    points = RNG.uniform(-0.3, 0.6, (20, 3))
    expected, _ = cv2.projectPoints(points, cv2.Rodrigues(T[:3, :3])[0], T[:3, 3], K, None)
    uv, cam = camera.project(points, K, T)
    np.testing.assert_allclose(uv, expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(cam, points @ T[:3, :3].T + T[:3, 3])


def test_a_camera_without_roll_keeps_up_up_and_its_target_in_the_centre() -> None:
    target = np.array([0.1, 0.0, 0.4])
    T = camera.look_at(np.array([1.2, -0.5, 0.9]), target, 0.0)
    K = camera.intrinsics(1.1, 641, 481)
    points = np.array([target, target + [0, 0, 0.1]])
    (centre, above), _ = camera.project(points, K, T)
    np.testing.assert_allclose(centre, [320, 240])
    assert above[0] == pytest.approx(320)
    assert above[1] < 240
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1)


def test_field_of_view_reaches_the_outer_edges_of_the_border_pixels() -> None:
    K = camera.intrinsics(np.deg2rad(90), 640, 480)
    assert K[0, 0] == pytest.approx(320)
    left = (np.array([-0.5, 0, 1]) @ np.linalg.inv(K).T)[0]
    assert left == pytest.approx(-np.tan(np.deg2rad(45)))


def test_crop_intrinsics_follow_a_resized_picture() -> None:
    """A blob drawn in a frame, cut and enlarged by OpenCV, lands where the crop's K says."""
    K = camera.intrinsics(1.0, 640, 480)
    point = np.array([0.11, -0.07, 1.3])
    u, v, _ = K @ point / point[2]
    rows, columns = np.mgrid[0:480, 0:640]
    frame = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 4.0**2)).astype(np.float32)
    x0, y0, side, size = 300, 100, 160, 256
    part = cv2.resize(frame[y0 : y0 + side, x0 : x0 + side], (size, size))
    rows, columns = np.mgrid[0:size, 0:size]
    found = [(part * axis).sum() / part.sum() for axis in (columns, rows)]
    crop = camera.crop_intrinsics(K, x0, y0, side, size)
    expected = (crop @ point / point[2])[:2]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_sampled_cameras_keep_to_their_ranges() -> None:
    ranges = camera.CameraRanges(distance=(0.5, 2.5), aim_sd=0.0, centre_sd=0.0)
    arm = np.array([[0, 0, 0.2], [0.1, 0, 0.5], [0.3, 0, 0.6], [0.5, 0, 0.4]])
    fovs, rolls = [], []
    for seed in range(300):
        K, T = camera.sample_camera(np.random.default_rng(seed), ranges, arm, 640, 480)
        position = -T[:3, :3].T @ T[:3, 3]
        assert np.linalg.norm(arm - position, axis=1).min() < 2.5 + 0.5
        fovs.append(np.rad2deg(2 * np.arctan(320 / K[0, 0])))
        rolls.append(np.rad2deg(np.arcsin(T[0, 2])))
    assert 35 <= min(fovs) < 40
    assert 85 < max(fovs) <= 90.01
    assert 5 < np.std(rolls) < 15


def test_crops_hold_the_arm_or_the_whole_frame() -> None:
    seen = np.array([[200.0, 100], [300, 240], [260, 180]])
    sides, whole = [], 0
    for seed in range(300):
        x0, y0, side = camera.sample_crop(np.random.default_rng(seed), seen, 640, 480)
        whole += side == 640
        assert x0 < 215
        assert x0 + side > 285
        assert y0 + side > 220
        sides.append(side)
    assert 10 < whole < 60
    assert min(sides) >= 140 * 1.05
