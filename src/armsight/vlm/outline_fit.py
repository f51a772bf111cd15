"""Moves arm and camera so that the outline lies on the picture's edges, and keypoints still fit.

Gauss-Newton as in armsight.estimate.polish, with one residual more for each point of the outline:
its distance to the nearest edge (Drummond and Cipolla, PAMI 2002), under Welsch's loss
1 - exp(-d^2 / 2 s^2), whose scale s narrows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.measurements import Measurements
from armsight.estimate.polish import States, data_cost, data_terms
from armsight.estimate.residuals import linearise, step
from armsight.vlm.outline import EdgeMap, Rim

Array = NDArray[np.floating]

SCALES = (12.0, 6.0, 3.0)
"""[px] of the loss, one after the other"""
STEPS = 6
"""at each scale"""
WEIGHT = 0.6
"""of a point of the outline: neighbours err together"""
DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-2, 0.2, 10.0
SETTLED = 1e-4
"""[rad], [m] A step shorter than this is the last at its scale"""


def align(
    rim: Rim,
    edges: EdgeMap,
    measured: Measurements,
    keypoint_scale: float,
    states: States,
    free: NDArray[np.bool_],
    scales: tuple[float, ...] = SCALES,
) -> States:
    """States near `states` (B) that explain edges and keypoints better.

    Args:
        rim: the outline; its points stay the same while the arm moves.
        edges: of the picture.
        measured: its keypoints [px of `edges`].
        keypoint_scale: of their residuals, see `polish`.
        free: (B, J + 6) which joints [rad], turn and place of the camera may move.
        scales: [px] of the loss, one after the other.
    """
    low, high = measured.robot.joint_limits.T
    diagonal = np.arange(free.shape[1])
    for scale in scales:
        damping = np.full(len(free), DAMPING_START)
        cost, H, g = _terms(rim, edges, measured, keypoint_scale, states, scale)
        for _ in range(STEPS):
            A, b = H * (free[:, :, None] & free[:, None, :]), g * free
            own = A[:, diagonal, diagonal]
            A[:, diagonal, diagonal] += damping[:, None] * own + np.where(own > 0, 1e-9, 1.0)
            delta = -np.linalg.solve(A, b[..., None])[..., 0]
            q, R, t = step(states.q, states.R, states.t, delta)
            trial = States(np.clip(q, low, high), R, t)
            tried = _terms(rim, edges, measured, keypoint_scale, trial, scale)
            better = tried[0] <= cost
            damping *= np.where(better, DAMPING_DOWN, DAMPING_UP)
            states = States(
                *(_where(better, *pair) for pair in (
                    (trial.q, states.q), (trial.R, states.R), (trial.t, states.t)
                ))
            )  # fmt: skip
            cost, H, g = (
                _where(better, new, old) for new, old in zip(tried, (cost, H, g), strict=True)
            )
            if better.any() and np.abs(delta[better]).max() < SETTLED:
                break
    return states


def _terms(
    rim: Rim, edges: EdgeMap, measured: Measurements, keypoint_scale: float, states: States,
    scale: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Cost (B,), Gauss-Newton's matrix (B, J + 6, J + 6) and gradient (B, J + 6)."""
    at = linearise(rim.points, states.q, states.R, states.t)
    distance, gradient, inside = edges.look(rim.directions, at.residuals[:, 0], at.residuals[:, 1])
    inside &= at.in_front
    fit = np.where(inside, np.exp(-0.5 * (distance / scale) ** 2), 0.0)
    J = (at.jacobian * gradient[:, None]).sum(2)
    weighted = J * (WEIGHT / scale**2 * fit)[:, None]
    keypoints = linearise(measured, states.q, states.R, states.t)
    scales = np.full(len(states.q), keypoint_scale)
    H, g = data_terms(keypoints, scales)
    H += weighted @ J.swapaxes(-1, -2)
    g += (weighted * distance[:, None]).sum(-1)
    return WEIGHT * (1 - fit).sum(-1) + data_cost(keypoints, scales), H, g


def _where(chosen: NDArray[np.bool_], a: Array, b: Array) -> Array:
    """`a` in the chosen rows, else `b`."""
    return np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b)
