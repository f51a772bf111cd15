"""Why no camera explains the pictures: the likely mistakes are tried, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.extrinsics.inputs import LoggedPath
from armsight.fit.extrinsics.link_hulls import LinkHulls
from armsight.fit.extrinsics.motion import compensated
from armsight.fit.extrinsics.search import spread_frames
from armsight.fit.extrinsics.shared_fit import (
    SCALES,
    Frames,
    Shared,
    SharedPrior,
    fixed_joints,
)
from armsight.fit.extrinsics.solve import (
    EVIDENCE_WEIGHT,
    LEAST_CONTRAST,
    SURE_CONTRAST,
    CameraSolution,
    edge_maps,
    find_camera,
    fit_robustly,
    solution,
)
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

CHANGED, LEAST_CHANGE = 6.0, 0.003
"""[grey levels] beyond the noise, and share of the pixels: nothing moves where fewer pixels change
by that much. The mean change would not do: an arm in a dark room is small and changes little."""
SAME_MOTION = 0.55
"""Correlation between the arm's motion and the pictures' from which on they belong together"""
FEWEST_COMPARED = 8
"""Frames that this correlation needs"""
SAME_CONTRAST = 0.8
"""The log's own order of joints explains the frames where it reaches this share of another order's
contrast"""
MIRRORED = "the pictures are mirrored: mirrored back, they fit"
FRAMES_TRIED = 7
MOST_ORDERS = 4
"""Orders of the log's columns that are searched: those whose motion correlates best with the
pictures'"""
LEAST_SCORE = 0.3
"""A camera found by search is fitted only from this correlation of motion on"""


@dataclass(frozen=True)
class Diagnosis:
    """A verdict and its reasons."""

    verdict: str
    messages: tuple[str, ...]
    camera: Shared | None = None
    """The camera that explains the frames after all: the search had missed it"""


def diagnose(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, small: Array,
    path: LoggedPath, seed: int,
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
    course = Course.of(small)
    for order, names in likely_orders(robot, course, path):
        found = _short_search(robot, pictures, q[:, order], K, prior, seed)
        # Of several orders one may fit by chance as well as a doubtful answer does.
        if found is None or found.contrast <= SURE_CONTRAST:
            continue
        # Joints that hardly moved may be exchanged, and the camera is found all the same.
        as_logged = fit_near(robot, pictures, q, K, prior, found.shared)
        if as_logged.contrast > SAME_CONTRAST * found.contrast:
            return Diagnosis("fine", (), as_logged.shared)
        return Diagnosis("wrong_joint_order", (f"with {names} the camera is found",))
    if mirrored_contrast(robot, pictures, q, K, prior, seed) > LEAST_CONTRAST:
        return Diagnosis("cannot_tell", (MIRRORED,))
    together = course.agreement(robot, path)
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


def likely_orders(robot: Robot, course: Course, path: LoggedPath) -> list[tuple[list[int], str]]:
    """The `MOST_ORDERS` whose motion goes best with the pictures', best first."""
    rated = []
    for order, names in known_orders(robot):
        other = replace(path, positions=path.positions[:, order])
        if _within_limits(robot, other.positions):
            rated.append((course.agreement(robot, other), order, names))
    rated.sort(key=lambda one: -one[0])
    return [(order, names) for _, order, names in rated[:MOST_ORDERS]]


def known_orders(robot: Robot) -> Iterator[tuple[list[int], str]]:
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
    found = _short_search(robot, pictures, q, K, prior, seed, starts)
    return 0.0 if found is None else found.contrast


def _short_search(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, seed: int,
    starts: int = 1,
) -> CameraSolution | None:  # fmt: skip
    chosen = spread_frames(LinkHulls.of(robot, q), FRAMES_TRIED)
    some = [pictures[i] for i in chosen]
    frames = Frames(robot, edge_maps(some, K), fixed_joints(q[chosen]))
    return find_camera(some, frames, K, prior, seed, most_starts=starts, least_score=LEAST_SCORE)


def fit_near(
    robot: Robot, pictures: list[Pixels], q: Array, K: Array, prior: SharedPrior, start: Shared
) -> CameraSolution:
    """The fit of all frames from a camera that is nearly right."""
    frames = Frames(robot, edge_maps(pictures, K), fixed_joints(q))
    weights = np.full(len(pictures), EVIDENCE_WEIGHT)
    shared, used = fit_robustly(frames, start, prior, weights, SCALES)
    return solution(frames, shared, used, pictures, K, 0.0)


def nothing_moves(small: Array) -> bool:
    """Whether small frames (S, h, w, 3) differ by no more than noise and exposure."""
    same = compensated(small.astype(np.float32))
    off = np.abs(same - np.median(same, axis=0)).max(-1)
    noise = np.median(off, axis=(1, 2), keepdims=True)
    return float((off - 3 * noise - 2 > CHANGED).mean()) < LEAST_CHANGE


@dataclass(frozen=True)
class Course:
    """How much pairs of small frames differ."""

    frames: NDArray[np.intp]
    """(S,) those that are compared"""
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
    """(P,) and (P,): places in `frames`"""
    changed: Array
    """(P,) root of the mean change, in grey levels"""

    @classmethod
    def of(cls, small: Array) -> Course:
        """Of small frames (S, h, w, 3)."""
        chosen = np.linspace(0, len(small) - 1, min(len(small), 24)).round().astype(int)
        same = compensated(small[chosen].astype(np.float32))
        one, other = np.triu_indices(len(chosen), 1)
        seen = np.minimum(np.abs(same[one] - same[other]).max(-1), 60.0)
        noise = np.median(seen, axis=(1, 2), keepdims=True)
        changed = np.sqrt(np.maximum(seen - 3 * noise - 2, 0).mean((1, 2)))
        return cls(chosen, (one, other), changed)

    def agreement(self, robot: Robot, path: LoggedPath) -> float:
        """Correlation over the pairs with how far the arm's surface moves by the log."""
        points = LinkHulls.of(robot, path.at(0.0)[0][self.frames]).points[:, ::4]
        one, other = self.pairs
        moved = np.sqrt(np.linalg.norm(points[one] - points[other], axis=-1).mean(1))
        if self.changed.std() < 1e-9 or moved.std() < 1e-9:
            return 0.0
        return float(np.corrcoef(self.changed, moved)[0, 1])
