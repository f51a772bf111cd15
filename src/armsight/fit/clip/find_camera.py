"""From frames that were each read by themselves to the one camera that explains all of them.

1. Each frame's own answer has a camera (armsight.fit.solve). Those that many frames agree on are
   candidates.
2. For each candidate all frames' hypotheses are moved to the keypoints with the camera held; the
   candidate with the lowest sum of costs wins: one consensus of the clip in place of N guesses.
3. Camera, focal length and every frame's joints are refined together, first on keypoints, then on
   contours too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.chain import Motion
from armsight.fit.clip.choose import MOST_RIVALS, PLAUSIBLE_COST, choose_path, judge
from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.modes import Answers, answers_with_camera
from armsight.fit.clip.problem import ClipProblem, minimise
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior
from armsight.fit.hypotheses import local_prior
from armsight.fit.solve import solve
from armsight.geometry import rotvec_from_rotation

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

AGREEING_DIFFERENCE = 0.15
"""Two cameras that differ by this much [rad, share of the distance] agree by one half."""
MOST_CANDIDATES, DIFFERENT = 6, 0.1
MOST_COST = 40.0
"""The most that one frame can add to the cost of a camera."""
ACCELERATION = 1.0
"""[rad/s^1.5] see `Motion.of`"""
ROUNDS = 3
"""How often every frame's answer is chosen anew, each time with the refined camera"""
JUDGED_EVERY = 2
"""Contours are compared in every n-th frame only"""
SCALES = (10.0, 5.0, 2.5, 1.2)
"""[px] of the contours' loss, one after the other; contours are drawn anew at each"""


@dataclass(frozen=True)
class Hypotheses:
    """All joint-angle hypotheses of a clip: B of them, in any number of frames."""

    frames: Indices
    """(B,) the frame of each"""
    q: Array
    """(B, J) [rad]"""
    belief: Prior
    """(B) of each and its neighbours, see `local_prior`"""
    support: Array
    """(B,) how probable it is within its frame"""

    @classmethod
    def of(cls, samples: Sequence[Array], prior_std: float) -> Hypotheses:
        """From each frame's own (S, J), S may be 0; `prior_std` [rad] as in `solve`."""
        found = [n for n, q in enumerate(samples) if len(q)]
        priors = [local_prior(samples[n], _equal(len(samples[n])), prior_std) for n in found]
        return cls(
            np.concatenate([np.full(len(samples[n]), n) for n in found]),
            np.concatenate([samples[n] for n in found]),
            Prior(
                np.concatenate([prior.mean for prior, _ in priors]),
                np.concatenate([prior.std for prior, _ in priors]),
            ),
            np.concatenate([support for _, support in priors]),
        )

    def answers(
        self, keypoints: ClipKeypoints, camera: SharedCamera, num_iterations: int = 8
    ) -> Answers:
        """All of them, moved to the keypoints with the camera held."""
        return answers_with_camera(
            keypoints, self.frames, self.q, self.belief, self.support, camera, num_iterations
        )


def find_camera(
    keypoints: ClipKeypoints,
    samples: Sequence[Array],
    edges: Sequence[EdgeMap | None],
    focal_std: float,
    prior_std: float,
    times: Array | None = None,
) -> SharedCamera | None:
    """The camera that N frames share.

    Args:
        keypoints: of the N frames.
        samples: hypotheses (S, J) [rad] of each frame; S may be 0.
        edges: of each frame's picture; empty: keypoints only.
        focal_std: how well the log of the focal length is known.
        prior_std: [rad] as in `solve`.
        times: (N,) [s] where frames follow each other.

    None where no frame tells where the camera is.
    """
    hypotheses = Hypotheses.of(samples, prior_std)
    start = consensus(keypoints, samples, hypotheses, prior_std)
    if start is None:
        return None
    camera = start
    for round_ in range(ROUNDS):
        judged = edges if round_ == ROUNDS - 1 else ()
        best = _chosen(keypoints, hypotheses.answers(keypoints, camera), judged, times, camera)
        motion = None
        if times is not None:
            motion = Motion.of(times[best.frames], best.q.shape[1], ACCELERATION)
        kept = [edges[n] for n in best.frames] if len(edges) else []
        problem = ClipProblem(keypoints[best.frames], best.belief, focal_std, motion, kept)
        x, camera, system = minimise(problem, problem.start(best.q), camera)
    for scale in SCALES if len(edges) else ():
        contours = problem.contours(x, camera)
        x, camera, system = minimise(problem, x, camera, contours=contours, scale_px=scale)
    return replace(camera, covariance=system.covariance()[1])


def _chosen(
    keypoints: ClipKeypoints,
    answers: Answers,
    edges: Sequence[EdgeMap | None],
    times: Array | None,
    camera: SharedCamera,
) -> Answers:
    """One answer a frame, judged by contours where there are edges."""
    if times is not None:
        return choose_path(keypoints, answers, edges, times, camera, every=JUDGED_EVERY)
    if len(edges):
        rivals = answers.rivals(MOST_RIVALS, PLAUSIBLE_COST)
        answers, _ = judge(keypoints, rivals, edges, camera)
    return answers.best()


def consensus(
    keypoints: ClipKeypoints, samples: Sequence[Array], hypotheses: Hypotheses, prior_std: float
) -> SharedCamera | None:
    """Of the frames' own cameras the one that explains all frames best."""
    cameras = []
    for n in np.unique(hypotheses.frames):
        solution = solve(
            keypoints.robot, keypoints.K, keypoints.keypoints_2d[n], keypoints.std[n], samples[n],
            log_depth=(keypoints.log_depth[n], keypoints.log_depth_std[n]), prior_std=prior_std,
        )  # fmt: skip
        if (T := solution.T_cam_base) is not None:
            cameras.append(SharedCamera(T[:3, :3], T[:3, 3]))
    if not cameras:
        return None
    distance = _distances(cameras)
    agreement = np.exp(-0.5 * (distance / AGREEING_DIFFERENCE) ** 2).sum(1)
    chosen: list[int] = []
    for i in np.argsort(-agreement):
        if len(chosen) < MOST_CANDIDATES and all(distance[i, j] > DIFFERENT for j in chosen):
            chosen.append(int(i))
    costs = []
    for i in chosen:
        best = hypotheses.answers(keypoints, cameras[i], num_iterations=5).best()
        scale = keypoints[best.frames].residuals(best.q, cameras[i]).scale()
        # A wide scale makes residuals small: its logarithm is the rest of their likelihood.
        measured = np.isfinite(keypoints.std[best.frames]).sum(-1)
        costs.append(np.minimum(best.costs + 2 * measured * np.log(scale), MOST_COST).sum())
    return cameras[chosen[int(np.argmin(costs))]]


def _distances(cameras: Sequence[SharedCamera]) -> Array:
    """(C, C) of turn [rad] and place (share of the distance), summed."""
    R, t = np.stack([c.R for c in cameras]), np.stack([c.t for c in cameras])
    turned = np.linalg.norm(rotvec_from_rotation(R[:, None] @ R[None].swapaxes(-1, -2)), axis=-1)
    away = np.linalg.norm(t[:, None] - t[None], axis=-1) / np.linalg.norm(t, axis=-1)
    distances: Array = turned + away
    return distances


def _equal(count: int) -> Array:
    return np.full(count, 1 / count)
