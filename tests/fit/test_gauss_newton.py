"""Levenberg-Marquardt: the gradient is right, costs fall, limits hold, far joints come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from armsight.fit.gauss_newton import (
    LOSS_CUTOFF,
    Prior,
    States,
    data_cost,
    data_terms,
    levenberg_marquardt,
    residual_scale,
)
from armsight.fit.measurements import check_measurements
from armsight.fit.residuals import linearise
from tests.fit.seen_arms import ROBOT, K, View, view


def states_at(seen: View, q: np.ndarray) -> States:
    T = np.tile(seen.T_cam_base, (len(q), 1, 1))
    return States(q, T[:, :3, :3], T[:, :3, 3])


def wide(q: np.ndarray, std: float = 0.3) -> Prior:
    return Prior(q, np.full_like(q, std))


def test_gradient_is_that_of_the_cost() -> None:
    rng = np.random.default_rng(0)
    seen = view(rng, noise=2.0, outliers=0.2)
    measured = check_measurements(ROBOT, K, seen.keypoints_2d, seen.keypoints_std)
    q = seen.guesses(rng, 0.05, 3)
    prior, scale = wide(q - 0.2), np.array([1.0, 2.0, 5.0])
    start = states_at(seen, q)

    def cost(delta: np.ndarray) -> np.ndarray:
        moved = start.moved(delta)
        at = linearise(measured, *moved.parts)
        return data_cost(at, scale) + prior.cost(moved.q)

    _, g = data_terms(linearise(measured, start.q, start.R, start.t), scale)
    g[:, : q.shape[1]] += prior.precision(q) * (q - prior.mean)
    for k in range(g.shape[1]):
        delta = np.zeros_like(g)
        delta[:, k] = 1e-6
        np.testing.assert_allclose(
            g[:, k], (cost(delta) - cost(-delta)) / 2e-6, rtol=1e-4, atol=1e-3
        )


def test_every_step_lowers_the_cost_or_stays() -> None:
    rng = np.random.default_rng(1)
    seen = view(rng)
    # Stds so large that the residuals' scale is 1 throughout: one cost for all steps.
    measured = check_measurements(ROBOT, K, seen.keypoints_2d, 50 * seen.keypoints_std)
    q = seen.guesses(rng, 0.1, 8)
    prior, now, one = wide(q), states_at(seen, q), np.ones(8)
    at = linearise(measured, now.q, now.R, now.t)
    np.testing.assert_array_equal(residual_scale(at), 1)
    costs = [data_cost(at, one) + prior.cost(now.q)]
    for _ in range(6):
        now, at = levenberg_marquardt(measured, now, prior, num_iterations=1, graduated=False)
        costs.append(data_cost(at, one) + prior.cost(now.q))
    assert (np.diff(costs, axis=0) <= 1e-9).all()
    assert (costs[-1] < costs[0]).all()


def test_noiseless_keypoints_give_the_exact_state() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        seen = view(rng, noise=0.0)
        std = np.where(np.isfinite(seen.keypoints_std), 0.01, np.inf)
        measured = check_measurements(ROBOT, K, seen.keypoints_2d, std)
        start = states_at(seen, seen.guesses(rng, 0.1, 2))
        prior = wide(np.tile(seen.q, (2, 1)))
        found, _ = levenberg_marquardt(measured, start, prior, num_iterations=40, tolerance=0.0)
        np.testing.assert_allclose(found.q, np.tile(seen.q, (2, 1)), atol=1e-6)
        np.testing.assert_allclose(found.t, np.tile(seen.T_cam_base[:3, 3], (2, 1)), atol=1e-6)


def test_joints_stay_within_limits_even_when_the_keypoints_pull_out() -> None:
    low, high = ROBOT.joint_limits.T
    rng = np.random.default_rng(3)
    seen = view(rng, noise=0.0, hidden=0.0)
    narrowed = np.stack([low, high], -1)
    narrowed[3] = seen.q[3] + 0.1, seen.q[3] + 0.5  # the truth lies outside
    robot = replace(ROBOT, joint_limits=narrowed)
    measured = check_measurements(robot, K, seen.keypoints_2d, np.ones(len(seen.keypoints_2d)))
    start = states_at(seen, np.clip(seen.q[None], *narrowed.T))
    found, _ = levenberg_marquardt(measured, start, wide(start.q), num_iterations=30)
    assert (found.q >= narrowed[:, 0]).all()
    assert (found.q <= narrowed[:, 1]).all()
    assert found.q[0, 3] == pytest.approx(narrowed[3, 0])  # as near as it may come
    assert np.abs(found.q - start.q).max() > 1e-3  # the others still move


def test_cameras_alone_can_move() -> None:
    rng = np.random.default_rng(4)
    seen = view(rng, noise=0.0)
    measured = check_measurements(ROBOT, K, seen.keypoints_2d, seen.keypoints_std)
    start = states_at(seen, seen.q[None])
    off = States(start.q, start.R, start.t + 0.05)
    found, _ = levenberg_marquardt(measured, off, wide(off.q), num_iterations=20, move_joints=False)
    np.testing.assert_array_equal(found.q, off.q)
    np.testing.assert_allclose(found.t, start.t, atol=1e-4)


def test_a_joint_that_all_believe_wrongly_is_brought_back() -> None:
    """The prior is sure of an angle that is 0.8 rad off; thirty keypoints know better."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen = view(rng, hidden=0.1)
        measured = check_measurements(ROBOT, K, seen.keypoints_2d, seen.keypoints_std)
        q = seen.q.copy()
        q[1 + seed % 5] += 0.8 if rng.random() < 0.5 else -0.8
        q = ROBOT.clip(q)[None]
        found, _ = levenberg_marquardt(measured, states_at(seen, q), wide(q, 0.1), num_iterations=8)
        found, _ = levenberg_marquardt(measured, found, wide(q, 0.1), graduated=False)
        errors.append(np.abs(found.q[0] - seen.q)[:6].max())
    assert np.median(errors) < np.radians(5)
    assert np.sum(np.array(errors) < 0.3) >= 18


def test_scale_is_one_for_honest_stds_and_sees_dishonest_ones() -> None:
    scales = []
    for seed in range(30):
        seen = view(np.random.default_rng(seed), noise=3.0, hidden=0.0)
        std = np.where(np.isfinite(seen.keypoints_std), 1.0, np.inf)
        measured = check_measurements(ROBOT, K, seen.keypoints_2d, std)
        s = states_at(seen, seen.q[None])
        scales.append(residual_scale(linearise(measured, s.q, s.R, s.t))[0])
    assert np.mean(scales) == pytest.approx(3.0, rel=0.15)


def test_one_outlier_costs_no_more_than_its_share() -> None:
    seen = view(np.random.default_rng(5), noise=0.0, hidden=0.0)
    moved = seen.keypoints_2d.copy()
    first = np.flatnonzero(np.isfinite(seen.keypoints_std))[0]
    moved[first] += 1e4
    s = states_at(seen, seen.q[None])
    measured = check_measurements(ROBOT, K, moved, seen.keypoints_std)
    at = linearise(measured, s.q, s.R, s.t)
    assert data_cost(at, np.ones(1))[0] == pytest.approx(LOSS_CUTOFF**2 / 2, rel=1e-3)
