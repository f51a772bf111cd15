"""From the keypoints' answer to the one whose outline lies on the picture's edges.

Keypoints say roughly where each part of the arm is; edges say exactly where it ends. Every distinct
answer that the keypoints allow is moved onto the edges near it, and the one that explains keypoints
and edges best is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.edges import EdgeMap
from armsight.estimate.measurements import Measurements
from armsight.estimate.outline import Rim, find_rim
from armsight.estimate.outline_fit import SCALES, align, information
from armsight.estimate.polish import States, data_cost, joined, residual_scale
from armsight.estimate.residuals import linearise
from armsight.estimate.solution import Solution
from armsight.estimate.uncertainty import Calibration, mode_spread
from armsight.geometry import make_transform

Array = NDArray[np.floating]

EDGES = 200.0
"""What edges all along the outline count for, in units of the keypoints' log likelihood; where it
lies (100 to 400) hardly matters"""
PLAUSIBLE, MOST_PLAUSIBLE = 12.0, 3
"""Answers whose keypoints are e^12 times less probable than the best's are no rivals"""
NOTHING = 0.15
"""Outlines that lie no nearer to edges than this say nothing: the picture is blurred, or dark"""
LEAST_KNOWN = 0.1, 0.01
"""[1/rad^2], [1/m^2] What is known of joints, turn and place of the base without any picture"""
DOUBTFUL, MOST_DOUBTFUL = 0.75, 16
"""Where the best outline lies no nearer to the edges than this, more answers are tried"""


def refine(
    measured: Measurements, edges: EdgeMap, solution: Solution, calibration: Calibration
) -> Solution:
    """The solution with its outline on the edges; as it was where edges say nothing of it.

    Args:
        measured: the keypoints that led to the solution.
        edges: of the same picture.
        solution: with the modes that are to be tried.
        calibration: of the joints' standard deviations.
    """
    if solution.modes is None:
        return solution
    own = edges.own(measured)
    modes = solution.modes
    scale = float(residual_scale(linearise(own, modes.q[:1], modes.R[:1], modes.t[:1]))[0])
    rivals = solution.mode_costs < solution.mode_costs[0] + PLAUSIBLE
    rivals[MOST_PLAUSIBLE:] = False
    found = follow(own, edges, scale, modes[rivals])
    if not found.any or found.closeness[0] < DOUBTFUL:
        others = np.flatnonzero(~rivals)[: MOST_DOUBTFUL - rivals.sum()]
        if len(others):
            found = found.with_others(follow(own, edges, scale, modes[others]))
        if found.any:
            found = found.with_others(follow(own, edges, scale, found.states[:2]))
    if not found.any or found.closeness[0] < NOTHING:
        return solution
    best, costs = found.states[:1], -found.explained
    H = information(found.rim[:1], edges, own, scale, best)
    known = np.append(np.full(len(H) - 3, LEAST_KNOWN[0]), np.full(3, LEAST_KNOWN[1]))
    covariance = np.linalg.inv(H + np.diag(known)) + mode_spread(found.states, costs)
    std = np.sqrt(np.diag(covariance)[: best.q.shape[1]])
    return replace(
        solution,
        joint_positions=best.q[0],
        joint_std=calibration.apply(std, measured.robot.joint_limits),
        T_cam_base=make_transform(best.R[0], best.t[0]),
        covariance=covariance,
        modes=found.states,
        mode_costs=costs,
        outline=float(found.closeness[0]),
    )


@dataclass(frozen=True)
class Aligned:
    """B arms whose outlines were moved onto the edges, the best first."""

    states: States
    rim: Rim
    """as last drawn, each its own"""
    explained: Array
    """(B,) see `explained`"""
    closeness: Array
    """(B,) see `Rim.closeness`"""

    @property
    def any(self) -> bool:
        return len(self.explained) > 0

    def with_others(self, others: Aligned) -> Aligned:
        """All of both."""
        return Aligned(
            joined(self.states, others.states),
            self.rim.joined(others.rim),
            np.append(self.explained, others.explained),
            np.append(self.closeness, others.closeness),
        )[np.argsort(-np.append(self.explained, others.explained), kind="stable")]

    def __getitem__(self, index: NDArray[np.generic] | slice) -> Aligned:
        return Aligned(
            self.states[index], self.rim[index], self.explained[index], self.closeness[index]
        )


def follow(
    measured: Measurements,
    edges: EdgeMap,
    scale: float,
    states: States,
    free: NDArray[np.bool_] | None = None,
) -> Aligned:
    """States moved onto the edges, their outlines drawn again once they have moved.

    Args:
        measured: keypoints [px of `edges`], and `scale`, that of their residuals.
        states: any number of starts.
        free: (1, J + 6) what may move; everything by default.

    Returns:
        Those with enough of the outline in view, the best first.
    """
    may_move = np.ones((len(states.q), states.q.shape[1] + 6), dtype=bool)
    if free is not None:
        may_move &= free
    # Drawn again, the outline is near: it needs no widest scale.
    for scales in (SCALES[:-1], SCALES[1:]):
        rim = find_rim(measured.robot, states, edges)
        kept = rim.in_view
        rim, may_move = rim[kept], may_move[kept]
        states = align(rim, edges, measured, scale, states[kept], may_move, scales)
        if not kept.any():
            break
    value = explained(measured, edges, scale, rim, states)
    found = Aligned(states, rim, value, rim.closeness(edges, states))
    return found[np.argsort(-value, kind="stable")]


def explained(
    measured: Measurements, edges: EdgeMap, scale: float, rim: Rim, states: States
) -> Array:
    """(B,) log likelihood of keypoints and edges in B states, up to a constant."""
    at = linearise(measured, states.q, states.R, states.t)
    cost = data_cost(at, np.full(len(states.q), scale))
    result: Array = EDGES * rim.closeness(edges, states) - cost
    return result
