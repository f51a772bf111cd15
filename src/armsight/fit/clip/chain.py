"""Least squares along a chain of frames with a few unknowns that all frames share.

The normal equations of such a problem are block tridiagonal (each frame knows its neighbours) with
a border (the shared unknowns):

    [ A  B ] [x]   [a]          A: blocks D_n on the diagonal, U_n between frames n and n + 1
    [ B' C ] [y] = [c]

Block elimination solves them in time linear in the number of frames, and the same sweep gives the
covariance of every frame (Rauch, Tung and Striebel, 1965, in information form).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

SLOWEST_FRAMES, FASTEST_FRAMES = 10.0, 1e-3
"""[s] Longest and shortest time between frames that is told apart; others count as these."""

FIRST_VELOCITY = 1.0
"""[rad/s] How fast joints may move in the first frame: one standard deviation."""


@dataclass(frozen=True)
class ChainSystem:
    """Normal equations of N frames with D unknowns each, and S shared unknowns (S may be 0)."""

    diagonal: Array
    """(N, D, D)"""
    upper: Array
    """(N - 1, D, D): block U_n stands in the row of frame n and the column of frame n + 1"""
    border: Array
    """(N, D, S)"""
    corner: Array
    """(S, S)"""

    def solve(self, frames: Array, shared: Array) -> tuple[Array, Array]:
        """The solution for right-hand sides (N, D) and (S,): each frame's unknowns, the shared.

        Raises:
            numpy.linalg.LinAlgError: the system is singular.
        """
        _, gains, reduced = self._eliminate(
            np.concatenate([frames[..., None], self.border], axis=-1)
        )
        solved = _substitute(gains, reduced)
        own, by_shared = solved[..., 0], solved[..., 1:]
        y = np.linalg.solve(self._schur(by_shared), shared - _over_frames(self.border, own))
        return own - by_shared @ y, y

    def covariance(self, shared_covariance: Array | None = None) -> tuple[Array, Array]:
        """Covariances of each frame's unknowns (N, D, D) and of the shared ones (S, S).

        Args:
            shared_covariance: (S, S) where the shared unknowns are known from elsewhere. By
                default the frames themselves tell them.

        Raises:
            numpy.linalg.LinAlgError: the system is singular.
        """
        inverses, gains, reduced = self._eliminate(self.border)
        by_shared = _substitute(gains, reduced)
        if shared_covariance is None:
            shared_covariance = np.linalg.inv(self._schur(by_shared))
        own = np.empty_like(self.diagonal)
        own[-1] = inverses[-1]
        for n in range(len(own) - 2, -1, -1):
            own[n] = inverses[n] + gains[n] @ own[n + 1] @ gains[n].T
        return own + by_shared @ shared_covariance @ by_shared.swapaxes(-1, -2), shared_covariance

    def response(self) -> Array:
        """(N, D, S): a change d of the shared unknowns moves the frames' by -response @ d."""
        _, gains, reduced = self._eliminate(self.border)
        return _substitute(gains, reduced)

    def damped(self, damping: float) -> ChainSystem:
        """The same with a larger diagonal (Marquardt 1963)."""
        return ChainSystem(
            self.diagonal + _scaled_diagonal(self.diagonal, damping),
            self.upper,
            self.border,
            self.corner + _scaled_diagonal(self.corner, damping),
        )

    def with_shared_held(self) -> ChainSystem:
        """The same for frames' unknowns alone: the shared ones stay as they are."""
        return ChainSystem(self.diagonal, self.upper, self.border[..., :0], self.corner[:0, :0])

    def _schur(self, by_shared: Array) -> Array:
        schur: Array = self.corner - _over_frames(self.border, by_shared)
        return schur

    def _eliminate(self, columns: Array) -> tuple[Array, Array, Array]:
        """Frame by frame: inverses of the pivots, gains, and the columns (N, D, C) reduced."""
        inverses = np.empty_like(self.diagonal)
        gains = np.empty_like(self.upper)
        reduced = np.empty_like(columns)
        pivot, column = self.diagonal[0], columns[0]
        for n in range(len(self.diagonal)):
            inverse = np.linalg.inv(pivot)
            inverses[n] = 0.5 * (inverse + inverse.T)
            reduced[n] = inverses[n] @ column
            if n < len(self.upper):
                gains[n] = inverses[n] @ self.upper[n]
                pivot = self.diagonal[n + 1] - self.upper[n].T @ gains[n]
                column = columns[n + 1] - self.upper[n].T @ reduced[n]
        return inverses, gains, reduced


@dataclass(frozen=True)
class Motion:
    """What is known of the joints' paths before looking: their velocities change little.

    Each frame's unknowns are J positions [rad], then J velocities [rad/s]. Velocities change by
    white noise in acceleration (Bar-Shalom, Li and Kirubarajan, 2001, section 6.2.2).
    """

    diagonal: Array
    """(N, 2J, 2J) of the normal equations"""
    upper: Array
    """(N - 1, 2J, 2J)"""
    first: Array
    """(2J,) what is known of the first frame's unknowns"""
    first_information: Array
    """(2J, 2J) how well: the inverse of its covariance; part of `diagonal`"""

    @classmethod
    def of(
        cls,
        times: Array,
        num_joints: int,
        acceleration: float,
        first: tuple[Array, Array] | None = None,
    ) -> Motion:
        """For frames at `times` (N,) [s], rising.

        Args:
            times: of the frames.
            num_joints: J.
            acceleration: [rad/s^1.5] standard deviation of a velocity's change in one second.
            first: what is known of the first frame's unknowns, (2J,) and its covariance
                (2J, 2J); by default that joints hardly move faster than FIRST_VELOCITY.
        """
        if first is None:
            information = np.diag(np.repeat([0.0, FIRST_VELOCITY**-2], num_joints))
            first = np.zeros(2 * num_joints), information
        else:
            first = first[0], np.linalg.inv(first[1])
        dt = np.clip(np.diff(times), FASTEST_FRAMES, SLOWEST_FRAMES)
        one = np.ones_like(dt)
        noise = acceleration**2 * _two_by_two(dt**3 / 3, dt**2 / 2, dt**2 / 2, dt)
        transition = _two_by_two(one, dt, 0 * one, one)
        precision = np.linalg.inv(noise)
        forward = transition.swapaxes(-1, -2) @ precision
        small = np.zeros((len(times), 2, 2))
        small[:-1] += forward @ transition
        small[1:] += precision
        eye = np.eye(num_joints)
        diagonal = np.kron(small, eye)
        diagonal[0] += first[1]
        return cls(diagonal, np.kron(-forward, eye), *first)

    def terms(self, x: Array) -> tuple[float, Array]:
        """Minus the log probability of paths x (N, 2J), and its gradient (N, 2J)."""
        gradient = np.einsum("nij,nj->ni", self.diagonal, x)
        gradient[:-1] += np.einsum("nij,nj->ni", self.upper, x[1:])
        gradient[1:] += np.einsum("nji,nj->ni", self.upper, x[:-1])
        pull = self.first_information @ self.first
        cost = (
            0.5 * float(np.sum(gradient * x)) - float(pull @ x[0]) + 0.5 * float(pull @ self.first)
        )
        gradient[0] -= pull
        return cost, gradient


def _substitute(gains: Array, reduced: Array) -> Array:
    """Backwards through the frames: the solution (N, D, C) for the reduced columns."""
    solved = reduced.copy()
    for n in range(len(solved) - 2, -1, -1):
        solved[n] -= gains[n] @ solved[n + 1]
    return solved


def _over_frames(border: Array, values: Array) -> Array:
    """Sum of B_n' v_n: (S,) or (S, C) from values (N, D) or (N, D, C)."""
    total: Array = np.einsum("nds,nd...->s...", border, values)
    return total


def _scaled_diagonal(matrices: Array, factor: float) -> Array:
    size = matrices.shape[-1]
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    scaled: Array = (factor * diagonal + 1e-9)[..., None] * np.eye(size)
    return scaled


def _two_by_two(a: Array, b: Array, c: Array, d: Array) -> Array:
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)
