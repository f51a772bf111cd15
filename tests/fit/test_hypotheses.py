"""What hypotheses believe together, and where a search without any starts."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.hypotheses import local_prior, ready_prior, starting_hypotheses
from tests.fit.seen_arms import MIRROR_SIGNS, ROBOT


def equal(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def test_a_tight_group_gives_its_mean_and_spread() -> None:
    rng = np.random.default_rng(0)
    q = ROBOT.ready_positions + 0.05 * rng.standard_normal((200, 7))
    prior, support = local_prior(q, equal(200), prior_std=0.0)
    np.testing.assert_allclose(prior.mean, np.tile(q.mean(0), (200, 1)), atol=0.03)
    np.testing.assert_allclose(prior.std, 0.05, rtol=0.3)
    assert support.min() > 0.7


def test_shared_error_adds_in_quadrature() -> None:
    prior, _ = local_prior(np.tile(ROBOT.ready_positions, (4, 1)), equal(4), prior_std=0.2)
    np.testing.assert_allclose(prior.std, 0.2)


def test_two_configurations_keep_apart() -> None:
    rng = np.random.default_rng(1)
    left = np.array([0.5, -0.8, 0.7, -2.3, 0.6, 1.6, 0.8])
    q = np.concatenate([np.tile(left, (12, 1)), np.tile(left * MIRROR_SIGNS, (4, 1))])
    q += 0.05 * rng.standard_normal(q.shape)
    prior, support = local_prior(q, equal(16), prior_std=0.1)
    np.testing.assert_allclose(prior.mean[:12], np.tile(left, (12, 1)), atol=0.1)
    np.testing.assert_allclose(prior.mean[12:], np.tile(left * MIRROR_SIGNS, (4, 1)), atol=0.1)
    assert support[:12].min() > 2 * support[12:].max()


def test_a_wide_cloud_keeps_its_width() -> None:
    q = ROBOT.ready_positions + 0.5 * np.random.default_rng(2).standard_normal((16, 7))
    prior, _ = local_prior(q, equal(16), prior_std=0.1)
    assert np.median(prior.std) > 0.25


def test_a_hypothesis_without_weight_moves_nobody() -> None:
    q = np.stack([ROBOT.ready_positions, ROBOT.ready_positions + 0.1])
    prior, support = local_prior(q, np.array([1.0, 0.0]), prior_std=0.1)
    np.testing.assert_allclose(prior.mean[0], q[0], atol=1e-6)
    assert np.isfinite(support).all()
    assert (support > 0).all()


def test_one_hypothesis_is_its_own_prior() -> None:
    prior, support = local_prior(ROBOT.ready_positions[None], equal(1), prior_std=0.15)
    np.testing.assert_array_equal(prior.mean[0], ROBOT.ready_positions)
    np.testing.assert_allclose(prior.std, 0.15)
    assert support[0] == pytest.approx(1)


def test_starts_lie_within_limits_begin_ready_and_repeat() -> None:
    starts = starting_hypotheses(ROBOT, 64, seed=3)
    np.testing.assert_array_equal(starts[0], ROBOT.ready_positions)
    np.testing.assert_array_equal(starts, ROBOT.clip(starts))
    np.testing.assert_array_equal(starts, starting_hypotheses(ROBOT, 64, seed=3))
    assert np.abs(starts - starting_hypotheses(ROBOT, 64, seed=4)).max() > 0.1
    assert np.ptp(starts, axis=0).min() > 0.6 * np.ptp(ROBOT.joint_limits, axis=1).min()


def test_ready_prior_is_wide_and_centred() -> None:
    prior = ready_prior(ROBOT, 3)
    assert prior.mean.shape == (3, 7)
    np.testing.assert_array_equal(prior.mean[1], ROBOT.ready_positions)
    assert (prior.std >= 0.5).all()
