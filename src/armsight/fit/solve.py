"""From keypoints and hypotheses to one answer: joint angles, camera pose and their uncertainty.

1. PnP: where is the camera, if a hypothesis's joint angles are right?          (pnp.py)
2. Refine all hypotheses a little, the best distinct ones to the end.           (gauss_newton.py)
3. Choose the answer by its posterior: fit, prior, and how many hypotheses back it.
4. Uncertainty: the fit's covariance, scaled by its own residuals, and the distance to other
   answers that explain the image nearly as well.                               (uncertainty.py)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError
from armsight.fit.gauss_newton import (
    Prior,
    States,
    data_cost,
    joined,
    levenberg_marquardt,
    residual_scale,
)
from armsight.fit.hypotheses import local_prior, ready_prior, starting_hypotheses
from armsight.fit.measurements import Measurements, check_array, check_measurements, check_pose
from armsight.fit.pnp import MIN_KEYPOINTS, camera_candidates
from armsight.fit.residuals import Linearisation
from armsight.fit.solution import Solution, consistency, distinct, residuals_px
from armsight.fit.uncertainty import Calibration, mode_spread, posterior_covariance
from armsight.geometry import make_transform
from armsight.robots import Robot

__all__ = ["Solution", "solve", "solve_keypoints"]

Array = NDArray[np.floating]

COARSE_ITERATIONS, FINE_ITERATIONS, NUM_FINE = 8, 10, 4
"""Most steps for all hypotheses, then for the best distinct ones, and how many those are."""

COARSE_TOLERANCE = 0.05
"""The first stage ends when no step promises to lower its cost by more than this."""

SEARCH_ITERATIONS = 12
"""Steps for all starts where there are no hypotheses."""

NARROWING, NARROWING_TRACKED = 0.65, 0.3
"""How fast the robust loss may narrow, without and with the last frame to start from."""

HOPELESS_COST = 30.0
"""An answer that is e^30 times less probable after the first stage is dropped."""

AGREEING_RAD = 0.15
"""[rad] Hypotheses whose refined joints are this near the answer agree with it."""

LOST_RESIDUAL = 4.0
"""If residuals stay above so many stds after a start from `T_start`, PnP has to find the camera."""


def solve(
    robot: Robot,
    K: ArrayLike,
    keypoints_2d: ArrayLike,
    keypoints_std: ArrayLike,
    hypotheses: ArrayLike,
    *,
    log_depth: tuple[ArrayLike, ArrayLike] | None = None,
    weights: ArrayLike | None = None,
    move_joints: bool = True,
    T_start: ArrayLike | None = None,
    prior_std: float = 0.15,
    calibration: Calibration | None = None,
    log_focal_std: float = 0.0,
    seed: int = 0,
) -> Solution:
    """Merge keypoints and joint-angle hypotheses of one image into one answer.

    Args:
        robot: the arm.
        K: (3, 3) camera matrix [px].
        keypoints_2d: (Kp, 2) measured positions [px] of all the robot's keypoints.
        keypoints_std: (Kp,) their standard deviations [px]; infinite: not measured.
        hypotheses: (S, J) joint angles [rad], S >= 1; moved to within the limits.
        log_depth: log of the keypoints' depths (Kp,) [m], and its standard deviations (Kp,),
            infinite where not measured.
        weights: (S,) how much each hypothesis counts; equal where not given.
        move_joints: False answers with the angles of the densest group of hypotheses as they
            are, and finds the camera only.
        T_start: (4, 4) a camera pose to start from (the last video frame's): no PnP, faster.
        prior_std: [rad] error that the hypotheses share; smaller holds the answer nearer to them.
        calibration: corrections to the standard deviations, measured on a validation set.
        log_focal_std: of the log of the focal length about that of K; 0: it is known.
        seed: of the random subsets in PnP; same input and seed, same answer.

    With fewer than MIN_KEYPOINTS measured keypoints, or where no camera can see them, the answer
    is the densest group of hypotheses, with their spread, and no camera pose.

    Raises:
        BadShapeError: an argument has the wrong shape, or holds NaN.
        BadIntrinsicsError: K is not a camera matrix.
    """
    cal = calibration or Calibration()
    measured = check_measurements(
        robot, K, keypoints_2d, keypoints_std, cal.keypoint_scale, log_depth, log_focal_std
    )
    q = robot.clip(check_array("hypotheses", hypotheses, (-1, len(robot.joint_names))))
    share = np.ones(len(q)) if weights is None else check_array("weights", weights, (len(q),))
    if (share < 0).any() or share.sum() <= 0:
        raise BadShapeError(
            "weights must be at least 0 with a positive sum, one for each of one or more "
            f"hypotheses, but there are {len(q)} hypotheses with weights {share.tolist()}"
        )
    start = None if T_start is None else check_pose("T_start", T_start)
    prior, support = local_prior(q, share / share.sum(), prior_std)
    if move_joints:
        return _solve(measured, q, prior, support, start, cal, seed)
    return _camera_only(measured, q, prior, support, start, cal, seed)


def solve_keypoints(
    robot: Robot,
    K: ArrayLike,
    keypoints_2d: ArrayLike,
    keypoints_std: ArrayLike,
    *,
    log_depth: tuple[ArrayLike, ArrayLike] | None = None,
    num_starts: int = 64,
    calibration: Calibration | None = None,
    log_focal_std: float = 0.0,
    seed: int = 0,
) -> Solution:
    """The same by least squares alone: no hypotheses, `num_starts` starts within the limits.

    Arguments, answer and errors as in `solve`; the prior is a wide one around the ready pose.
    """
    cal = calibration or Calibration()
    measured = check_measurements(
        robot, K, keypoints_2d, keypoints_std, cal.keypoint_scale, log_depth, log_focal_std
    )
    q = starting_hypotheses(robot, num_starts, seed)
    prior, support = ready_prior(robot, num_starts), np.full(num_starts, 1 / num_starts)
    return _solve(measured, q, prior, support, None, cal, seed, SEARCH_ITERATIONS)


def _solve(
    measured: Measurements,
    q: Array,
    prior: Prior,
    support: Array,
    T_start: Array | None,
    calibration: Calibration,
    seed: int,
    num_coarse: int = COARSE_ITERATIONS,
) -> Solution:
    begin, owner, errors = _starts(measured, q, T_start, seed)
    if len(owner) == 0 and T_start is not None:
        return _solve(measured, q, prior, support, None, calibration, seed)
    if len(owner) == 0:
        return _without_camera(measured, q, prior, support, calibration)
    prior_of, missing = prior[owner], -np.log(support[owner])
    coarse, at = levenberg_marquardt(
        measured, begin, prior_of, num_iterations=num_coarse, tolerance=COARSE_TOLERANCE,
        narrowing=NARROWING if T_start is None else NARROWING_TRACKED,
    )  # fmt: skip
    coarse_costs = _costs(measured, at, coarse, prior_of) + missing

    top = distinct(coarse.q, coarse_costs)[:NUM_FINE]
    top = top[coarse_costs[top] < coarse_costs[top[0]] + HOPELESS_COST]
    fine, at = levenberg_marquardt(
        measured, coarse[top], prior_of[top], at[top], num_iterations=FINE_ITERATIONS,
        graduated=False,
    )  # fmt: skip
    costs = _costs(measured, at, fine, prior_of[top]) + missing[top]
    order = distinct(fine.q, costs)
    fine, costs, best = fine[order], costs[order], order[:1]
    if T_start is not None and residual_scale(at[best])[0] > LOST_RESIDUAL:
        return _solve(measured, q, prior, support, None, calibration, seed)

    covariance, scale, inliers = posterior_covariance(
        at[best], measured.precision(prior_of[top[best]].precision(fine.q[:1])[0])
    )
    covariance = calibration.apply(
        covariance + mode_spread(fine, costs), measured.robot.joint_limits
    )
    others = np.array([i for i in distinct(coarse.q, coarse_costs) if i not in top], dtype=int)
    refined, refined_costs = _refined_hypotheses(q, owner, coarse.q, coarse_costs)
    near = np.abs(refined - fine.q[0]).max(-1) < AGREEING_RAD
    return Solution(
        joint_positions=fine.q[0],
        joint_std=np.sqrt(np.diag(covariance)[: q.shape[1]]),
        T_cam_base=make_transform(fine.R[0], fine.t[0]),
        log_focal=float(fine.log_focal[0]),
        covariance=covariance,
        residuals_px=residuals_px(measured, at[best]),
        inliers=measured.for_all(inliers, 0.0).astype(bool),
        residual_scale=scale,
        consistency=consistency(measured, errors, owner, support),
        num_agreeing=int(np.sum(near & np.isfinite(refined_costs))),
        hypotheses=refined,
        costs=refined_costs,
        modes=joined(fine, coarse[others]),
        mode_costs=np.concatenate([costs, coarse_costs[others]]),
        mode_priors=prior_of[np.concatenate([top[order], others])],
    )


def _refined_hypotheses(
    q: Array, owner: NDArray[np.intp], moved: Array, costs: Array
) -> tuple[Array, Array]:
    """Each hypothesis (S, J) as the first fit left it, and its cost (S,); infinite without one.

    Args:
        owner: (B,) whose start a fit was.
        moved, costs: (B, J) [rad] and (B,) of the fits.
    """
    refined, refined_costs = q.copy(), np.full(len(q), np.inf)
    for i in np.argsort(-costs):  # the better of a hypothesis's two cameras comes last
        refined[owner[i]], refined_costs[owner[i]] = moved[i], costs[i]
    return refined, refined_costs


def _camera_only(
    measured: Measurements,
    q: Array,
    prior: Prior,
    support: Array,
    T_start: Array | None,
    calibration: Calibration,
    seed: int,
) -> Solution:
    """The densest group's angles as they are, and the camera that suits them best."""
    answer = _without_camera(measured, q, prior, support, calibration)
    begin, owner, errors = _starts(measured, answer.joint_positions[None], T_start, seed)
    if len(owner) == 0:
        return answer
    belief = prior[np.full(len(owner), np.argmax(support))]
    states, at = levenberg_marquardt(
        measured, begin, belief, num_iterations=FINE_ITERATIONS, move_joints=False
    )
    best = np.argsort(_costs(measured, at, states, belief))[:1]
    covariance, scale, inliers = posterior_covariance(
        at[best], measured.precision(belief[best].std[0] ** -2)
    )
    return replace(
        answer,
        T_cam_base=make_transform(states.R[best[0]], states.t[best[0]]),
        log_focal=float(states.log_focal[best[0]]),
        covariance=covariance,
        residuals_px=residuals_px(measured, at[best]),
        inliers=measured.for_all(inliers, 0.0).astype(bool),
        residual_scale=scale,
        consistency=consistency(measured, errors, owner, np.ones(1)),
        modes=states[best],
        mode_costs=np.zeros(1),
        mode_priors=belief[best],
    )


def _without_camera(
    measured: Measurements, q: Array, prior: Prior, support: Array, calibration: Calibration
) -> Solution:
    """Too little was measured: the densest group of hypotheses, and how far all scatter around."""
    best = int(np.argmax(support))
    answer = measured.robot.clip(prior.mean[best])
    scatter = np.sqrt(((q - answer) ** 2).mean(0))
    nothing = np.zeros((measured.num_keypoints, 2))
    return Solution(
        joint_positions=answer,
        joint_std=calibration.joint_std(
            np.maximum(prior.std[best], scatter), measured.robot.joint_limits
        ),
        T_cam_base=None,
        covariance=None,
        residuals_px=measured.for_all(nothing * np.nan, np.nan),
        inliers=np.zeros(len(measured.robot.keypoint_names), dtype=bool),
        residual_scale=1.0,
        consistency=0.0,
        num_agreeing=int(np.sum(np.abs(q - answer).max(-1) < AGREEING_RAD)),
        hypotheses=q,
        costs=np.full(len(q), np.inf),
        modes=None,
        mode_costs=np.zeros(0),
    )


def _starts(
    measured: Measurements, q: Array, T_start: Array | None, seed: int
) -> tuple[States, NDArray[np.intp], Array]:
    """States to start from, the hypothesis that each belongs to, and errors (B, N) [px]."""
    if measured.num_keypoints < MIN_KEYPOINTS:
        nobody = np.zeros(0, dtype=np.intp)
        return States(q[:0], np.zeros((0, 3, 3)), np.zeros((0, 3))), nobody, np.zeros((0, 0))
    rng = np.random.default_rng(seed)
    R, t, owner, errors = camera_candidates(measured, q, rng, T_start)
    return States(q[owner], R, t), owner, errors


def _costs(measured: Measurements, at: Linearisation, states: States, prior: Prior) -> Array:
    """(B,) minus the log posterior of each state, in units of the best-fitting one's residuals."""
    scale = np.full(len(states.q), residual_scale(at).min())
    belief: Array = prior.cost(states.q) + measured.focal_cost(states.log_focal)
    return data_cost(at, scale) + belief
