"""One objective for a clip: keypoints, contours, hypotheses and motion, with a shared camera.

Minimised by Levenberg and Marquardt's method over the joints of all frames and the camera at once;
armsight.fit.clip.chain solves each step in time linear in the number of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.chain import ChainSystem, Motion
from armsight.fit.clip.contours import ClipContours
from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.shared_camera import NUM_CAMERA, SharedCamera
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior

Array = NDArray[np.floating]

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-3, 0.2, 10.0
LEAST_COST_DROP = 0.05
"""The fit ends with the first step that lowers the cost by less than this."""
KEYPOINT_WEIGHT = 0.2
"""Weight of a frame's keypoints and hypotheses, below 1 since neighbouring frames share errors"""
LEAST_KNOWN = 1e-6
"""[1/rad^2] Weak prior that holds joints about which there is no evidence"""


@dataclass(frozen=True)
class ClipProblem:
    """What is known of N frames."""

    keypoints: ClipKeypoints
    belief: Prior
    """(N) of the hypotheses near the answer, on the joints; infinite stds where there are none"""
    focal_std: float
    """of the log focal length"""
    motion: Motion | None = None
    """None: nothing is known of how frames follow each other"""
    edges: Sequence[EdgeMap | None] = field(default=())
    """of each frame's picture; empty: keypoints only"""

    @property
    def num_joints(self) -> int:
        return len(self.keypoints.robot.joint_names)

    def start(self, q: Array) -> Array:
        """Unknowns (N, D) that begin at joints q (N, J) [rad], at rest."""
        return q.copy() if self.motion is None else np.concatenate([q, np.zeros_like(q)], axis=-1)

    def contours(self, x: Array, camera: SharedCamera) -> ClipContours | None:
        """The frames' contours, drawn at x (N, D)."""
        if not self.edges:
            return None
        return ClipContours(self.keypoints.robot, self.edges, x[:, : self.num_joints], camera)


def minimise(
    problem: ClipProblem,
    x: Array,
    camera: SharedCamera,
    *,
    contours: ClipContours | None = None,
    scale_px: float = 1.0,
    move_camera: bool = True,
    num_iterations: int = 8,
) -> tuple[Array, SharedCamera, ChainSystem]:
    """Unknowns and camera near the start that explain the frames best.

    Args:
        problem: the clip.
        x: (N, D) start: joints [rad] and, with motion, their velocities [rad/s].
        camera: start.
        contours: drawn near the start; None: keypoints only.
        scale_px: [px] of the contours' loss.
        move_camera: False holds the camera.
        num_iterations: at most so many steps.

    Returns:
        The unknowns (N, D), the camera, and the normal equations there.
    """
    J = problem.num_joints
    low, high = problem.keypoints.robot.joint_limits.T
    evidence = _Evidence(problem, contours, scale_px, x[:, :J], camera)
    damping, cost = DAMPING_START, evidence.cost(x, camera)
    system, gradient, shared = evidence.system(x, camera)
    for _ in range(num_iterations):
        damped = system.damped(damping)
        if move_camera:
            dx, dy = damped.solve(-gradient, -shared)
        else:
            dx, dy = damped.with_shared_held().solve(-gradient, np.zeros(0))
            dy = np.zeros(NUM_CAMERA)
        trial, moved = x + dx, camera.moved(dy)
        trial[:, :J] = np.clip(trial[:, :J], low, high)
        after = evidence.cost(trial, moved)
        if after > cost:
            damping *= DAMPING_UP
            continue
        settled = cost - after < LEAST_COST_DROP
        x, camera, cost = trial, moved, after
        damping *= DAMPING_DOWN
        system, gradient, shared = evidence.system(x, camera)
        if settled:
            break
    return x, camera, system


class _Evidence:
    """The objective with the robust losses' scales as they were at the start."""

    def __init__(
        self, problem: ClipProblem, contours: ClipContours | None, scale_px: float, q: Array,
        camera: SharedCamera,
    ) -> None:  # fmt: skip
        self.problem, self.contours, self.scale_px = problem, contours, scale_px
        self.scale = problem.keypoints.residuals(q, camera).scale()

    def cost(self, x: Array, camera: SharedCamera) -> float:
        problem, J = self.problem, self.problem.num_joints
        q = x[:, :J]
        data = problem.keypoints.residuals(q, camera).cost(self.scale) + problem.belief.cost(q)
        cost = KEYPOINT_WEIGHT * data.sum() + 0.5 * (camera.log_focal / problem.focal_std) ** 2
        if self.contours is not None:
            cost += self.contours.cost(q, camera, self.scale_px).sum()
        if problem.motion is not None:
            cost += problem.motion.terms(x)[0]
        return float(cost)

    def system(self, x: Array, camera: SharedCamera) -> tuple[ChainSystem, Array, Array]:
        """Normal equations, and gradients by the frames' unknowns (N, D) and the camera's (7,)."""
        problem, J = self.problem, self.problem.num_joints
        (N, D), q = x.shape, x[:, :J]
        g, H = problem.keypoints.residuals(q, camera).terms(self.scale)
        joints = np.arange(J)
        precision = problem.belief.precision(q)
        H[:, joints, joints] += precision
        pull = np.where(precision > 0, precision * (q - problem.belief.mean), 0.0)
        g[:, :J] += pull
        g, H = KEYPOINT_WEIGHT * g, KEYPOINT_WEIGHT * H
        if self.contours is not None:
            more_g, more_H = self.contours.terms(q, camera, self.scale_px)
            g, H = g + more_g, H + more_H
        H[:, joints, joints] += LEAST_KNOWN
        diagonal, upper = np.zeros((N, D, D)), np.zeros((N - 1, D, D))
        gradient, border = np.zeros((N, D)), np.zeros((N, D, NUM_CAMERA))
        if problem.motion is not None:
            diagonal += problem.motion.diagonal
            upper += problem.motion.upper
            gradient += problem.motion.terms(x)[1]
        diagonal[:, :J, :J] += H[:, :J, :J]
        gradient[:, :J] += g[:, :J]
        border[:, :J] = H[:, :J, J:]
        corner, shared = H[:, J:, J:].sum(0), g[:, J:].sum(0)
        corner[-1, -1] += problem.focal_std**-2
        shared[-1] += camera.log_focal / problem.focal_std**2
        return ChainSystem(diagonal, upper, border, corner), gradient, shared
