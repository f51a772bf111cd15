"""From frames with known joints to the camera: search by motion, then the fit of the contours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.edges import EdgeMap
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.motion import MotionImages
from armsight.fit.extrinsics.search import CameraGuess, MotionSearch, spread_frames
from armsight.fit.extrinsics.shared_fit import (
    SCALES,
    Frames,
    Shared,
    SharedPrior,
    fit_shared,
    nominal,
)
from armsight.geometry import scale_matrix

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

FEWEST_STARTS, MOST_STARTS = 2, 5
"""Searches from different random poses: they end when two that explain the frames agree"""
FRAMES_SEARCHED = 10
"""at most; all are fitted"""
FEW_FRAMES, MOST_STARTS_OF_FEW = 7, 9
"""With so few frames a search is quick, and often ends in the wrong place: more searches are
made"""
GUESSES = 3
"""Results of each search that are fitted"""
SAME_PLACE = 0.02
"""[rad] Two answers are one where they see the arm no further apart than this"""
LEAST_CONTRAST = 0.13
"""Contrast from which on an answer is believed; right ones have 0.2 and more, wrong ones below
0.06"""
LEAST_ALIGNMENT = 0.33
"""Mean edge alignment of such an answer; right ones have 0.4 and more"""
EVIDENCE_WEIGHT = 0.02
"""A contour point's weight at first, before `uncertainty.evidence_weight` is known"""
SURE_CONTRAST = 0.19
"""From this contrast on one search is enough; mirrored pictures do not reach it"""
COARSE, FINE = SCALES[:2], SCALES[2:]
LAST = (*FINE, (2.0, 1.0))
"""[px] focal length and distance go together, and take another round"""
LEAST_SHARE = 0.35
"""A frame whose contrast is less than this share of the median is left out"""


@dataclass(frozen=True)
class CameraSolution:
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
    def believed(self) -> bool:
        """Whether the frames are explained: so well that nothing else could, or less well, but
        searches from different starts end here."""
        if self.contrast >= SURE_CONTRAST:
            return True
        # A shadow moves with the arm, too, but the arm's contour fits it badly.
        found_again = self.agreement < SAME_PLACE and self.mean_alignment >= LEAST_ALIGNMENT
        return self.contrast >= LEAST_CONTRAST and found_again

    @property
    def mean_alignment(self) -> float:
        """of the frames that the fit rests on."""
        seen = self.alignment[self.used]
        return float(np.nanmean(seen)) if np.isfinite(seen).any() else 0.0


def find_camera(
    images: list[Pixels],
    frames: Frames,
    K: Array,
    prior: SharedPrior,
    seed: int,
    time_offsets: Sequence[float] = (0.0,),
    most_starts: int | None = None,
    least_score: float = -1.0,
    report: Callable[[float], None] | None = None,
) -> CameraSolution | None:
    """The camera of N frames; None where no search got so far as `least_score`.

    Args:
        images: the frames (H, W, 3).
        frames: their edges and joints.
        K: (3, 3) [px] of the frames, focal length perhaps a guess.
        prior: on what is shared.
        seed: of the search.
        time_offsets: [s] of the log, tried in turn.
        most_starts: of the search; by default as many as it takes, up to a limit.
        least_score: correlation of motion from which on a camera is fitted.
        report: is told what share of the work is done, at most.
    """
    some = spread_frames(LinkHulls.of(frames.robot, frames.joints_at(0.0)[0]), FRAMES_SEARCHED)
    motion = MotionImages.of([images[i] for i in some])
    height, width = images[0].shape[:2]
    K_small = scale_matrix(motion.size[0] / width, motion.size[1] / height) @ K
    ends: list[_End] = []
    if most_starts is None:
        most_starts = MOST_STARTS_OF_FEW if len(images) <= FEW_FRAMES else MOST_STARTS
    for start in range(most_starts):
        offset = time_offsets[start % len(time_offsets)]
        hulls = LinkHulls.of(frames.robot, frames.joints_at(offset)[0][some])
        search = MotionSearch(motion, hulls, K_small, focal_known=prior.log_focal_std < 0.1)
        guesses = distinct(search.run(np.random.default_rng([seed, start])), GUESSES)
        guesses = [guess for guess in guesses if guess.score > least_score]
        if not guesses:
            continue
        ends.append(_coarse(frames, prior, guesses, offset))
        ends.sort(key=lambda end: -end.contrast)
        if report is not None:
            report((start + 1) / most_starts)
        best = ends[0]
        agreement = _apart(best.shared, ends[1].shared, hulls) if len(ends) > 1 else np.inf
        believed = best.contrast > SURE_CONTRAST and agreement < SAME_PLACE
        if start + 1 >= FEWEST_STARTS and believed:
            break
    if not ends:
        return None
    weights = np.full(len(images), EVIDENCE_WEIGHT)
    shared, used = fit_robustly(frames, best.shared, prior, weights, FINE)
    return solution(frames, shared, used, images, K, float(agreement))


@dataclass(frozen=True)
class _End:
    """Where a search and a coarse fit ended."""

    shared: Shared
    contrast: float


def _coarse(frames: Frames, prior: SharedPrior, guesses: list[CameraGuess], offset: float) -> _End:
    ends = []
    for guess in guesses:
        start = nominal(guess.T_cam_base, len(prior.zeros_std), guess.log_focal, offset)
        weights = np.full(len(frames.edges), EVIDENCE_WEIGHT)
        shared = fit_shared(frames, start, prior, weights, COARSE)
        exchanged = frames.exchanged(shared)
        ends.append(_End(shared, contrast(exchanged, go_together(exchanged))))
    return max(ends, key=lambda end: end.contrast)


def solution(
    frames: Frames, shared: Shared, used: NDArray[np.bool_], images: list[Pixels], K: Array,
    agreement: float,
) -> CameraSolution:  # fmt: skip
    """A fit and how well it explains the frames."""
    motion = MotionImages.of(images)
    height, width = images[0].shape[:2]
    K_small = scale_matrix(motion.size[0] / width, motion.size[1] / height) @ K
    hulls = LinkHulls.of(frames.robot, frames.states(shared).q)
    score = MotionSearch(motion, hulls, K_small, focal_known=True).score(
        shared.T_cam_base, shared.log_focal
    )
    exchanged = frames.exchanged(shared)
    used = used & go_together(exchanged)
    return CameraSolution(
        shared, frames.alignment(shared), used, score, contrast(exchanged, used), agreement
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
    used = go_together(frames.exchanged(shared))
    if not used.all() and used.sum() >= 3:
        shared = fit_shared(frames, shared, prior, weights * used, scales)
        used = go_together(frames.exchanged(shared))
    return shared, used


def contrasts(exchanged: Array) -> Array:
    """(N,) of the alignments (N, N) of pose k on frame i, the diagonal above the mean of the
    rest: how much better a frame's own pose lies on its edges than other frames' poses do."""
    others = (exchanged.sum(1) - np.diag(exchanged)) / (len(exchanged) - 1)
    above: Array = np.diag(exchanged) - others
    return above


def contrast(exchanged: Array, used: NDArray[np.bool_]) -> float:
    """The median over the frames used (N,)."""
    above = contrasts(exchanged)
    return float(np.median(above[used] if used.any() else above))


def go_together(exchanged: Array) -> NDArray[np.bool_]:
    """(N,) which frames fit about as well as most."""
    above = contrasts(exchanged)
    # Frames out of view say nothing.
    used: NDArray[np.bool_] = (np.diag(exchanged) > 0.05) & (
        above >= LEAST_SHARE * np.median(above)
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


def _apart(one: Shared, other: Shared, hulls: LinkHulls) -> float:
    """[rad] by how much two cameras see the arm apart, in the median over its points."""
    points = hulls.points.reshape(-1, 3)[::7]
    rays = []
    for shared in (one, other):
        cam = points @ shared.T_cam_base[:3, :3].T + shared.T_cam_base[:3, 3]
        flat = cam[:, :2] / np.maximum(cam[:, 2:], 1e-3) * np.exp(shared.log_focal)
        rays.append(flat)
    return float(np.median(np.linalg.norm(rays[0] - rays[1], axis=-1)))
