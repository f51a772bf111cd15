"""Camera candidates: exact without noise, unmoved by outliers, both sides of a flat arm."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.measurements import Measurements, check_measurements
from armsight.fit.pnp import camera_candidates, depth_reversed, reprojection_errors
from armsight.geometry import make_transform, project, rotation_from_rotvec, transform_points
from tests.fit.seen_arms import ROBOT, K, View, view


def measured_in(seen: View) -> Measurements:
    return check_measurements(ROBOT, K, seen.keypoints_2d, seen.keypoints_std)


@pytest.mark.parametrize("seed", range(5))
def test_true_angles_give_the_true_camera(seed: int) -> None:
    seen = view(np.random.default_rng(seed), noise=0.0)
    measured = measured_in(seen)
    R, t, owner, errors = camera_candidates(measured, seen.q[None], np.random.default_rng(0))
    assert owner[0] == 0
    np.testing.assert_allclose(make_transform(R[0], t[0]), seen.T_cam_base, atol=1e-5)
    assert errors[0].max() < 0.01


def test_a_third_of_gross_outliers_does_not_move_the_camera() -> None:
    near = 0
    for seed in range(20):
        seen = view(np.random.default_rng(seed), noise=1.0, hidden=0.0, outliers=0.33)
        measured = measured_in(seen)
        q = seen.guesses(np.random.default_rng(seed), std=0.03, count=4)
        R, t, owner, _ = camera_candidates(measured, q, np.random.default_rng(0))
        best = make_transform(R[0], t[0])
        near += seen.add(q[owner[0]], best) < 0.06
    assert near >= 17


def test_each_hypothesis_gets_at_most_two_cameras_and_the_same_every_time() -> None:
    rng = np.random.default_rng(3)
    seen = view(rng)
    q = seen.guesses(rng, std=0.2, count=16)
    measured = measured_in(seen)
    first, again = (camera_candidates(measured, q, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.bincount(first[2], minlength=16).max() <= 2
    assert np.bincount(first[2], minlength=16).min() >= 1


def test_a_start_that_is_wrong_is_replaced() -> None:
    seen = view(np.random.default_rng(4), noise=0.5)
    wrong = seen.T_cam_base.copy()
    wrong[:3, 3] += 0.4
    R, t, _, _ = camera_candidates(
        measured_in(seen), seen.q[None], np.random.default_rng(0), T_start=wrong
    )
    assert seen.add(seen.q, make_transform(R[0], t[0])) < 0.03


def test_a_flat_arm_looks_the_same_with_its_depth_reversed() -> None:
    rng = np.random.default_rng(5)
    flat = rng.standard_normal((1, 12, 3)) * [0.3, 0.3, 0.0]
    R, t = rotation_from_rotvec(np.array([[0.5, 0.4, 0.1]])), np.array([[0.1, 0.0, 40.0]])
    R_other, t_other = depth_reversed(flat, R, t)
    np.testing.assert_allclose(R_other @ R_other.swapaxes(-1, -2), np.eye(3)[None], atol=1e-12)
    assert np.linalg.det(R_other[0]) == pytest.approx(1)
    assert np.abs(R_other - R).max() > 0.1
    images = [
        project(transform_points(make_transform(*pose), flat), K)
        for pose in ((R, t), (R_other, t_other))
    ]
    assert np.abs(images[0] - images[1]).max() < 0.1  # far away: nearly orthographic


def test_errors_behind_the_camera_are_infinite() -> None:
    seen = view(np.random.default_rng(6))
    measured = measured_in(seen)
    T = seen.T_cam_base.copy()
    T[:3, 3] -= [0, 0, 5]
    errors = reprojection_errors(measured, measured.points(seen.q[None]), T[None, :3, :3],
                                 T[None, :3, 3])  # fmt: skip
    assert np.isinf(errors).all()


def test_coincident_keypoints_do_not_crash() -> None:
    measured = check_measurements(
        ROBOT, K, np.full((len(ROBOT.keypoint_names), 2), 100.0), np.ones(len(ROBOT.keypoint_names))
    )
    R, t, owner, errors = camera_candidates(
        measured, ROBOT.ready_positions[None], np.random.default_rng(0)
    )
    assert len(R) == len(t) == len(owner) == len(errors)
    assert np.isfinite(R).all()
    assert np.isfinite(t).all()
