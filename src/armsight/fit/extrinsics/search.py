"""Finds a fixed camera by motion: the pose from which the moving arm explains what changes.

Random poses all around the arm are brought to the distance and the direction at which the arm's
motion is as large and where it is in the picture; the best are perturbed, by less and less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.motion import MotionImages
from armsight.geometry import make_transform, rotation_from_rotvec

Array = NDArray[np.floating]

NUM_RANDOM = 2500
NUM_KEPT = 60
NUM_ROUNDS = 18
NUM_TRIES = 4
"""Perturbations of each pose in a round"""
KEPT_SHARE, FEWEST_KEPT = 0.85, 6
"""Share of the poses that go on to the next round, and the fewest"""
FRAMES_FIRST = 5
"""Random poses are scored on so many frames; the best of them on all"""
DISTANCES = (0.35, 6.0)
"""Nearest and farthest camera, in reaches of the arm"""
UPRIGHT_SHARE = 0.6
"""of the random cameras stand nearly upright; the others are turned by any angle"""
FOCAL_RANGE = 0.5
"""Where the focal length is unknown: it is drawn from exp(-this) to exp(this) times the guess"""
STEPS = np.array([0.3, 0.3, 0.3, 0.2, 0.15, 0.15, 0.15])
"""First perturbation of turn (3) [rad], log distance, place in the picture (2, half its width) and
log focal length; each round they narrow"""
NARROWING = 0.82


@dataclass(frozen=True)
class CameraGuess:
    """A camera that the search found."""

    T_cam_base: Array
    """(4, 4)"""
    log_focal: float
    """its focal length is exp(log_focal) times that of K"""
    score: float
    """correlation of its arm's motion with the pictures'"""


@dataclass(frozen=True)
class _Poses:
    """B cameras: each turned by R, its axis's point `place` on the arm's centre, that far away."""

    R: Array
    """(B, 3, 3) of T_cam_base"""
    log_distance: Array
    """(B,) in log of the arm's reach"""
    place: Array
    """(B, 2) where the arm's centre is seen, (u - cx, v - cy) in halves of the picture's width"""
    log_focal: Array
    """(B,)"""

    def __getitem__(self, index: NDArray[np.intp]) -> _Poses:
        return _Poses(
            self.R[index], self.log_distance[index], self.place[index], self.log_focal[index]
        )

    def joined(self, other: _Poses) -> _Poses:
        pairs = zip(self._fields(), other._fields(), strict=True)
        return _Poses(*(np.concatenate(pair) for pair in pairs))

    def _fields(self) -> tuple[Array, ...]:
        return self.R, self.log_distance, self.place, self.log_focal


class MotionSearch:
    """Looks for the camera of N frames with known joints."""

    def __init__(
        self, motion: MotionImages, hulls: LinkHulls, K_small: Array, *, focal_known: bool
    ) -> None:
        """Prepare it.

        Args:
            motion: of the frames.
            hulls: of the arm in the frames.
            K_small: (3, 3) [px of the small pictures]; with an unknown focal length a guess.
            focal_known: whether to keep that focal length.
        """
        self.motion, self.hulls, self.K = motion, hulls, K_small
        self.focal_known = focal_known
        self.centre, self.reach = hulls.centre, hulls.reach

    def run(
        self, rng: np.random.Generator, report: Callable[[float], None] | None = None
    ) -> list[CameraGuess]:
        """The best cameras found, best first."""
        first = spread_frames(self.hulls, FRAMES_FIRST)
        poses = self._random(rng, NUM_RANDOM)
        scores = self._scores(poses, self.motion.among(first), self.hulls[first])
        poses = poses[np.argsort(-scores)[:NUM_KEPT]]
        scores = self._scores(poses, self.motion, self.hulls)
        steps = STEPS.copy()
        for _ in range(NUM_ROUNDS):
            # Each pose is held against its own changes only, so that no basin takes over early.
            tries = self._perturbed(poses, steps, NUM_TRIES, rng)
            tried = self._scores(tries, self.motion, self.hulls).reshape(NUM_TRIES, -1)
            best = tried.argmax(0)
            count = len(scores)
            better = np.flatnonzero(tried.max(0) > scores)
            source = np.arange(count)
            source[better] = count * (1 + best[better]) + better
            poses = poses.joined(tries)[source]
            scores = np.maximum(scores, tried.max(0))
            left = np.argsort(-scores)[: max(FEWEST_KEPT, round(count * KEPT_SHARE))]
            poses, scores = poses[left], scores[left]
            steps *= NARROWING
        transforms = self._transforms(poses)
        return [
            CameraGuess(T, float(f), float(s))
            for T, f, s in zip(transforms, poses.log_focal, scores, strict=True)
        ]

    def score(self, T_cam_base: Array, log_focal: float = 0.0) -> float:
        """Of one camera, by all frames."""
        masks = self.hulls.masks(T_cam_base, self._K(log_focal), self.motion.size)
        return self.motion.correlation(masks)

    def _random(self, rng: np.random.Generator, count: int) -> _Poses:
        """Cameras on a sphere around the arm, at the distance and direction that fit its motion."""
        azimuth = rng.uniform(-np.pi, np.pi, count)
        elevation = np.arcsin(rng.uniform(-0.15, 1, count))
        below = rng.random(count) < 0.15
        elevation[below] = np.arcsin(rng.uniform(-1, 0, int(below.sum())))
        upright = rng.random(count) < UPRIGHT_SHARE
        roll = np.where(upright, rng.normal(0, 0.15, count), rng.uniform(-np.pi, np.pi, count))
        spread = 0.0 if self.focal_known else FOCAL_RANGE
        log_focal = rng.uniform(-spread, spread, count)
        poses = _Poses(
            _looking_at_origin(azimuth, elevation, roll), np.full(count, np.log(2.0)),
            np.zeros((count, 2)), log_focal,
        )  # fmt: skip
        poses = self._matched(poses)
        low, high = np.log(DISTANCES)
        jitter = rng.normal(0, 0.2, count)
        return _Poses(
            poses.R,
            np.clip(poses.log_distance + jitter, low, high),
            poses.place + rng.normal(0, 0.12, (count, 2)),
            log_focal,
        )

    def _matched(self, poses: _Poses, rounds: int = 3) -> _Poses:
        """Poses at which the arm's motion is as large and where it is in the pictures."""
        width, height = self.motion.size
        v, u = np.indices((height, width))
        seen = np.stack([(u - self.K[0, 2]), (v - self.K[1, 2])], -1).reshape(-1, 2) / (width / 2)
        weight = self.motion.activity.ravel() + 1e-6
        centre, size = _moments(seen, weight)
        points = self.hulls.points[:: max(1, len(self.hulls.points) // 6), ::8]
        moved = points.std(0).sum(-1)
        low, high = np.log(DISTANCES)
        edge = np.array([1.0, height / width]) * 1.05
        for _ in range(rounds):
            T = self._transforms(poses)
            focal = self.K[0, 0] * np.exp(poses.log_focal) / (width / 2)
            cam = np.einsum("bij,nvj->bnvi", T[:, :3, :3], points) + T[:, None, None, :3, 3]
            depth = np.maximum(cam[..., 2], 0.05 * self.reach)
            where = focal[:, None, None, None] * cam[..., :2] / depth[..., None]
            inside = (np.abs(where) < edge).all(-1)
            share = (moved * (0.02 + inside)).reshape(len(T), -1)
            middle, spread = _moments(where.reshape(len(T), -1, 2), share)
            grow = np.clip(np.log(spread / size), -0.5, 0.5)
            poses = _Poses(
                poses.R,
                np.clip(poses.log_distance + grow, low, high),
                np.clip(poses.place + centre - middle, -1.5, 1.5),
                poses.log_focal,
            )
        return poses

    def _perturbed(
        self, poses: _Poses, steps: Array, times: int, rng: np.random.Generator
    ) -> _Poses:
        """Each pose `times` over, with random changes."""
        again = poses[np.tile(np.arange(len(poses.R)), times)]
        noise = rng.normal(size=(len(again.R), len(steps))) * steps
        return _Poses(
            rotation_from_rotvec(noise[:, :3]) @ again.R,
            again.log_distance + noise[:, 3],
            again.place + noise[:, 4:6],
            again.log_focal + (0.0 if self.focal_known else noise[:, 6]),
        )

    def _scores(self, poses: _Poses, motion: MotionImages, hulls: LinkHulls) -> Array:
        transforms = self._transforms(poses)
        return np.array([
            motion.correlation(hulls.masks(T, self._K(f), motion.size))
            for T, f in zip(transforms, poses.log_focal, strict=True)
        ])  # fmt: skip

    def _K(self, log_focal: float) -> Array:
        return self.K * np.array([[np.exp(log_focal)] * 2 + [1.0]] * 2 + [[1.0] * 3])

    def _transforms(self, poses: _Poses) -> Array:
        """(B, 4, 4) T_cam_base."""
        width = self.motion.size[0]
        focal = self.K[[0, 1], [0, 1]] * np.exp(poses.log_focal)[:, None] / (width / 2)
        ray = np.concatenate([poses.place / focal, np.ones((len(focal), 1))], axis=1)
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        at = self.reach * np.exp(poses.log_distance)[:, None] * ray
        return make_transform(poses.R, at - poses.R @ self.centre)


def spread_frames(hulls: LinkHulls, count: int) -> NDArray[np.intp]:
    """Up to `count` frames in which the arm stands most differently (farthest-point sampling)."""
    points = hulls.points.reshape(len(hulls.points), -1)
    chosen = [int(np.argmax(np.linalg.norm(points - points.mean(0), axis=1)))]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.sort(np.array(chosen))


def _moments(points: Array, weights: Array) -> tuple[Array, Array]:
    """Centre (..., 2) and root mean square distance from it (...) of points (..., N, 2)."""
    total = weights.sum(-1)
    centre = (points * weights[..., None]).sum(-2) / total[..., None]
    off = ((points - centre[..., None, :]) ** 2).sum(-1)
    return centre, np.sqrt((off * weights).sum(-1) / total)


def _looking_at_origin(azimuth: Array, elevation: Array, roll: Array) -> Array:
    """(B, 3, 3) rotations of T_cam_base for cameras in those directions from the arm."""
    ahead = -np.stack([
        np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)
    ], axis=-1)  # fmt: skip
    right = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros_like(azimuth)], axis=-1)
    R = np.stack([right, np.cross(ahead, right), ahead], axis=-2)
    turned: Array = rotation_from_rotvec(roll[:, None] * np.array([0, 0, 1.0])) @ R
    return turned
