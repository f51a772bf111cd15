"""Moves arm and camera so that the outline lies on the picture's edges, and keypoints still fit.

Gauss-Newton as in armsight.fit.gauss_newton, with one residual more for each point of the outline:
its distance to the nearest edge (Drummond and Cipolla, PAMI 2002), under Welsch's loss
1 - exp(-d^2 / 2 s^2), whose scale s narrows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.contour import Contour
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior, States, data_cost, data_terms
from armsight.fit.measurements import Measurements
from armsight.fit.residuals import linearise
from armsight.robots.kinematics import link_frames

Array = NDArray[np.floating]

SCALES = (12.0, 3.0, 1.0)
"""[px] of the loss, one after the other"""
STEPS, LAST_STEPS = 3, 6
"""at each scale, and at the last"""
WEIGHT = 2.0
"""of a point of the outline: neighbours err together"""
PRIOR_WEIGHT = 4.0
"""Weight of the prior. Keypoints and edges share errors, so that without it the fit would turn what
the picture does not show (a base out of view) by half a circle to gain almost nothing"""
DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-2, 0.2, 10.0
LEAST_COST_DROP = 0.02
"""At each scale the fit ends with the first step that promises to lower the cost by less than
this"""


@dataclass(frozen=True)
class KnownCamera:
    """A camera pose that is known but for small errors, as a calibrated camera's is."""

    T_cam_base: Array
    """(4, 4)"""
    turn_std: float
    """[rad] about each axis"""
    place_std: float
    """[m] of the base along each axis"""

    def terms(self, states: States) -> tuple[Array, Array, Array]:
        """Minus the log probability (B,), its gradient (B, 6), and its precision (6,)."""
        M = states.R @ self.T_cam_base[:3, :3].T
        turned = 0.5 * np.stack(
            [M[:, 2, 1] - M[:, 1, 2], M[:, 0, 2] - M[:, 2, 0], M[:, 1, 0] - M[:, 0, 1]], axis=-1
        )
        off = np.concatenate([turned, states.t - self.T_cam_base[:3, 3]], axis=-1)
        precision = np.repeat([self.turn_std**-2, self.place_std**-2], 3)
        return 0.5 * (precision * off**2).sum(-1), precision * off, precision


def align(
    contour: Contour,
    edges: EdgeMap,
    measured: Measurements,
    keypoint_scale: float,
    states: States,
    free: NDArray[np.bool_],
    scales: tuple[float, ...] = SCALES,
    camera: KnownCamera | None = None,
    prior: Prior | None = None,
) -> States:
    """States near `states` (B) that explain edges and keypoints better.

    Args:
        contour: the outline, of each state or one for all; its points stay while the arm moves.
        edges: of the picture.
        measured: its keypoints [px of `edges`].
        keypoint_scale: of their residuals, see `levenberg_marquardt`.
        free: (B, J + 7) which joints, turn and place of the camera, and focal length may move;
            one that is known never does.
        scales: [px] of the loss, one after the other.
        camera: where its pose is known.
        prior: belief on the joints of each state.
    """
    diagonal = np.arange(free.shape[1])
    free = free & np.isfinite(np.append(np.zeros(free.shape[1] - 1), measured.focal_precision))
    both = free[:, :, None] & free[:, None, :]
    for scale in scales:
        damping = np.full(len(free), DAMPING_START)
        cost, H, g = _terms(contour, edges, measured, keypoint_scale, states, scale, camera, prior)
        for _ in range(LAST_STEPS if scale == scales[-1] else STEPS):
            A, b = H * both, g * free
            own = A[:, diagonal, diagonal]
            A[:, diagonal, diagonal] += damping[:, None] * own + np.where(own > 0, 1e-9, 1.0)
            delta = -np.linalg.solve(A, b[..., None])[..., 0]
            promised = -0.5 * (b * delta).sum(-1)
            trial = states.moved(delta).clipped(measured.robot.joint_limits)
            tried = _terms(contour, edges, measured, keypoint_scale, trial, scale, camera, prior)
            better = tried[0] <= cost
            damping *= np.where(better, DAMPING_DOWN, DAMPING_UP)
            states = trial.where(better, states)
            cost, H, g = (
                _where(better, new, old) for new, old in zip(tried, (cost, H, g), strict=True)
            )
            if (promised < LEAST_COST_DROP).all():
                break
    return states


def information(
    contour: Contour, edges: EdgeMap, measured: Measurements, keypoint_scale: float, state: States
) -> Array:
    """Gauss-Newton's matrix (J + 7, J + 7) of keypoints and edges at a state (B = 1)."""
    matrices: Array = _terms(
        contour, edges, measured, keypoint_scale, state, SCALES[-1], with_beliefs=False
    )[1]
    one: Array = matrices[0]
    return one


def _terms(
    contour: Contour, edges: EdgeMap, measured: Measurements, keypoint_scale: float, states: States,
    scale: float, camera: KnownCamera | None = None, prior: Prior | None = None,
    with_beliefs: bool = True,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Cost (B,), Gauss-Newton's matrix (B, J + 7, J + 7) and gradient (B, J + 7)."""
    frames = link_frames(measured.robot.chain, states.q, np)
    seen = contour.measure(edges, states, frames)
    fit = np.where(seen.inside, np.exp(-0.5 * (seen.distance / scale) ** 2), 0.0)
    J = contour.jacobian(edges, states, seen, frames)
    weighted = J * (WEIGHT / scale**2 * fit)[:, None]
    keypoints = linearise(measured, *states.parts, frames)
    scales = np.full(len(states.q), keypoint_scale)
    H, g = data_terms(keypoints, scales)
    H += weighted @ J.swapaxes(-1, -2)
    g += (weighted @ seen.distance[..., None])[..., 0]
    cost = WEIGHT * (contour.known.sum(-1) - fit.sum(-1)) + data_cost(keypoints, scales)
    if measured.log_focal_std and with_beliefs:
        cost = cost + PRIOR_WEIGHT * measured.focal_cost(states.log_focal)
        g[:, -1] += PRIOR_WEIGHT * measured.focal_precision * states.log_focal
        H[:, -1, -1] += PRIOR_WEIGHT * measured.focal_precision
    if prior is not None:
        joints = np.arange(states.q.shape[1])
        precision = PRIOR_WEIGHT * prior.precision(states.q)
        cost = cost + PRIOR_WEIGHT * prior.cost(states.q)
        g[:, joints] += precision * (states.q - prior.mean)
        H[:, joints, joints] += precision
    if camera is not None:
        unlikely, pull, precision = camera.terms(states)
        pose = np.arange(g.shape[1] - 7, g.shape[1] - 1)
        cost = cost + unlikely
        g[:, pose] += pull
        H[:, pose, pose] += precision
    return cost, H, g


def _where(chosen: NDArray[np.bool_], a: Array, b: Array) -> Array:
    """`a` in the chosen rows, else `b`."""
    return np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b)
