"""A camera matrix that the picture contradicts is said, and its answer is not confident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from armsight.camera.image import load_image
from armsight.estimate.camera_doubt import camera_messages, is_contradicted, with_camera_doubt
from armsight.estimate.estimator import Estimator
from armsight.estimate.pretrained import WEIGHTS
from armsight.fit.solution import Solution

EXAMPLE_K = np.array([[782.8, 0, 314.6], [0, 785.4, 224.7], [0, 0, 1]])


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator.from_pretrained("panda", threads=1)


def some_solution(focal_std: float, focal_seen: tuple[float, float] | None) -> Solution:
    nothing = np.zeros(0)
    covariance = np.diag(np.append(np.ones(13), focal_std**2))
    return Solution(
        nothing, nothing, np.eye(4), covariance, nothing, nothing, 1.0, 1.0, 1, nothing, nothing,
        None, nothing, focal_seen=focal_seen,
    )  # fmt: skip


@pytest.mark.parametrize("factor", [0.5, 0.6])
def test_intrinsics_of_another_size(estimator: Estimator, factor: float) -> None:
    K = EXAMPLE_K.copy()
    K[:2] *= factor
    K[:2, 2] = EXAMPLE_K[:2, 2]
    estimate = estimator(WEIGHTS / "panda" / "example.jpg", K=K)
    said = [m for m in estimate.messages if "looks like a field of view of" in m]
    assert len(said) == 1
    true_fov = np.degrees(2 * np.arctan(320 / EXAMPLE_K[0, 0]))
    seen = float(said[0].split("field of view of ")[1].split(" deg")[0])
    assert abs(seen - true_fov) < abs(np.degrees(2 * np.arctan(320 / K[0, 0])) - true_fov) / 2
    assert estimate.confidence < 0.5


def test_the_right_intrinsics_are_not_doubted(estimator: Estimator) -> None:
    estimate = estimator(WEIGHTS / "panda" / "example.jpg", K=EXAMPLE_K)
    assert not [m for m in estimate.messages if "field of view" in m]
    assert estimate.confidence > 0.5


def test_what_is_said() -> None:
    image = replace(load_image(np.zeros((480, 640, 3), np.uint8)), width=640, height=480)
    free = some_solution(0.1, None)
    [said] = camera_messages(EXAMPLE_K, image, free)
    assert said.startswith("field of view seen from the arm: 44 +- ")
    assert camera_messages(EXAMPLE_K, image, some_solution(0.0, (0.02, 30.0))) == ()
    assert camera_messages(EXAMPLE_K, image, some_solution(0.0, (0.7, 2.0))) == ()
    narrower = some_solution(0.0, (0.7, 30.0))
    assert (
        "looks like a field of view of 23 deg, and the given camera has 44"
        in camera_messages(EXAMPLE_K, image, narrower)[0]
    )
    assert is_contradicted(narrower)
    assert with_camera_doubt(0.9, narrower) == 0.4
    assert with_camera_doubt(0.2, narrower) == 0.2
    assert with_camera_doubt(0.9, some_solution(0.0, (0.7, 5.0))) == 0.9
