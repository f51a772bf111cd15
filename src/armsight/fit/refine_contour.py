"""From the keypoints' answer to the one whose outline lies on the picture's edges.

Keypoints say roughly where each part of the arm is; edges say exactly where it ends. The likeliest
answers that the keypoints allow are moved onto the edges near them, and the one that explains
keypoints and edges best is taken; what neither can tell stays as the hypotheses believe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.contour import Contour, draw_contour
from armsight.fit.contour_fit import PRIOR_WEIGHT, SCALES, align, information
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior, States, data_cost, joined, residual_scale
from armsight.fit.measurements import Measurements
from armsight.fit.one_joint import OFFSETS, keeping_the_far_part, one_joint_off
from armsight.fit.residuals import linearise
from armsight.fit.solution import Solution, distinct
from armsight.fit.uncertainty import Calibration, inverse_information, mode_spread
from armsight.geometry import make_transform
from armsight.robots import Robot

Array = NDArray[np.floating]

ALIGNMENT_WEIGHT = 300.0
"""Weight of a perfect alignment with edges, in units of the keypoints' log likelihood; the exact
value (100 to 400) hardly matters"""
PLAUSIBLE, MOST_PLAUSIBLE = 12.0, 3
"""Answers whose keypoints are e^12 times less probable than the best answer's are dropped"""
LEAST_ALIGNMENT = 0.15
"""An alignment below this says nothing: the picture is blurred, or dark"""
LEAST_KNOWN = (0.1, 0.1, 0.1, 0.01, 0.01, 0.01)
"""[1/rad^2], [1/m^2] Weak prior on the base's orientation and place"""
DOUBTFUL_ALIGNMENT, MOST_IF_DOUBTFUL = 0.63, 8
"""Where the best alignment is below the first, up to so many answers are tried"""
MOST_REDRAWN = 3
"""So many of the best answers get their contours drawn anew, and are fitted again"""
LAST_JOINTS = 3
"""So many joints at the end of the arm are tried at other angles: a wrist looks alike from many
sides"""
OTHER_ANGLE_RAD = np.radians(8.0)
"""Nearer angles lead back to the same answer"""
EVERY_NTH_POINT = 4
"""During these tries only every n-th point of the contour is used"""
AT_LIMIT = np.radians(0.5)
"""[rad] A joint nearer to its limit than this may be held there by it"""
UNKNOWN_FOCAL_STD = 0.35
"""Std of the log of a focal length that is only guessed"""
FIRST, AGAIN = SCALES[:-1], SCALES[1:]
"""Scales of the first fit, and of fits to a contour drawn anew, which is near already"""
WIDE = (20.0, 8.0, 3.0)
"""[px] Another focal length moves outlines further than an answer is off"""


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
    if solution.modes is None or solution.mode_priors is None:
        return solution
    own = edges.own(measured)
    modes, priors = solution.modes, solution.mode_priors
    scale = float(residual_scale(linearise(own, *modes[:1].parts))[0])
    rivals = solution.mode_costs < solution.mode_costs[0] + PLAUSIBLE
    rivals[MOST_PLAUSIBLE:] = False
    found = follow(own, edges, scale, modes[rivals], priors[rivals], rounds=(FIRST,))
    if not found.any or found.edge_alignment[0] < DOUBTFUL_ALIGNMENT:
        others = np.flatnonzero(~rivals)[: MOST_IF_DOUBTFUL - rivals.sum()]
        if len(others):
            more = follow(own, edges, scale, modes[others], priors[others], rounds=(FIRST,))
            found = found.with_others(more)
    # The others were never drawn where they have come to lie: what they explain says little.
    found = found[:MOST_REDRAWN]
    for count in (MOST_REDRAWN, 1):
        if found.any:
            if count == 1:
                found = with_one_joint_elsewhere(own, edges, scale, found)
            best = found[:count]
            again = follow(own, edges, scale, best.states, best.priors, rounds=(AGAIN,))
            if again.any:
                found = again.with_others(found[count:])
    if found.any:
        # Answers that ended up in one place are one answer: no rival of itself.
        found = found[distinct(found.states.q, -found.explained)]
    if not found.any or found.edge_alignment[0] < LEAST_ALIGNMENT:
        return solution
    answer, costs = found.states[:1], -found.explained
    H = information(found.contour[:1], edges, own, scale, answer)
    known = own.precision(found.priors[:1].precision(answer.q)[0])
    known[-7:-1] += LEAST_KNOWN
    covariance: Array = inverse_information(H / PRIOR_WEIGHT, known) + mode_spread(
        found.states, costs
    )
    covariance = calibration.apply(covariance, measured.robot.joint_limits)
    return replace(
        solution,
        joint_positions=answer.q[0],
        joint_std=np.sqrt(np.diag(covariance)[: answer.q.shape[1]]),
        log_focal=float(answer.log_focal[0]),
        T_cam_base=make_transform(answer.R[0], answer.t[0]),
        covariance=covariance,
        modes=found.states,
        mode_costs=costs,
        outline=float(found.edge_alignment[0]),
        focal_seen=None if own.log_focal_std else focal_length_seen(own, edges, scale, found[:1]),
    )


def focal_length_seen(
    measured: Measurements, edges: EdgeMap, scale: float, answer: Aligned
) -> tuple[float, float]:
    """Which focal length the picture would rather have than the one that is given for it.

    Returns:
        the log of its ratio to the given one, and by how much the log likelihood of keypoints and
        edges, all on the points of one contour, is larger with it.
    """
    free = replace(measured, log_focal_std=UNKNOWN_FOCAL_STD)
    everything = np.ones((1, answer.states.q.shape[1] + 7), dtype=bool)
    rough = answer.contour.thinned(2)  # which is a third of the time, and tells nearly as much
    moved = align(rough, edges, free, scale, answer.states, everything, WIDE)
    held, seen = (
        float(explained(free, edges, scale, answer.contour, states)[0])
        for states in (answer.states, moved)
    )
    log_focal = float(moved.log_focal[0])
    return log_focal, seen - held - float(free.focal_cost(moved.log_focal)[0])


@dataclass(frozen=True)
class Aligned:
    """B arms whose outlines were moved onto the edges, the best first."""

    states: States
    contour: Contour
    """as last drawn, each its own"""
    explained: Array
    """(B,) log posterior, up to a constant: see `explained`, and the prior"""
    edge_alignment: Array
    """(B,) see `Contour.edge_alignment`"""
    priors: Prior
    """(B) belief on the joints"""

    @property
    def any(self) -> bool:
        return len(self.explained) > 0

    def with_others(self, others: Aligned) -> Aligned:
        """All of both."""
        return Aligned(
            joined(self.states, others.states),
            self.contour.joined(others.contour),
            np.append(self.explained, others.explained),
            np.append(self.edge_alignment, others.edge_alignment),
            self.priors.joined(others.priors),
        )[np.argsort(-np.append(self.explained, others.explained), kind="stable")]

    def __getitem__(self, index: NDArray[np.generic] | slice) -> Aligned:
        return Aligned(
            self.states[index],
            self.contour[index],
            self.explained[index],
            self.edge_alignment[index],
            self.priors[index],
        )


def follow(
    measured: Measurements,
    edges: EdgeMap,
    scale: float,
    states: States,
    priors: Prior | None = None,
    free: NDArray[np.bool_] | None = None,
    rounds: tuple[tuple[float, ...], ...] = (FIRST, AGAIN),
) -> Aligned:
    """States moved onto the edges, their outlines drawn again once they have moved.

    Args:
        measured: keypoints [px of `edges`], and `scale`, that of their residuals.
        states: any number of starts.
        priors: belief on the joints of each; none by default.
        free: (1, J + 7) what may move; everything by default.
        rounds: [px] scales of the fit, each time that the outline is drawn.

    Returns:
        Those with enough of the outline in view, the best first.
    """
    if priors is None:
        priors = Prior.flat(*states.q.shape)
    may_move = np.ones((len(states.q), states.q.shape[1] + 7), dtype=bool)
    if free is not None:
        may_move &= free
    for scales in rounds:
        contour = draw_contour(measured.robot, states, edges)
        kept = contour.in_view
        contour, may_move = contour[kept], may_move[kept]
        states, priors = states[kept], priors[kept]
        states = align(contour, edges, measured, scale, states, may_move, scales, prior=priors)
        if not kept.any():
            break
    edge_alignment = contour.edge_alignment(edges, states)
    belief = priors.cost(states.q) + measured.focal_cost(states.log_focal)
    value = _explained(measured, scale, states, edge_alignment) - PRIOR_WEIGHT * belief
    found = Aligned(states, contour, value, edge_alignment, priors)
    return found[np.argsort(-value, kind="stable")]


def with_one_joint_elsewhere(
    measured: Measurements, edges: EdgeMap, scale: float, found: Aligned
) -> Aligned:
    """The answers, and such as differ from the best in one joint of the wrist or one at its limit.

    The same search tells that one joint of a claim is wrong (armsight.verify.claims).
    """
    robot, best = measured.robot, found[:1]
    joints = _doubtful_joints(robot, best.states.q[0])
    tries = one_joint_off(robot, best.states, joints)
    tries = joined(tries, keeping_the_far_part(robot, best.states, tries, joints))
    alignment = best.contour.thinned(EVERY_NTH_POINT).edge_alignment(edges, tries)
    belief = best.priors.cost(tries.q) + measured.focal_cost(tries.log_focal)
    value = _explained(measured, scale, tries, alignment) - PRIOR_WEIGHT * belief
    off = np.abs(tries.q - best.states.q).max(-1)
    here = value[off.argmin()]
    value[off < OTHER_ANGLE_RAD] = -np.inf
    value = value.reshape(2, len(joints), len(OFFSETS)).swapaxes(0, 1).reshape(len(joints), -1)
    chosen = value.argmax(-1)
    worth = value.max(-1) > here
    if not worth.any():
        return found
    camera, offset = np.divmod(chosen, len(OFFSETS))
    index = np.ravel_multi_index(
        (camera, np.arange(len(joints)), offset), (2, len(joints), len(OFFSETS))
    )[worth]
    priors = best.priors[np.zeros(len(index), dtype=int)]
    more = follow(measured, edges, scale, tries[index], priors, rounds=(AGAIN,))
    return found.with_others(more)


def _doubtful_joints(robot: Robot, q: Array) -> list[int]:
    """The last joints, and those at a limit."""
    count = len(q)
    near = np.abs(robot.joint_limits.T - q).min(0) < AT_LIMIT
    return [j for j in range(count) if near[j] or j >= count - LAST_JOINTS]


def explained(
    measured: Measurements, edges: EdgeMap, scale: float, contour: Contour, states: States
) -> Array:
    """(B,) log likelihood of keypoints and edges in B states, up to a constant."""
    return _explained(measured, scale, states, contour.edge_alignment(edges, states))


def _explained(
    measured: Measurements, scale: float, states: States, edge_alignment: Array
) -> Array:
    at = linearise(measured, *states.parts)
    result: Array = ALIGNMENT_WEIGHT * edge_alignment - data_cost(at, np.full(len(states.q), scale))
    return result
