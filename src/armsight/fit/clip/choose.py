"""Which answer of each frame: keypoints propose, contours judge, motion joins them to a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.modes import (
    JITTER_RAD,
    SPEED_RAD_S,
    Answers,
    answers_with_camera,
    likeliest_path,
)
from armsight.fit.clip.problem import KEYPOINT_WEIGHT, ClipProblem, minimise
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import LOSS_CUTOFF, Prior

Array = NDArray[np.floating]

JUDGED_EVERY = 4
"""Contours are compared in every n-th frame only: neighbouring frames say the same"""
MOST_RIVALS, PLAUSIBLE_COST = 3, 40.0
JUDGE_SCALES = (10.0, 4.0)
"""[px] Scales of the contours' loss while rival answers are moved onto edges"""
NUM_ANCHORS = 3
"""Answers, from different parts of the clip, from which paths are followed"""
NEAR_RAD = 0.35
"""[rad] A frame's answer is believed where it is no further than this from the path"""


def choose_path(
    keypoints: ClipKeypoints,
    answers: Answers,
    edges: Sequence[EdgeMap | None],
    times: Array,
    camera: SharedCamera,
    before: Array | None = None,
    every: int = JUDGED_EVERY,
) -> Answers:
    """The answer of each frame that fits keypoints, edges and motion best.

    Args:
        keypoints: of the whole clip.
        answers: several for most frames, with the camera held.
        edges: of each frame's picture; empty: keypoints and motion alone decide.
        times: (N,) [s].
        camera: the clip's.
        before: (J,) [rad] as in `likeliest_path`.
        every: contours are compared in every n-th frame only.

    Frames are left out that have no answer near the path through those that were judged.
    """
    if not len(edges):
        return likeliest_path(answers, times, KEYPOINT_WEIGHT, before)
    judged = np.unique(answers.frames)[::every]
    own = answers[np.flatnonzero(np.isin(answers.frames, judged))]
    rivals, explained = judge(keypoints, own.rivals(MOST_RIVALS, PLAUSIBLE_COST), edges, camera)
    followed = follow_anchors(keypoints, rivals, explained, times, camera)
    if len(followed.frames):
        rivals = rivals.joined(judge(keypoints, followed, edges, camera)[0])
    path = likeliest_path(rivals, times, 1.0, before)
    others = answers[np.flatnonzero(~np.isin(answers.frames, judged))]
    expected = np.stack(
        [np.interp(times[others.frames], times[path.frames], joint) for joint in path.q.T], axis=-1
    )
    away = np.abs(others.q - expected).max(-1, initial=0.0)
    near = replace(others, costs=others.costs + (away / NEAR_RAD) ** 2)[
        np.flatnonzero(away < NEAR_RAD)
    ]
    return path.joined(near.best()) if len(near.frames) else path


def follow_anchors(
    keypoints: ClipKeypoints, rivals: Answers, explained: Array, times: Array, camera: SharedCamera
) -> Answers:
    """The surest answers, followed from frame to frame into the rest of the clip.

    Where an elbow has left the picture, the network may guess it wrongly in every frame; where it
    went, the frames before and after have seen.

    Args:
        keypoints: of the whole clip.
        rivals: answers to some frames.
        explained: (B,) how much of the picture each explains, see `judge`.
        times: (N,) [s].
        camera: the clip's.
    """
    frames = np.unique(rivals.frames)
    best = {n: max(np.flatnonzero(rivals.frames == n), key=lambda i: explained[i]) for n in frames}
    found: list[Answers] = []
    for part in np.array_split(frames, min(NUM_ANCHORS, len(frames))):
        anchor = max(part, key=lambda n: explained[best[n]])
        for order in (frames[frames > anchor], frames[frames < anchor][::-1]):
            q, last = rivals.q[best[anchor]], anchor
            for n in order:
                wide = np.hypot(JITTER_RAD, SPEED_RAD_S * abs(times[n] - times[last]))
                belief = Prior(q[None], np.full((1, len(q)), wide))
                one = answers_with_camera(
                    keypoints, np.array([n]), q[None], belief, np.ones(1), camera, 4
                )
                q, last = one.q[0], n
                found.append(one)
    everyone = np.concatenate([one.frames for one in found] or [np.zeros(0, np.intp)])
    if len(everyone) == 0:
        return rivals[everyone]
    q = np.concatenate([one.q for one in found])
    # What the hypotheses believe of a frame stays: the nearest of its rivals says it.
    near = [
        min(np.flatnonzero(rivals.frames == n), key=lambda i: np.abs(rivals.q[i] - x).sum())
        for n, x in zip(everyone, q, strict=True)
    ]
    return Answers(everyone, q, rivals.belief[np.array(near)], np.zeros(len(q)))


def judge(
    keypoints: ClipKeypoints,
    rivals: Answers,
    edges: Sequence[EdgeMap | None],
    camera: SharedCamera,
) -> tuple[Answers, Array]:
    """Answers moved onto edges, with costs by keypoints and contours together, in nats.

    Beside them how much of its picture each explains (B,): what it would cost if no keypoint and
    no edge were where the answer has them, less what it costs.
    """
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
    data = at.cost(scale_of_frame[rows])
    costs = KEYPOINT_WEIGHT * (data + rivals.belief.cost(q))
    explained = KEYPOINT_WEIGHT * (0.5 * LOSS_CUTOFF**2 * at.measured.sum(-1) - data)
    if contours is not None:
        by_edges = contours.cost(q, camera, JUDGE_SCALES[-1])
        costs, explained = costs + by_edges, explained + contours.weight - by_edges
    return replace(rivals, q=q, costs=costs), explained
