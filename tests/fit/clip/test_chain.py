"""Least squares along frames, against the same problem written as one dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.clip.chain import ChainSystem, Motion

N, J, S = 7, 3, 4
D = 2 * J


def make_system(shared: int = S) -> ChainSystem:
    rng = np.random.default_rng(3)
    motion = Motion.of(np.cumsum(rng.uniform(0.02, 0.4, N)), J, 1.3)
    seen = rng.standard_normal((N, 2, J))
    diagonal = motion.diagonal.copy()
    diagonal[:, :J, :J] += seen.swapaxes(-1, -2) @ seen
    border = 0.3 * rng.standard_normal((N, D, shared))
    return ChainSystem(diagonal, motion.upper, border, 300 * np.eye(shared))


def dense(system: ChainSystem) -> np.ndarray:
    shared = system.border.shape[-1]
    full = np.zeros((N * D + shared, N * D + shared))
    for n in range(N):
        here = slice(n * D, (n + 1) * D)
        full[here, here] = system.diagonal[n]
        full[here, N * D :] = system.border[n]
        full[N * D :, here] = system.border[n].T
        if n + 1 < N:
            there = slice((n + 1) * D, (n + 2) * D)
            full[here, there] = system.upper[n]
            full[there, here] = system.upper[n].T
    full[N * D :, N * D :] = system.corner
    return full


@pytest.mark.parametrize("shared", [0, S])
def test_solution_is_that_of_the_dense_matrix(shared: int) -> None:
    system = make_system(shared)
    right = np.random.default_rng(4).standard_normal(N * D + shared)
    expected = np.linalg.solve(dense(system), right)
    own, common = system.solve(right[: N * D].reshape(N, D), right[N * D :])
    np.testing.assert_allclose(np.append(own.ravel(), common), expected, rtol=1e-8, atol=1e-10)


def test_covariance_is_the_inverse() -> None:
    system = make_system()
    inverse = np.linalg.inv(dense(system))
    own, common = system.covariance()
    for n in range(N):
        here = slice(n * D, (n + 1) * D)
        np.testing.assert_allclose(own[n], inverse[here, here], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(common, inverse[N * D :, N * D :], rtol=1e-8)


def test_known_shared_unknowns_add_their_covariance() -> None:
    """With y ~ N(0, C) known from elsewhere: the law of total covariance, frame by frame."""
    system = make_system()
    C = np.diag([0.1, 0.2, 0.3, 0.4])
    inverse = np.linalg.inv(dense(system)[: N * D, : N * D])
    response = inverse @ system.border.reshape(N * D, S)
    expected = inverse + response @ C @ response.T
    own, common = system.covariance(C)
    np.testing.assert_array_equal(common, C)
    np.testing.assert_allclose(own[3], expected[3 * D : 4 * D, 3 * D : 4 * D], rtol=1e-7)
    np.testing.assert_allclose(system.response().reshape(N * D, S), response, rtol=1e-7, atol=1e-9)


def test_even_motion_costs_nothing_but_its_speed() -> None:
    times = np.array([0.0, 0.1, 0.3, 0.35])
    speed = np.array([0.5, -0.2, 0.0])
    x = np.concatenate([times[:, None] * speed, np.tile(speed, (4, 1))], axis=-1)
    cost, gradient = Motion.of(times, J, 0.7).terms(x)
    assert cost == pytest.approx(0.5 * (speed**2).sum())  # the first frame's velocity: 1 rad/s
    faster = x.copy()
    faster[2, J] += 0.1
    assert Motion.of(times, J, 0.7).terms(faster)[0] > cost
    numeric = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-5
        up, down = (Motion.of(times, J, 0.7).terms(x + s * step)[0] for s in (1, -1))
        numeric[index] = (up - down) / 2e-5
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


def test_stds_grow_away_from_what_was_seen() -> None:
    """Position at both ends only: the variance is largest in the middle, as a spline's is."""
    motion = Motion.of(np.linspace(0, 1, 11), 1, 1.0)
    diagonal = motion.diagonal.copy()
    for n in (0, 1, 9, 10):
        diagonal[n, 0, 0] += 1e4
    system = ChainSystem(diagonal, motion.upper, np.zeros((11, 2, 0)), np.zeros((0, 0)))
    std = np.sqrt(system.covariance()[0][:, 0, 0])
    assert std.argmax() == 5
    assert (np.diff(std[1:6]) > 0).all()
    assert std[5] > 3 * std[0]
