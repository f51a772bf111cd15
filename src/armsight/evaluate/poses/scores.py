"""Truth and answers of all frames as arrays, and the errors between them.

N frames, J joints, K keypoints of the robot. NaN: the truth is unknown, or there is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import Dataset, Frame
from armsight.errors import DatasetError
from armsight.evaluate.poses import metrics
from armsight.evaluate.poses.silhouettes import silhouette_iou
from armsight.geometry import transform_points
from armsight.robots import Robot

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

NUM_SCORED_JOINTS = 6
"""Joint errors are averaged over the first six joints, as the field does: the seventh only turns
the hand about its own axis, and moves none of DREAM's keypoints."""


@dataclass(frozen=True)
class Scores:
    """Everything that is known and answered about the frames that show the robot."""

    robot: Robot
    frames: tuple[Frame, ...]
    answers: tuple[Mapping[str, Any], ...]
    found: Mask
    """(N,) an answer was given"""
    confidence: Array
    """(N,)"""
    true_joints: Array
    """(N, J) [rad]"""
    joints: Array
    """(N, J) [rad]"""
    joint_std: Array
    """(N, J) [rad]"""
    true_2d: Array
    """(N, K, 2) [px]"""
    points_2d: Array
    """(N, K, 2) [px]"""
    true_3d: Array
    """(N, K, 3) [m], camera frame"""
    points_3d: Array
    """(N, K, 3) [m], camera frame"""
    visible: Array
    """(N, K) as `Frame.keypoints_visible`"""
    true_T: Array
    """(N, 4, 4) `T_cam_base` [m]"""
    T: Array
    """(N, 4, 4) `T_cam_base` [m]"""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the frames."""
        return tuple(frame.name for frame in self.frames)

    @property
    def num_origins(self) -> int:
        """The first so many keypoints are DREAM's, over which ADD is taken."""
        return self.robot.num_origin_keypoints

    @cached_property
    def joint_errors(self) -> Array:
        """(N, J) [deg], NaN without an answer or a truth."""
        return metrics.joint_errors_deg(self.joints, self.true_joints)

    @cached_property
    def ready_errors(self) -> Array:
        """(N, J) [deg] of always answering the ready pose, without looking."""
        return metrics.joint_errors_deg(self.robot.ready_positions[None], self.true_joints)

    @cached_property
    def counted_errors(self) -> Array:
        """(N, J) [deg]: an image without an answer counts as the ready pose's error."""
        missing = np.isnan(self.joint_errors)
        counted: Array = np.where(missing, self.ready_errors, self.joint_errors)
        return counted

    @cached_property
    def mean_joint_error(self) -> Array:
        """(N,) [deg] mean over the first six joints, NaN without an answer or a truth."""
        mean: Array = self.joint_errors[:, :NUM_SCORED_JOINTS].mean(axis=1)
        return mean

    @cached_property
    def has_3d(self) -> Mask:
        """(N,) the true 3D origins are known, so that ADD exists."""
        known: Mask = ~np.any(np.isnan(self.true_3d[:, : self.num_origins]), axis=(1, 2))
        return known

    @cached_property
    def add(self) -> Array:
        """(N,) [m]: NaN where the truth is unknown, infinite without an answer."""
        return self.add_of(self.points_3d)

    def add_of(self, points_3d: Array) -> Array:
        """ADD (N,) [m] of other keypoints (N, K, 3) [m, camera frame] against the truth."""
        n, known = self.num_origins, self.has_3d
        result = np.full(len(known), np.nan)
        result[known] = metrics.add(points_3d[known, :n], self.true_3d[known, :n])
        return result

    def add_of_pose(self, joints: Array) -> Array:
        """ADD (N,) [m] of other joint positions (N, J) [rad] seen by the true camera."""
        points = transform_points(self.true_T, self.robot.keypoints(joints))
        result: Array = np.where(np.isnan(self.true_T[:, 0, 0]), np.nan, self.add_of(points))
        return result

    @cached_property
    def in_frame(self) -> Mask:
        """(N, K) the true keypoint is known and inside of the picture."""
        sizes = np.array([frame.image_size for frame in self.frames]).reshape(-1, 2)
        return metrics.keypoints_in_frame(self.true_2d, sizes)

    @cached_property
    def num_in_frame(self) -> NDArray[np.int64]:
        """(N,) how many of DREAM's keypoints are in frame."""
        count: NDArray[np.int64] = self.in_frame[:, : self.num_origins].sum(axis=1)
        return count

    @cached_property
    def has_2d(self) -> Mask:
        """(N,) the true 2D origins are known."""
        # A keypoint behind the camera has no pixel, and is NaN in a known truth, too.
        known: Mask = ~np.all(np.isnan(self.true_2d[:, : self.num_origins]), axis=(1, 2))
        return known

    @cached_property
    def dream_rule(self) -> Mask:
        """(N,) images that DREAM would score: at least four keypoints in frame."""
        counted: Mask = self.has_2d & (self.num_in_frame >= metrics.DREAM_MIN_KEYPOINTS)
        return counted

    @cached_property
    def pixel_errors(self) -> Array:
        """(N, K) [px]: NaN where not in frame, infinite without an answer."""
        distances = np.linalg.norm(self.points_2d - self.true_2d, axis=-1)
        distances = np.where(np.isnan(distances), np.inf, distances)
        errors: Array = np.where(self.in_frame, distances, np.nan)
        return errors

    @cached_property
    def distance(self) -> Array:
        """(N,) [m] from the camera to the middle of DREAM's keypoints, NaN if unknown."""
        centre = self.true_3d[:, : self.num_origins].mean(axis=1)
        distance: Array = np.linalg.norm(centre, axis=-1)
        return distance

    @cached_property
    def hidden_share(self) -> Array:
        """(N,) share of all in-frame keypoints behind something, NaN if visibility is unknown."""
        known = self.in_frame & ~np.isnan(self.visible)
        hidden = (known & (self.visible == 0)).sum(axis=1)
        count = known.sum(axis=1)
        share: Array = np.where(count > 0, hidden / np.maximum(count, 1), np.nan)
        return share

    @cached_property
    def silhouette_iou(self) -> Array:
        """(N,) outline of the answer over the mask: 0 without an answer, NaN without mask."""
        pairs = zip(self.frames, self.answers, strict=True)
        return np.array([silhouette_iou(self.robot, frame, answer) for frame, answer in pairs])

    @cached_property
    def camera_errors(self) -> tuple[Array, Array]:
        """Errors (N,) of the base's position [m] and (N,) of its orientation [deg]."""
        position = np.linalg.norm(self.T[:, :3, 3] - self.true_T[:, :3, 3], axis=-1)
        R = np.swapaxes(self.T[:, :3, :3], 1, 2) @ self.true_T[:, :3, :3]
        # Through the chord of the rotation, exact also for small angles (arccos is not).
        chord = np.linalg.norm(R - np.eye(3), axis=(1, 2)) / np.sqrt(8)
        return position, np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))


def score(dataset: Dataset, answers: Mapping[str, Mapping[str, Any]]) -> Scores:
    """Put the answers beside the truth, for the frames that show the robot.

    Raises:
        DatasetError: a frame has no answer at all (one that says 'no robot found' is an answer),
            or an answer has the wrong shape.
    """
    robot, frames = dataset.robot, [f for f in dataset.frames if f.robot_in_view]
    missing = [frame.name for frame in frames if frame.name not in answers]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(frames)} frames have no answer, the first is {missing[0]!r}. "
            "An image without an answer is a miss: say so with 'robot_found': false."
        )
    chosen = [answers[frame.name] for frame in frames]
    names, joints = robot.keypoint_names, (len(robot.joint_names),)
    found = np.array([bool(answer["robot_found"]) for answer in chosen], dtype=bool)

    def answered(field: str, shape: tuple[int, ...]) -> Array:
        return _stack([_value(a, field) for a in chosen], shape, f"answer's {field}")

    def truth(field: str, shape: tuple[int, ...]) -> Array:
        return _stack([getattr(frame, field) for frame in frames], shape, field)

    def points(sources: Sequence[Mapping[str, Any] | None], size: int) -> Array:
        rows = [
            None if by_name is None else [by_name.get(name) or [np.nan] * size for name in names]
            for by_name in sources
        ]
        return _stack(rows, (len(names), size), "keypoints")

    def true_points(field: str, size: int) -> Array:
        labelled = [(f.keypoint_names, getattr(f, field)) for f in frames]
        by_name = [
            None if values is None else dict(zip(keys, np.atleast_2d(values).tolist(), strict=True))
            for keys, values in labelled
        ]
        return points(by_name, size)

    visible = [
        None if f.keypoints_visible is None
        else dict(zip(f.keypoint_names, f.keypoints_visible[:, None].tolist(), strict=True))
        for f in frames
    ]  # fmt: skip
    confidence = [float(answer.get("confidence") or 0.0) for answer in chosen]
    return Scores(
        robot=robot,
        frames=tuple(frames),
        answers=tuple(chosen),
        found=found,
        confidence=np.array(confidence, dtype=float),
        true_joints=truth("joint_positions", joints),
        joints=answered("joint_positions", joints),
        joint_std=answered("joint_std", joints),
        true_2d=true_points("keypoints_2d", 2),
        points_2d=points([_value(a, "keypoints_2d") for a in chosen], 2),
        true_3d=true_points("keypoints_3d_cam", 3),
        points_3d=points([_value(a, "keypoints_3d_cam") for a in chosen], 3),
        visible=points(visible, 1)[..., 0],
        true_T=truth("T_cam_base", (4, 4)),
        T=answered("T_cam_base", (4, 4)),
    )


def _value(answer: Mapping[str, Any], field: str) -> Any:
    # What an answer says although it found no robot is not an answer.
    return answer.get(field) if answer["robot_found"] else None


def _stack(rows: Sequence[Any], shape: tuple[int, ...], what: str) -> Array:
    stacked = np.full((len(rows), *shape), np.nan)
    for i, row in enumerate(rows):
        if row is None:
            continue
        # JSON says null where a number is unknown.
        values = np.array(row, dtype=float)
        if values.shape != shape:
            raise DatasetError(f"{what} of frame {i} has shape {values.shape}, expected {shape}")
        stacked[i] = values
    return stacked
