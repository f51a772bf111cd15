"""Why no camera explains the pictures: the likely mistakes are tried, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.inputs import JointPath
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.motion import compensated
from armsight.fit.extrinsics.search import spread_frames
from armsight.fit.extrinsics.shared_fit import Frames, SharedPrior, fixed_joints
from armsight.fit.extrinsics.solve import LEAST_CONTRAST, edge_maps, find_camera
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

CHANGED, LEAST_CHANGE = 6.0, 0.003
"""[grey levels] beyond noise, and share of the pixels: where fewer change by that, nothing moves.
Not the mean change: an arm in a dark room is small and changes little."""
SAME_MOTION = 0.55
"""Correlation of the arm's and the pictures' motion from which on they are one event"""
FEWEST_COMPARED = 8
"""frames from which on that correlation says something"""
MIRRORED = "the pictures are mirrored: mirrored back, they fit"
FRAMES_TRIED = 7
LEAST_SCORE = 0.3
"""Correlation of motion from which on a camera that a search found is fitted"""


@dataclass(frozen=True)
class Diagnosis:
    """A verdict and its reasons."""

    verdict: str
    messages: tuple[str, ...]


def diagnose(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, small: Array,
    path: JointPath, seed: int,
) -> Diagnosis:  # fmt: skip
    """Why not.

    Args:
        robot: the arm.
        pictures: frames (H, W, 3).
        q: (N, J) [rad] their joints by the log.
        K: (3, 3) [px].
        prior: on what is shared.
        small: (S, h, w, 3) small copies of frames all over the recording.
        path: the joints at their times.
        seed: of the search.
    """
    for order, names in _orders(robot):
        other = q[:, order]
        if not _within_limits(robot, other):
            continue
        if _contrast(robot, pictures, other, K, prior, seed) > LEAST_CONTRAST:
            return Diagnosis("wrong_joint_order", (f"with {names} the camera is found",))
    if mirrored_contrast(robot, pictures, q, K, prior, seed) > LEAST_CONTRAST:
        return Diagnosis("cannot_tell", (MIRRORED,))
    together = _motion_together(robot, small, path)
    if together > SAME_MOTION and len(small) >= FEWEST_COMPARED:
        return Diagnosis(
            "other_robot",
            (f"what moves in the pictures keeps the log's time (correlation {together:.2f}), but "
             f"is not shaped or does not bend like {robot.name}",),
        )  # fmt: skip
    return Diagnosis(
        "cannot_tell",
        (f"what moves in the pictures does not keep the log's time (correlation {together:.2f}): "
         "another episode's log, another arm, or too much else that moves",),
    )  # fmt: skip


def _orders(robot: Robot) -> Iterator[tuple[list[int], str]]:
    """Orders of columns that are seen in practice, with words for them."""
    J = len(robot.joint_names)
    for k in range(J - 1):
        order = list(range(J))
        order[k], order[k + 1] = order[k + 1], order[k]
        yield order, f"columns {k + 1} and {k + 2} of the log exchanged"
    yield list(range(J))[::-1], "the log's columns from last to first"
    yield [*range(1, J), 0], "the log's first column as its last"
    yield [J - 1, *range(J - 1)], "the log's last column as its first"
    if J > 3:
        # MoveIt and others sort by name, as 'elbow' before 'shoulder'.
        by_name = np.argsort(np.argsort(robot.joint_names)).tolist()
        if by_name != list(range(J)):
            yield [int(i) for i in by_name], "the log's columns taken as sorted by joint name"


def _within_limits(robot: Robot, q: Array) -> bool:
    low, high = robot.joint_limits.T
    return bool(((q > low - 0.2) & (q < high + 0.2)).mean() > 0.97)


def mirrored_contrast(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, seed: int
) -> float:
    """How well a camera explains the pictures once they are mirrored back."""
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    K = K.copy()
    K[0, 2] = pictures[0].shape[1] - 1 - K[0, 2]
    return _contrast(robot, mirrored, q, K, prior, seed, 3)


def _contrast(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, seed: int,
    starts: int = 1,
) -> float:  # fmt: skip
    """Of the camera that a short search finds with these joints; 0 where it finds none."""
    chosen = spread_frames(LinkHulls.of(robot, q), FRAMES_TRIED)
    some = [pictures[i] for i in chosen]
    frames = Frames(robot, edge_maps(some, K), fixed_joints(q[chosen]))
    found = find_camera(some, frames, K, prior, seed, most_starts=starts, least_score=LEAST_SCORE)
    return 0.0 if found is None else found.contrast


def nothing_moves(small: Array) -> bool:
    """Whether small frames (S, h, w, 3) differ by no more than noise and exposure."""
    same = compensated(small.astype(np.float32))
    off = np.abs(same - np.median(same, axis=0)).max(-1)
    noise = np.median(off, axis=(1, 2), keepdims=True)
    return float((off - 3 * noise - 2 > CHANGED).mean()) < LEAST_CHANGE


def _motion_together(robot: Robot, small: Array, path: JointPath) -> float:
    """Correlation over pairs of frames of how much the pictures and the arm's surface differ."""
    chosen = np.linspace(0, len(small) - 1, min(len(small), 24)).round().astype(int)
    same = compensated(small[chosen].astype(np.float32))
    points = LinkHulls.of(robot, path.at(0.0)[0][chosen]).points[:, ::4]
    one, other = np.triu_indices(len(chosen), 1)
    seen = np.minimum(np.abs(same[one] - same[other]).max(-1), 60.0)
    noise = np.median(seen, axis=(1, 2), keepdims=True)
    changed = np.sqrt(np.maximum(seen - 3 * noise - 2, 0).mean((1, 2)))
    moved = np.sqrt(np.linalg.norm(points[one] - points[other], axis=-1).mean(1))
    if changed.std() < 1e-9 or moved.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(changed, moved)[0, 1])
