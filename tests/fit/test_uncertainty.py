"""Covariances against Monte Carlo, and corrections by a calibration."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.gauss_newton import States
from armsight.fit.residuals import linearise
from armsight.fit.solve import solve
from armsight.fit.uncertainty import (
    Calibration,
    inverse_information,
    mode_spread,
    posterior_covariance,
)
from armsight.geometry import rotation_from_rotvec
from tests.fit.seen_arms import ROBOT, K, view
from tests.fit.test_pnp import measured_in


def z_scores(noise: float, stated: float, count: int = 60) -> np.ndarray:
    """(count, J) errors over reported stds; the hypotheses err by the default `prior_std`."""
    scores = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        seen = view(rng, noise)
        std = np.where(np.isfinite(seen.keypoints_std), stated, np.inf)
        answer = solve(ROBOT, K, seen.keypoints_2d, std, seen.guesses(rng, 0.15, 8))
        scores.append((answer.joint_positions - seen.q) / answer.joint_std)
    return np.array(scores)


@pytest.mark.parametrize(
    "noise, stated", [(1.0, 1.0), (3.0, 3.0), (3.0, 1.5), (1.0, 2.0)],
    ids=["honest", "honest and large", "stated too small", "stated too large"],
)  # fmt: skip
def test_reported_stds_hold_for_simulated_noise(noise: float, stated: float) -> None:
    z = z_scores(noise, stated)
    assert 0.88 <= np.mean(np.abs(z) < 2) <= 0.995
    assert 0.7 <= np.median(np.abs(z)) / 0.6745 <= 1.35


def test_covariance_is_that_of_repeated_least_squares() -> None:
    """Oracle: solve one view again and again with fresh noise, and look at the scatter."""
    seen = view(np.random.default_rng(4), noise=0.0, hidden=0.0)
    rng = np.random.default_rng(0)
    answers, reported = [], []
    for _ in range(60):
        noisy = seen.keypoints_2d + rng.standard_normal(seen.keypoints_2d.shape)
        # A very weak prior: the keypoints alone decide.
        answer = solve(ROBOT, K, noisy, seen.keypoints_std, seen.q[None], prior_std=3.0)
        answers.append(answer.joint_positions)
        reported.append(answer.joint_std)
    ratio = np.std(answers, axis=0) / np.median(reported, axis=0)
    assert (ratio > 0.6).all()
    assert (ratio < 1.4).all()


def test_a_joint_that_nothing_shows_keeps_the_prior_std() -> None:
    seen = view(np.random.default_rng(5), hidden=0.0)
    std = seen.keypoints_std.copy()
    last = [i for i, link in enumerate(ROBOT.keypoint_links) if link >= 7]  # link7 and the hand
    std[last] = np.inf
    answer = solve(ROBOT, K, seen.keypoints_2d, std, seen.q[None], prior_std=0.3)
    assert answer.joint_std[6] == pytest.approx(0.3, rel=0.3)
    assert answer.joint_std[6] > 5 * answer.joint_std[3]


def test_scale_counts_only_inliers_and_the_prior_takes_no_degrees_of_freedom() -> None:
    seen = view(np.random.default_rng(6), noise=0.0, hidden=0.0)
    measured = measured_in(seen)
    T = seen.T_cam_base[None]
    at = linearise(measured, seen.q[None], T[:, :3, :3], T[:, :3, 3])
    at.residuals[:, :, 3] = 50.0
    covariance, scale, inliers = posterior_covariance(at, measured.precision(np.full(7, 1e-2)))
    assert not inliers[3]
    assert inliers.sum() == measured.num_keypoints - 1
    assert scale < 1  # better than stated
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-6, atol=1e-12)
    assert np.linalg.eigvalsh(covariance[:-1, :-1]).min() > 0
    assert not covariance[-1].any(), "the focal length is known"


def test_other_answers_widen_the_first_by_their_probability() -> None:
    q = np.zeros((2, 7))
    q[1, 2] = 0.5
    R = np.stack([np.eye(3), rotation_from_rotvec(np.array([0, 0.2, 0]))])
    t = np.array([[0, 0, 1.0], [0, 0, 1.1]])
    alike = mode_spread(States(q, R, t), np.array([10.0, 10.0]))
    assert alike[2, 2] == pytest.approx(0.5 * 0.5**2)
    assert alike[8, 8] == pytest.approx(0.5 * 0.2**2)
    assert alike[12, 12] == pytest.approx(0.5 * 0.1**2)
    unlikely = mode_spread(States(q, R, t), np.array([10.0, 60.0]))
    assert unlikely[2, 2] < 1e-6


def test_calibration_scales_then_adds_the_floor_and_stays_below_uniform() -> None:
    limits = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    corrected = Calibration(np.array([2.0]), np.array([0.3])).joint_std(
        np.array([0.2, 10.0]), limits
    )
    np.testing.assert_allclose(corrected, [0.5, 2 / np.sqrt(12)])
    np.testing.assert_allclose(Calibration().joint_std(np.array([0.2, 0.3]), limits), [0.2, 0.3])


def test_calibration_keeps_a_covariance_a_covariance() -> None:
    root = np.random.default_rng(0).normal(0, 0.05, (9, 9))
    covariance = root @ root.T
    limits = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    scale = Calibration(np.array([2.0, 3.0]), camera_scale=np.array([1.5, 2.0, 4.0]))
    scaled = scale.apply(covariance, limits)
    np.testing.assert_allclose(scaled, scaled.T)
    assert np.linalg.eigvalsh(scaled).min() > -1e-12
    factors = np.sqrt(np.diag(scaled) / np.diag(covariance))
    np.testing.assert_allclose(factors[:2], [2, 3])
    assert (factors[2:] >= np.array([1.5, 1.5, 1.5, 2, 2, 2, 4]) - 1e-9).all()
    alone = np.diag(np.diag(covariance))
    np.testing.assert_allclose(
        np.sqrt(np.diag(scale.apply(alone, limits)) / np.diag(alone)),
        [2, 3, 1.5, 1.5, 1.5, 2, 2, 2, 4],
    )


def test_what_is_known_of_several_together_stays_known() -> None:
    """A joint and the camera's turn that the picture tells only as a sum: both stds grow, by
    different factors, and are held to what the joint's limits allow; the sum stays sharp."""
    covariance = 0.001**2 * np.eye(8)
    covariance[:2, :2] += 1.0 * np.array([[1, -1], [-1, 1]])
    limits = np.array([[-2.0, 2.0]])
    grown = Calibration(np.array([5.0]), camera_scale=np.array([3.0, 3.0, 3.0])).apply(
        covariance, limits
    )
    assert np.sqrt(grown[0, 0]) == pytest.approx(4 / np.sqrt(12))
    assert np.sqrt(grown[1, 1]) > 1.0
    total = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    assert np.sqrt(total @ grown @ total) < 0.01


def test_an_unknown_focal_length_is_found_and_widens_the_stds() -> None:
    seen = view(np.random.default_rng(3), noise=0.5, outliers=0.0, hidden=0.0)
    std = np.full(len(seen.keypoints_2d), 0.5)
    guesses = seen.guesses(np.random.default_rng(4), 0.05, 4)
    wrong = K.copy()
    wrong[:2, :2] *= 1.2
    known = solve(ROBOT, K, seen.keypoints_2d, std, guesses)
    free = solve(ROBOT, wrong, seen.keypoints_2d, std, guesses, log_focal_std=0.35)
    assert known.covariance is not None
    assert free.covariance is not None
    assert known.log_focal == known.covariance[-1, -1] == 0.0
    focal_std = float(np.sqrt(free.covariance[-1, -1]))
    assert 0.0 < focal_std < 0.35
    assert abs(free.log_focal + np.log(1.2)) < 3 * focal_std
    assert free.covariance[9 + 3, 9 + 3] > known.covariance[9 + 3, 9 + 3], "depth is less sure"


def test_inverse_information_of_very_different_units() -> None:
    """Information of joints and camera may differ by twenty orders of magnitude."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, 8)) * np.logspace(-10, 10, 8)[:, None]
    information = root @ root.T
    precision = np.full(8, 1e-3)
    found = inverse_information(information, precision)
    assert np.isfinite(found).all()
    assert (np.diag(found) >= 0).all()
    fixed = inverse_information(information, np.where(np.arange(8) == 3, np.inf, precision))
    assert not fixed[3].any()
    well = information[:3, :3] + np.eye(3)
    np.testing.assert_allclose(
        inverse_information(well, np.ones(3)), np.linalg.inv(well + np.eye(3)), rtol=1e-6
    )


def test_inverse_information_of_nothing() -> None:
    assert np.isfinite(inverse_information(np.zeros((4, 4)), np.zeros(4))).all()
