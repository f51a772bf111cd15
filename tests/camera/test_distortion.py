"""Lens distortion against the formulas, point by point, and through the whole pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.distortion import Distortion
from armsight.estimate.estimator import Estimator
from tests.charted_arm import ROBOT, StubSession, chart, make_arm

K = np.array([[500.0, 0, 318], [0, 505, 242], [0, 0, 1]])
LENSES = {
    "plumb_bob": Distortion("plumb_bob", np.array([-0.25, 0.08, 0.001, -0.002, 0.01])),
    "rational": Distortion(
        "rational_polynomial", np.array([0.2, 0.1, 0.001, -0.001, 0.02, 0.3, 0.1, 0.01])
    ),
    "fisheye": Distortion("fisheye", np.array([0.02, -0.01, 0.003, 0.0])),
}


def by_formula(lens: Distortion, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """OpenCV's documented models, for one point after the other."""
    moved = []
    for u, v in points:
        x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
        r = np.hypot(x, y)
        if lens.model == "fisheye":
            k1, k2, k3, k4 = lens.coefficients
            t = np.arctan(r)
            bent = t * (1 + k1 * t**2 + k2 * t**4 + k3 * t**6 + k4 * t**8)
            x, y = x * bent / r, y * bent / r
        else:
            k1, k2, p1, p2, k3, *rest = lens.coefficients
            k4, k5, k6 = rest or (0, 0, 0)
            radial = 1 + k1 * r**2 + k2 * r**4 + k3 * r**6
            radial /= 1 + k4 * r**2 + k5 * r**4 + k6 * r**6
            x, y = (
                x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
                y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
            )
        moved.append([x * K[0, 0] + K[0, 2], y * K[1, 1] + K[1, 2]])
    return np.array(moved)


@pytest.mark.parametrize("name", LENSES)
def test_points(name: str) -> None:
    points = np.random.default_rng(0).uniform([0, 0], [639, 479], (40, 2))
    lens = LENSES[name]
    np.testing.assert_allclose(lens.distorted(points, K), by_formula(lens, points), atol=1e-6)


@pytest.mark.parametrize("name", LENSES)
def test_a_spot_comes_back_to_its_place(name: str) -> None:
    lens = LENSES[name]
    for place in ([320.0, 240.0], [150.0, 130.0], [480.0, 350.0]):
        u, v = lens.distorted(np.array([place]), K)[0]
        picture = np.zeros((480, 640, 3), np.uint8)
        grid = np.stack(np.meshgrid(np.arange(640), np.arange(480)), -1) - [u, v]
        picture[:] = (255 * np.exp(-(grid**2).sum(-1) / 18))[..., None]
        straight = lens.undistorted(picture, K)[..., 0].astype(float)
        mass = straight.sum()
        centre = [(straight.sum(axis) @ np.arange(n)) / mass for axis, n in ((0, 640), (1, 480))]
        np.testing.assert_allclose(centre, place, atol=0.15)


def test_answers_are_in_pixels_of_the_picture_as_it_was_taken() -> None:
    arm, lens = make_arm(x=0.35), LENSES["plumb_bob"]
    # Where each pixel of the bent picture comes from in the straight one.
    grid = np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), -1).reshape(-1, 1, 2)
    source = cv2.undistortPoints(grid, arm.K, lens.coefficients, P=arm.K)
    bent = cv2.remap(
        chart(), source.reshape(480, 640, 2).astype(np.float32), None, cv2.INTER_LINEAR
    )
    camera = CameraFile(Path("lens.yaml"), arm.K, (640, 480), lens)
    estimator = Estimator(StubSession([arm]), ROBOT)  # type: ignore[arg-type]
    estimate = estimator(bent, camera=camera)
    assert estimate.keypoints_2d is not None
    assert estimate.joint_positions is not None
    expected = lens.distorted(arm.keypoints_2d, arm.K)
    assert np.abs(expected - arm.keypoints_2d).max() > 5
    assert np.abs(estimate.keypoints_2d - expected).max() < 1.5
    assert np.degrees(np.abs(estimate.joint_positions - arm.q)).max() < 1
    assert any("distortion (plumb bob) of lens.yaml is undone" in m for m in estimate.messages)
    assert estimate.to_json()["distortion"]["model"] == "plumb_bob"
    ignored = estimator(bent, camera=replace(camera, distortion=None))
    assert ignored.keypoints_2d is not None
    assert ignored.to_json()["distortion"] is None
