"""The analytic Jacobian against finite differences, the residuals against plain projection."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.fit.gauss_newton import States
from armsight.fit.measurements import Measurements
from armsight.fit.residuals import NEAREST_DEPTH, linearise, turn
from armsight.geometry import make_transform, project, rotation_from_rotvec, transform_points
from tests.fit.seen_arms import ROBOT

SKEWED_K = np.array([[610.0, 3.0, 330.0], [0, 590.0, 250.0], [0, 0, 1]])


def some_measurements(
    rng: np.random.Generator, count: int = 20, *, with_depth: bool = False
) -> Measurements:
    kept = np.sort(rng.choice(len(ROBOT.keypoint_names), count, replace=False))
    positions, std = rng.uniform(0, 500, (count, 2)), rng.uniform(0.5, 3, count)
    depths = ()
    if with_depth:
        depth_std = np.where(rng.random(count) < 0.2, np.inf, rng.uniform(0.02, 0.5, count))
        depths = rng.uniform(-1, 1, count), depth_std
    return Measurements(ROBOT, SKEWED_K, kept, positions, std, *depths)


def some_states(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    q = rng.uniform(*ROBOT.joint_limits.T, (count, len(ROBOT.joint_names)))
    R = rotation_from_rotvec(rng.standard_normal((count, 3)))
    return q, R, np.array([0, 0, 2.5]) + 0.3 * rng.standard_normal((count, 3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 4), with_depth=st.booleans())
def test_jacobian_is_the_derivative(seed: int, batch: int, with_depth: bool) -> None:
    rng = np.random.default_rng(seed)
    measured = some_measurements(rng, with_depth=with_depth)
    q, R, t = some_states(rng, batch)
    states = States(q, R, t, 0.3 * rng.standard_normal(batch))
    at = linearise(measured, *states.parts)
    assert at.in_front.all()
    h = 1e-6
    for k in range(at.jacobian.shape[1]):
        change = np.zeros((batch, at.jacobian.shape[1]))
        change[:, k] = h
        ahead = linearise(measured, *states.moved(change).parts).residuals
        behind = linearise(measured, *states.moved(-change).parts).residuals
        np.testing.assert_allclose(
            at.jacobian[:, k], (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-4
        )


def test_residuals_are_projection_minus_measurement() -> None:
    rng = np.random.default_rng(0)
    measured = some_measurements(rng)
    q, R, t = some_states(rng, 5)
    in_cam = transform_points(make_transform(R, t), ROBOT.keypoints(q)[:, measured.keypoints])
    want = (project(in_cam, SKEWED_K) - measured.keypoints_2d) / measured.std[:, None]
    got = linearise(measured, q, R, t).residuals
    np.testing.assert_allclose(got.swapaxes(-1, -2), want, atol=1e-9)


def test_depth_residuals_are_log_z_minus_measurement() -> None:
    rng = np.random.default_rng(0)
    measured = some_measurements(rng, with_depth=True)
    assert measured.log_depth is not None
    assert measured.log_depth_std is not None
    q, R, t = some_states(rng, 5)
    z = transform_points(make_transform(R, t), ROBOT.keypoints(q)[:, measured.keypoints])[..., 2]
    want = (np.log(z) - measured.log_depth) / measured.log_depth_std
    at = linearise(measured, q, R, t)
    np.testing.assert_allclose(at.residuals[:, 2], want, atol=1e-9)
    pixels = linearise(dataclasses.replace(measured, log_depth=None), q, R, t)
    np.testing.assert_array_equal(at.residuals[:, :2], pixels.residuals)
    np.testing.assert_allclose(at.jacobian[:, :, :2], pixels.jacobian, atol=1e-12)


def test_points_behind_the_camera_say_nothing_and_give_no_nan() -> None:
    rng = np.random.default_rng(1)
    measured = some_measurements(rng)
    q, R, t = some_states(rng, 3)
    at = linearise(measured, q, R, t - np.array([0, 0, 2.5]))
    behind = ~at.in_front
    assert behind.any()
    assert at.in_front.any()
    assert np.isfinite(at.jacobian).all()
    assert (at.residuals.swapaxes(-1, -2)[behind] == 0).all()
    assert (np.moveaxis(at.jacobian, -1, 1)[behind] == 0).all()
    depth = transform_points(make_transform(R, t), measured.points(q))[..., 2] - 2.5
    np.testing.assert_array_equal(at.in_front, depth > NEAREST_DEPTH)


@pytest.mark.parametrize("size", [0.0, 1e-4, 0.01, 0.1, 2.0])
def test_turn_is_a_rotation_and_nearly_the_exponential(size: float) -> None:
    omega = size * np.random.default_rng(2).standard_normal((8, 3))
    R = turn(omega)
    np.testing.assert_allclose(R @ R.swapaxes(-1, -2), np.tile(np.eye(3), (8, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-12)
    if size <= 0.1:
        third_order = np.linalg.norm(omega, axis=-1).max() ** 3
        np.testing.assert_allclose(R, rotation_from_rotvec(omega), atol=0.1 * third_order + 1e-12)
