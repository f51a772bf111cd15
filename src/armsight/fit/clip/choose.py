"""Which answer of each frame: keypoints propose, contours judge, motion joins them to a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.modes import Answers, likeliest_path
from armsight.fit.clip.problem import KEYPOINT_WEIGHT, ClipProblem, minimise
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.edges import EdgeMap

Array = NDArray[np.floating]

JUDGED = 4
"""Of so many frames one is judged by its contours: neighbours tell the same"""
MOST_RIVALS, PLAUSIBLE = 3, 40.0
JUDGE_SCALES = (10.0, 4.0)
"""[px] of the contours' loss while rivals are moved onto edges"""
NEAR = 0.35
"""[rad] Another frame's answer is believed where it is no further than this from the path"""


def choose_path(
    keypoints: ClipKeypoints,
    answers: Answers,
    edges: Sequence[EdgeMap | None],
    times: Array,
    camera: SharedCamera,
    before: Array | None = None,
    every: int = JUDGED,
) -> Answers:
    """The answer of each frame that fits keypoints, edges and motion best.

    Args:
        keypoints: of the whole clip.
        answers: several for most frames, with the camera held.
        edges: of each frame's picture; empty: keypoints and motion alone decide.
        times: (N,) [s].
        camera: the clip's.
        before: (J,) [rad] as in `likeliest_path`.
        every: of so many frames one is judged by its contours.

    Frames are left out that have no answer near the path through those that were judged.
    """
    if not len(edges):
        return likeliest_path(answers, times, KEYPOINT_WEIGHT, before)
    judged = np.unique(answers.frames)[::every]
    rivals = answers[np.flatnonzero(np.isin(answers.frames, judged))]
    rivals = judge(keypoints, rivals.rivals(MOST_RIVALS, PLAUSIBLE), edges, camera)
    path = likeliest_path(rivals, times, 1.0, before)
    others = answers[np.flatnonzero(~np.isin(answers.frames, judged))]
    expected = np.stack(
        [np.interp(times[others.frames], times[path.frames], joint) for joint in path.q.T], axis=-1
    )
    away = np.abs(others.q - expected).max(-1, initial=0.0)
    near = replace(others, costs=others.costs + (away / NEAR) ** 2)[np.flatnonzero(away < NEAR)]
    return path.joined(near.best()) if len(near.frames) else path


def judge(
    keypoints: ClipKeypoints,
    rivals: Answers,
    edges: Sequence[EdgeMap | None],
    camera: SharedCamera,
) -> Answers:
    """Answers moved onto edges, with costs by keypoints and contours together, in nats."""
    rows = rivals.frames
    own = keypoints[rows]
    problem = ClipProblem(own, rivals.belief, 1.0, None, [edges[n] for n in rows])
    q = rivals.q
    for scale in JUDGE_SCALES:
        contours = problem.contours(q, camera)
        q, _, _ = minimise(
            problem, q, camera, contours=contours, scale_px=scale, move_camera=False,
            num_iterations=4,
        )  # fmt: skip
    contours = problem.contours(q, camera)
    at = own.residuals(q, camera)
    scale_of_frame = np.full(len(keypoints), np.inf)
    np.minimum.at(scale_of_frame, rows, at.scale())
    costs = KEYPOINT_WEIGHT * (at.cost(scale_of_frame[rows]) + rivals.belief.cost(q))
    if contours is not None:
        costs = costs + contours.cost(q, camera, JUDGE_SCALES[-1])
    return replace(rivals, q=q, costs=costs)
