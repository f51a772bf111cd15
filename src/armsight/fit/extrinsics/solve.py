"""From frames with known joints to the camera: search by motion, then the fit of the contours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.edges import EdgeMap
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.motion import MotionImages
from armsight.fit.extrinsics.search import CameraGuess, MotionSearch
from armsight.fit.extrinsics.shared_fit import (
    SCALES,
    Frames,
    Shared,
    SharedPrior,
    fit_shared,
    nominal,
)
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

NUM_STARTS = 2
"""Searches from different random poses, whose answers are held against each other"""
GUESSES = 2
"""of each search that are fitted"""
COARSE, FINE = SCALES[:2], SCALES[2:]
LEAST_SHARE = 0.6
"""A frame that fits less well than this share of the median is left out"""


@dataclass(frozen=True)
class Solution:
    """A camera and how well it explains the frames."""

    shared: Shared
    alignment: Array
    """(N,) of each frame, NaN where the arm is out of view"""
    used: NDArray[np.bool_]
    """(N,) frames that the fit rests on"""
    motion_score: float
    """correlation of the arm's motion with what changes in the pictures"""
    contrast: float
    """how much better each frame's own pose lies on its edges than the other frames' poses do:
    edges that stand still are there in all frames, and explain none of it"""
    agreement: float
    """[rad] how far apart the searches from different starts end, seen from the arm"""

    @property
    def mean_alignment(self) -> float:
        """of the frames that the fit rests on."""
        seen = self.alignment[self.used]
        return float(np.nanmean(seen)) if np.isfinite(seen).any() else 0.0


def find_camera(
    robot: Robot,
    images: list[Pixels],
    frames: Frames,
    K: Array,
    prior: SharedPrior,
    seed: int,
    evidence_weight: float,
    report: Callable[[float], None] | None = None,
) -> Solution:
    """The camera of N frames.

    Args:
        robot: the arm.
        images: the frames (H, W, 3).
        frames: their edges and joints.
        K: (3, 3) [px] of the frames, focal length perhaps a guess.
        prior: on what is shared.
        seed: of the search.
        evidence_weight: of a point of a contour, against the prior.
        report: is told what share of the work is done.
    """
    q = frames.joints_at(0.0)[0]
    motion = MotionImages.of(images)
    hulls = LinkHulls.of(robot, q)
    height, width = images[0].shape[:2]
    search = MotionSearch(
        motion, hulls, shrunk_intrinsics(K, (width, height), motion.size),
        focal_known=prior.log_focal_std < 0.1,
    )  # fmt: skip
    weights = np.full(len(images), evidence_weight)
    ends: list[tuple[float, Shared]] = []
    for start in range(NUM_STARTS):
        guesses = distinct(search.run(np.random.default_rng([seed, start])), GUESSES)
        fits = [
            fit_shared(
                frames, nominal(g.T_cam_base, q.shape[1], g.log_focal), prior, weights, COARSE
            )
            for g in guesses
        ]
        ends.append(max(((_mean(frames.alignment(s)), s) for s in fits), key=lambda end: end[0]))
        if report is not None:
            report((start + 1) / NUM_STARTS)
    best = max(ends, key=lambda end: end[0])[1]
    agreement = max(_apart(best, s, hulls) for _, s in ends)
    shared, used = fit_robustly(frames, best, prior, weights, FINE)
    return Solution(
        shared,
        frames.alignment(shared),
        used,
        search.score(shared.T_cam_base, shared.log_focal),
        contrast(frames.exchanged(shared), used),
        agreement,
    )


def fit_robustly(
    frames: Frames,
    start: Shared,
    prior: SharedPrior,
    weights: Array,
    scales: tuple[tuple[float, ...], ...],
) -> tuple[Shared, NDArray[np.bool_]]:
    """The fit, and again without the frames (N,) that do not go with the others."""
    shared = fit_shared(frames, start, prior, weights, scales)
    used = go_together(frames.alignment(shared))
    if not used.all() and used.sum() >= 3:
        shared = fit_shared(frames, shared, prior, weights * used, scales)
        used = go_together(frames.alignment(shared))
    return shared, used


def contrast(exchanged: Array, used: NDArray[np.bool_]) -> float:
    """Of the alignments (N, N) of pose k on frame i: the diagonal above the rest, in the median
    over the frames used (N,)."""
    others = (exchanged.sum(1) - np.diag(exchanged)) / (len(exchanged) - 1)
    above = np.diag(exchanged) - others
    return float(np.median(above[used] if used.any() else above))


def go_together(alignment: Array) -> NDArray[np.bool_]:
    """(N,) which frames fit about as well as most."""
    known = np.isfinite(alignment)
    if not known.any():
        return known
    used: NDArray[np.bool_] = np.where(known, alignment, 0.0) >= LEAST_SHARE * np.median(
        alignment[known]
    )
    return used


def distinct(guesses: list[CameraGuess], count: int) -> list[CameraGuess]:
    """The best that differ by more than a few degrees in the camera's turn or in scale."""
    kept: list[CameraGuess] = []
    for guess in guesses:
        R, f = guess.T_cam_base[:3, :3], guess.log_focal
        if all(
            np.trace(R @ other.T_cam_base[:3, :3].T) < 1 + 2 * np.cos(np.radians(4.0))
            or abs(f - other.log_focal) > 0.1
            for other in kept
        ):
            kept.append(guess)
    return kept[:count]


def edge_maps(images: list[Pixels], K: Array) -> tuple[EdgeMap, ...]:
    """Of all frames."""
    return tuple(EdgeMap(image, K) for image in images)


def shrunk_intrinsics(K: Array, size: tuple[int, int], small: tuple[int, int]) -> Array:
    """K (3, 3) of the small pictures; pixel centres are at integers."""
    factor = np.array([small[0] / size[0], small[1] / size[1], 1.0])
    result = np.diag(factor) @ K
    result[:2, 2] = (K[:2, 2] + 0.5) * factor[:2] - 0.5
    return result


def _apart(one: Shared, other: Shared, hulls: LinkHulls) -> float:
    """[rad] by how much two cameras see the arm apart, in the median over its points."""
    points = hulls.points.reshape(-1, 3)[::7]
    rays = []
    for shared in (one, other):
        cam = points @ shared.T_cam_base[:3, :3].T + shared.T_cam_base[:3, 3]
        flat = cam[:, :2] / np.maximum(cam[:, 2:], 1e-3) * np.exp(shared.log_focal)
        rays.append(flat)
    return float(np.median(np.linalg.norm(rays[0] - rays[1], axis=-1)))


def _mean(alignment: Array) -> float:
    return float(np.nanmean(alignment)) if np.isfinite(alignment).any() else 0.0
