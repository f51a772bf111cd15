"""Which of several answers is the right one in each frame, when the camera is known.

Each hypothesis of a frame is moved to the keypoints with the camera held. The path through one
answer a frame that is likely in every frame and moves least is the shortest path (Viterbi, 1967).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.gauss_newton import Prior

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

SPEED_RAD_S = 1.0
"""[rad/s] of a joint; the cost of faster steps grows about linearly"""
JITTER_RAD = 0.05
"""[rad] by which the answers of neighbouring frames differ although nothing moves"""
SAME_RAD = 0.2
"""[rad] Answers of one frame whose joints are no further apart are one answer"""
WIDEN, NARROWING = 4.0, 0.5
"""The robust loss starts so many times wider than the residuals, and narrows by so much a step"""
DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-3, 0.2, 10.0


@dataclass(frozen=True)
class Answers:
    """B answers to frames of a clip, several for most frames."""

    frames: Indices
    """(B,) the frame of each"""
    q: Array
    """(B, J) [rad]"""
    belief: Prior
    """(B) what the hypotheses around each say of its joints"""
    costs: Array
    """(B,) minus the log posterior, up to a constant of the frame"""

    def __getitem__(self, rows: Indices) -> Answers:
        return Answers(self.frames[rows], self.q[rows], self.belief[rows], self.costs[rows])

    def joined(self, other: Answers) -> Answers:
        """Both, in the order of frames."""
        order = np.argsort(np.append(self.frames, other.frames), kind="stable")
        return Answers(
            np.append(self.frames, other.frames),
            np.concatenate([self.q, other.q]),
            self.belief.joined(other.belief),
            np.append(self.costs, other.costs),
        )[order]

    def rivals(self, most: int, plausible: float) -> Answers:
        """The likeliest answers of each frame that differ, at most so many, and none that is
        e^plausible times less probable than the frame's best."""
        kept: list[int] = []
        for n in np.unique(self.frames):
            rows = np.flatnonzero(self.frames == n)
            rows = rows[np.argsort(self.costs[rows])]
            chosen: list[int] = []
            for i in rows[self.costs[rows] < self.costs[rows[0]] + plausible]:
                off = [np.abs(self.q[i] - self.q[j]).max() for j in chosen]
                if len(chosen) < most and all(distance > SAME_RAD for distance in off):
                    chosen.append(int(i))
            kept += chosen
        return self[np.array(kept, dtype=np.intp)]

    def best(self) -> Answers:
        """The likeliest answer of each frame that has one, in the order of frames."""
        order = np.lexsort((self.costs, self.frames))
        _, first = np.unique(self.frames[order], return_index=True)
        return self[order[first]]


def answers_with_camera(
    keypoints: ClipKeypoints,
    frames: Indices,
    q: Array,
    belief: Prior,
    support: Array,
    camera: SharedCamera,
    num_iterations: int = 8,
) -> Answers:
    """Move joints to the keypoints with the camera held, by Levenberg and Marquardt's method.

    Args:
        keypoints: of the whole clip.
        frames: (B,) the frame that each start belongs to.
        q: (B, J) starts [rad].
        belief: on the joints of each start.
        support: (B,) how probable its belief is in its frame.
        camera: the clip's.
        num_iterations: how many steps.
    """
    measured, (low, high) = keypoints[frames], keypoints.robot.joint_limits.T
    J = len(low)
    joints = np.arange(J)
    damping = np.full(len(q), DAMPING_START)
    now = measured.residuals(q, camera)
    scale = WIDEN * now.scale()
    for _ in range(num_iterations):
        scale = np.minimum(scale, np.maximum(now.scale(), NARROWING * scale))
        # The prior has to give way while the loss is wide, see armsight.fit.gauss_newton.
        gradient, matrix = now.terms(scale)
        g, H = gradient[:, :J].copy(), matrix[:, :J, :J].copy()
        precision = belief.precision(q) / scale[:, None]
        H[:, joints, joints] += precision
        g += precision * (q - belief.mean)
        free = ~(((q <= low) & (g > 0)) | ((q >= high) & (g < 0)))
        H, g = H * (free[:, :, None] & free[:, None]), g * free
        diagonal = H[:, joints, joints]
        H[:, joints, joints] += damping[:, None] * diagonal + np.where(diagonal > 0, 1e-9, 1.0)
        trial = np.clip(q - np.linalg.solve(H, g[..., None])[..., 0], low, high)
        after = measured.residuals(trial, camera)
        cost = now.cost(scale) + belief.cost(q) / scale
        better = after.cost(scale) + belief.cost(trial) / scale <= cost
        damping *= np.where(better, DAMPING_DOWN, DAMPING_UP)
        q = np.where(better[:, None], trial, q)
        now = now.replaced(better, after)
    of_frame = np.full(len(keypoints), np.inf)
    np.minimum.at(of_frame, frames, now.scale())
    costs = now.cost(of_frame[frames]) + belief.cost(q) - np.log(support)
    return Answers(frames, q, belief, costs)


def likeliest_path(
    answers: Answers, times: Array, weight: float = 1.0, before: Array | None = None
) -> Answers:
    """One answer for each frame that has any: the path with the lowest sum of costs.

    Args:
        answers: of any number of frames, in any order.
        times: (N,) [s] of all the clip's frames.
        weight: of the answers' costs against those of motion.
        before: (J,) [rad] where the arm is known to have been at the first of the times.
    """
    frames = np.unique(answers.frames)
    rows = [np.flatnonzero(answers.frames == n) for n in frames]
    steps = [
        step_costs(answers.q[here], answers.q[there], float(times[m] - times[n]))
        for here, there, n, m in zip(rows[:-1], rows[1:], frames[:-1], frames[1:], strict=True)
    ]
    costs = [weight * answers.costs[row] for row in rows]
    if before is not None:
        seconds = float(times[frames[0]] - times[0])
        costs[0] = costs[0] + step_costs(before[None], answers.q[rows[0]], seconds)[0]
    chosen = shortest_path(costs, steps)
    return answers[np.array([row[k] for row, k in zip(rows, chosen, strict=True)], dtype=np.intp)]


def step_costs(here: Array, there: Array, seconds: float) -> Array:
    """(A, B) cost of moving from each of here (A, J) [rad] to each of there (B, J) in that time."""
    usual = np.hypot(SPEED_RAD_S * seconds, JITTER_RAD)
    off = (there[None] - here[:, None]) / usual
    cost: Array = 2 * (np.sqrt(1 + off**2) - 1).sum(-1)
    return cost


def shortest_path(costs: Sequence[Array], steps: Sequence[Array]) -> list[int]:
    """The states, one a frame, with the least sum of costs (M_n,) and steps (M_n, M_n+1)."""
    total, came_from = costs[0], []
    for cost, step in zip(costs[1:], steps, strict=True):
        through = total[:, None] + step
        came_from.append(through.argmin(0))
        total = cost + through.min(0)
    path = [int(total.argmin())]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return path[::-1]
