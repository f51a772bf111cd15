"""From the keypoints' answer to the one whose outline lies on the picture's edges.

Keypoints say roughly where each part of the arm is; edges say exactly where it ends. Every distinct
answer that the keypoints allow is moved onto the edges near it, and the one that explains keypoints
and edges best is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.estimate.measurements import Measurements
from armsight.estimate.outline import EdgeMap, Rim, find_rim
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
    found: list[Aligned] = []

    def try_out(some: States) -> None:
        for i in range(len(some.q)):
            aligned = follow(own, edges, scale, some[i : i + 1])
            if aligned is not None:
                found.append(aligned)
        found.sort(key=lambda one: -one.explained)

    rivals = solution.mode_costs < solution.mode_costs[0] + PLAUSIBLE
    rivals[MOST_PLAUSIBLE:] = False
    try_out(modes[rivals])
    if not found or found[0].closeness < DOUBTFUL:
        try_out(modes[np.flatnonzero(~rivals)[: MOST_DOUBTFUL - rivals.sum()]])
        if found:
            try_out(joined(*(one.state for one in found[:2])))
    if not found or found[0].closeness < NOTHING:
        return solution
    best, rim = found[0].state, found[0].rim
    states = joined(*(one.state for one in found))
    costs = -np.array([one.explained for one in found])
    H = information(rim, edges, own, scale, best)
    known = np.append(np.full(len(H) - 3, LEAST_KNOWN[0]), np.full(3, LEAST_KNOWN[1]))
    covariance = np.linalg.inv(H + np.diag(known)) + mode_spread(states, costs)
    std = np.sqrt(np.diag(covariance)[: best.q.shape[1]])
    return replace(
        solution,
        joint_positions=best.q[0],
        joint_std=calibration.apply(std, measured.robot.joint_limits),
        T_cam_base=make_transform(best.R[0], best.t[0]),
        covariance=covariance,
        modes=states,
        mode_costs=costs,
        outline=found[0].closeness,
    )


@dataclass(frozen=True)
class Aligned:
    """An arm whose outline was moved onto the edges."""

    state: States
    """(1)"""
    rim: Rim
    explained: float
    """See `explained`"""
    closeness: float
    """See `Rim.closeness`"""


def follow(
    measured: Measurements,
    edges: EdgeMap,
    scale: float,
    state: States,
    free: NDArray[np.bool_] | None = None,
) -> Aligned | None:
    """A state (B = 1) moved onto the edges, its outline drawn again once it has moved.

    Args:
        measured: keypoints [px of `edges`], and `scale`, that of their residuals.
        free: (1, J + 6) what may move; everything by default.

    Returns:
        None where hardly any of the outline is in view.
    """
    if free is None:
        free = np.ones((1, state.q.shape[1] + 6), dtype=bool)
    # Drawn again, the outline is near: it needs no widest scale.
    for scales in (SCALES[:-1], SCALES[1:]):
        rim = find_rim(measured.robot, state, edges)
        if rim is None:
            return None
        state = align(rim, edges, measured, scale, state, free, scales)
    assert rim is not None
    value = float(explained(measured, edges, scale, rim, state)[0])
    return Aligned(state, rim, value, float(rim.closeness(edges, state)[0]))


def explained(
    measured: Measurements, edges: EdgeMap, scale: float, rim: Rim | None, states: States
) -> Array:
    """(B,) log likelihood of keypoints and edges in B states, up to a constant."""
    at = linearise(measured, states.q, states.R, states.t)
    cost = data_cost(at, np.full(len(states.q), scale))
    hits = 0.0 if rim is None else EDGES * rim.closeness(edges, states)
    result: Array = hits - cost
    return result
