"""Fits what all frames of one fixed camera share: its pose and focal length, zeros, time offset.

Gauss-Newton over the contour of every frame, whose small change is linear in the shared ones:
dq_i = dzeros - dq/dt dtau, while camera and focal length are the frame's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from armsight.fit.contour import Contour, draw_contour
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import States
from armsight.fit.residuals import turn
from armsight.geometry import make_transform
from armsight.robots import Robot
from armsight.robots.kinematics import link_frames

Array = NDArray[np.floating]

SCALES = ((20.0, 8.0), (8.0, 3.0), (3.0, 1.5), (2.0, 1.0))
"""[px] of Welsch's loss; the contours are drawn anew before each group"""
TEST_SCALE = 1.5
"""[px] at which answers are compared and their covariance is taken"""
STEPS = 15
DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-3, 0.2, 10.0
LEAST_COST_DROP_SHARE = 1e-5
"""Steps end where a step promises to lower the cost by less than this share of it"""


@dataclass(frozen=True)
class Shared:
    """What all frames share."""

    T_cam_base: Array
    """(4, 4)"""
    log_focal: float
    """The focal length is exp(log_focal) times that of K"""
    zeros: Array
    """(J,) [rad] is added to the log's angles"""
    time_offset: float
    """[s] by which the log runs ahead of the pictures"""

    @property
    def vector_size(self) -> int:
        """Length of a small change: omega (3), v (3), log focal, zeros (J), time offset."""
        return 8 + len(self.zeros)

    def moved(self, delta: Array) -> Shared:
        """After a small change (8 + J,)."""
        T = make_transform(
            turn(delta[None, :3])[0] @ self.T_cam_base[:3, :3], self.T_cam_base[:3, 3] + delta[3:6]
        )
        return Shared(
            T, self.log_focal + float(delta[6]), self.zeros + delta[7:-1],
            self.time_offset + float(delta[-1]),
        )  # fmt: skip


@dataclass(frozen=True)
class SharedPrior:
    """Gaussian beliefs on the shared unknowns about their nominal values; std 0 holds one fixed."""

    log_focal_std: float
    zeros_std: Array
    """(J,) [rad]"""
    time_offset_std: float = 0.0
    """[s]"""
    time_offset: float = 0.0
    """[s] the nominal value"""

    @property
    def std(self) -> Array:
        """(8 + J,) infinite for the camera pose."""
        return np.concatenate([
            np.full(6, np.inf), [self.log_focal_std], self.zeros_std, [self.time_offset_std]
        ])  # fmt: skip

    def off(self, shared: Shared) -> Array:
        """(8 + J,) how far the unknowns are from nominal; 0 for the camera pose."""
        return np.concatenate([
            np.zeros(6), [shared.log_focal], shared.zeros, [shared.time_offset - self.time_offset]
        ])  # fmt: skip

    def cost(self, shared: Shared) -> float:
        """Minus the log probability, up to a constant."""
        std = self.std
        free = (std > 0) & np.isfinite(std)
        return 0.5 * float(((self.off(shared)[free] / std[free]) ** 2).sum())


@dataclass(frozen=True)
class Frames:
    """N frames of one camera and how the arm's joints ran."""

    robot: Robot
    edges: tuple[EdgeMap, ...]
    joints_at: Callable[[float], tuple[Array, Array]]
    """Joint positions (N, J) [rad] of the frames for a time offset [s], and how fast they move,
    (N, J) [rad/s]"""

    def among(self, chosen: NDArray[np.intp]) -> Frames:
        """Some of the frames."""

        def joints_at(time_offset: float) -> tuple[Array, Array]:
            q, speed = self.joints_at(time_offset)
            return q[chosen], speed[chosen]

        return Frames(self.robot, tuple(self.edges[i] for i in chosen), joints_at)

    def states(self, shared: Shared) -> States:
        """N states of arm and camera."""
        q = self.joints_at(shared.time_offset)[0] + shared.zeros
        T = np.repeat(shared.T_cam_base[None], len(q), axis=0)
        return States(q, T[:, :3, :3], T[:, :3, 3])

    def contours(self, shared: Shared) -> list[Contour]:
        """Drawn at the states of the frames."""
        states = self.states(shared)
        return [
            draw_contour(self.robot, states[i : i + 1], with_focal(edges, shared.log_focal))
            for i, edges in enumerate(self.edges)
        ]

    def alignment(self, shared: Shared, contours: list[Contour] | None = None) -> Array:
        """(N,) in [0, 1] how near each frame's contour lies to its edges; NaN out of view."""
        states = self.states(shared)
        contours = contours or self.contours(shared)
        return np.array([
            contour.edge_alignment(with_focal(edges, shared.log_focal), states[i : i + 1])[0]
            if contour.in_view[0] else np.nan
            for i, (edges, contour) in enumerate(zip(self.edges, contours, strict=True))
        ])  # fmt: skip

    def exchanged(self, shared: Shared) -> Array:
        """(N, N) the alignment of the arm in pose k, drawn over the picture of frame i. A static
        scene has as many edges in every frame, so a true camera and log show on the diagonal."""
        states = self.states(shared)
        contours = self.contours(shared)
        return np.array([
            [contour.edge_alignment(with_focal(edges, shared.log_focal), states[k : k + 1])[0]
             for k, contour in enumerate(contours)]
            for edges in self.edges
        ])  # fmt: skip

    def terms(
        self, contours: list[Contour], shared: Shared, scale: float
    ) -> tuple[Array, Array, Array]:
        """Cost (N,), gradient (N, G) and Gauss-Newton's matrix (N, G, G) of each frame's contour,
        by the G = 8 + J shared unknowns."""
        parts = [part.summed() for part in self._by_points(contours, shared, scale)]
        costs, gradients, matrices = zip(*parts, strict=True)
        maps = self._maps(shared)
        g = np.einsum("nfg,nf->ng", maps, np.array(gradients))
        return np.array(costs), g, maps.swapaxes(-1, -2) @ np.array(matrices) @ maps

    def link_gradients(self, contours: list[Contour], shared: Shared, scale: float) -> Array:
        """(N * L, G) gradients of each frame's contour of each link: what errs together."""
        maps, links = self._maps(shared), len(self.robot.link_names)
        rows = [
            part.by_link(links) @ one
            for part, one in zip(self._by_points(contours, shared, scale), maps, strict=True)
        ]
        return np.concatenate(rows)

    def _maps(self, shared: Shared) -> Array:
        """(N, J + 7, G) from small changes of what is shared to those of each frame."""
        speed = self.joints_at(shared.time_offset)[1]
        J, G = speed.shape[1], shared.vector_size
        maps = np.zeros((len(speed), J + 7, G))
        maps[:, J:, :7] = np.eye(7)
        maps[:, :J, 7 : 7 + J] = np.eye(J)
        maps[:, :J, -1] = -speed
        return maps

    def _by_points(
        self, contours: list[Contour], shared: Shared, scale: float
    ) -> list[_ContourTerms]:
        states = self.states(shared)
        return [
            contour_terms(contour, with_focal(edges, shared.log_focal), states[i : i + 1], scale)
            for i, (edges, contour) in enumerate(zip(self.edges, contours, strict=True))
        ]


@dataclass(frozen=True)
class _ContourTerms:
    """One frame's contour of P points, by (dq, omega, v, dlogf)."""

    cost: float
    links: NDArray[np.intp]
    """(P,)"""
    distance: Array
    """(P,) [px]"""
    jacobian: Array
    """(J + 7, P) of the distances"""
    weight: Array
    """(P,) [1/px^2]"""

    def summed(self) -> tuple[float, Array, Array]:
        """Cost, gradient (J + 7,) and Gauss-Newton's matrix (J + 7, J + 7)."""
        weighted = self.jacobian * self.weight
        return self.cost, weighted @ self.distance, weighted @ self.jacobian.T

    def by_link(self, num_links: int) -> Array:
        """(L, J + 7) the gradient of each link's points."""
        pulls = self.jacobian * (self.weight * self.distance)
        sums = np.zeros((num_links, len(pulls)))
        np.add.at(sums, self.links, pulls.T)
        return sums


def with_focal(edges: EdgeMap, log_focal: float) -> EdgeMap:
    """The same picture seen with another focal length."""
    if log_focal == 0.0:
        return edges
    other = copy.copy(edges)
    other.K = edges.K.copy()
    other.K[:2, :2] *= np.exp(log_focal)
    return other


def contour_terms(contour: Contour, edges: EdgeMap, state: States, scale: float) -> _ContourTerms:
    """Of one frame (B = 1), under Welsch's loss of that scale [px]."""
    frames = link_frames(contour.robot.chain, state.q, np)
    seen = contour.measure(edges, state, frames)
    fit = np.where(seen.inside, np.exp(-0.5 * (seen.distance / scale) ** 2), 0.0)[0]
    jacobian = contour.jacobian(edges, state, seen, frames)[0]
    cost = float(contour.known.sum() - fit.sum())
    return _ContourTerms(cost, contour.links[0], seen.distance[0], jacobian, fit / scale**2)


def fit_shared(
    frames: Frames,
    start: Shared,
    prior: SharedPrior,
    weights: Array,
    scales: tuple[tuple[float, ...], ...] = SCALES,
) -> Shared:
    """The shared unknowns near `start` that lay the contours on the edges.

    Args:
        frames: N frames.
        start: where to begin.
        prior: beliefs; unknowns with std 0 keep their value.
        weights: (N,) of the frames' evidence; 0 leaves one out.
        scales: [px] of the loss, in groups between which contours are drawn anew.
    """
    std = prior.std
    free = np.flatnonzero(std > 0)
    precision = np.zeros(len(std))
    precision[free] = std[free] ** -2.0
    chosen = np.flatnonzero(weights > 0)
    frames, weights = frames.among(chosen), weights[chosen]

    def total(shared: Shared, scale: float) -> tuple[float, Array, Array]:
        cost, g, H = frames.terms(contours, shared, scale)
        off = prior.off(shared)
        return (
            float(weights @ cost + 0.5 * (precision * off**2).sum()),
            weights @ g + precision * off,
            np.tensordot(weights, H, 1) + np.diag(precision),
        )

    shared = start
    for group in scales:
        contours = frames.contours(shared)
        for scale in group:
            shared = _descend(shared, free, partial(total, scale=scale))
    return shared


def gain(
    frames: Frames, one: Shared, other: Shared, one_prior: SharedPrior, other_prior: SharedPrior,
    weights: Array,
) -> float:  # fmt: skip
    """By how much minus the log posterior of `other` is lower than that of `one`.

    Contours drawn anew have other points, so both answers are judged by the same ones: those
    drawn for one, and those drawn for the other.
    """
    drawn = [frames.contours(one), frames.contours(other)]
    costs = [
        sum(float(weights @ frames.terms(contours, s, TEST_SCALE)[0]) for contours in drawn) / 2
        for s in (one, other)
    ]
    return costs[0] + one_prior.cost(one) - costs[1] - other_prior.cost(other)


def _descend(
    shared: Shared, free: NDArray[np.intp], total: Callable[[Shared], tuple[float, Array, Array]]
) -> Shared:
    """Levenberg and Marquardt's method on the free unknowns."""
    damping = DAMPING_START
    cost, g, H = total(shared)
    for _ in range(STEPS):
        A = H[np.ix_(free, free)]
        own = np.diag(A)
        delta = np.zeros(len(g))
        delta[free] = -np.linalg.solve(A + np.diag(damping * own + 1e-9), g[free])
        promised = -0.5 * float(g @ delta)
        trial = shared.moved(delta)
        tried = total(trial)
        if tried[0] <= cost:
            shared, (cost, g, H) = trial, tried
            damping *= DAMPING_DOWN
        else:
            damping *= DAMPING_UP
        if promised < LEAST_COST_DROP_SHARE * max(cost, 1.0):
            break
    return shared


def fixed_joints(joint_positions: Array) -> Callable[[float], tuple[Array, Array]]:
    """Of frames whose joints (N, J) [rad] do not depend on a time offset."""
    return lambda time_offset: (joint_positions, np.zeros_like(joint_positions))


def nominal(
    T_cam_base: Array, num_joints: int, log_focal: float = 0.0, time_offset: float = 0.0
) -> Shared:
    """Shared unknowns with the zeros as the log has them."""
    return Shared(T_cam_base, log_focal, np.zeros(num_joints), time_offset)
