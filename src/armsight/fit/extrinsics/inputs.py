"""Checks what `calibrate_camera` is given, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadImageError, BadShapeError
from armsight.robots import Robot

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

FULL_TURNS = 2.05
"""Joint angles beyond so many full turns cannot be radians"""


@dataclass(frozen=True)
class LoggedPath:
    """How the joints ran, by the log, at the frames' times."""

    times: Array
    """(M,) [s], or the numbers of the frames where no times are known; increasing"""
    positions: Array
    """(M, J) [rad], all finite"""
    frame_times: Array
    """(N,) of the frames, in the same unit"""
    in_seconds: bool

    def at(self, time_offset: float) -> tuple[Array, Array]:
        """Joint positions (N, J) [rad] and speeds (N, J) [rad per unit of time] of the frames."""
        t = self.frame_times - time_offset
        q = np.stack([np.interp(t, self.times, column) for column in self.positions.T], axis=-1)
        half = 0.5 * self.log_period
        later, earlier = (
            np.stack([np.interp(t + d, self.times, column) for column in self.positions.T], axis=-1)
            for d in (half, -half)
        )
        return q, (later - earlier) / (2 * half)

    @property
    def log_period(self) -> float:
        """between rows of the log, in the median"""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0

    @property
    def frame_period(self) -> float:
        """between frames of the recording: no more than that, where only some frames were given"""
        gaps = np.diff(self.frame_times)
        return min(self.log_period, float(gaps.min())) if len(gaps) else self.log_period

    def among(self, frames: NDArray[np.intp]) -> LoggedPath:
        """For some of the frames."""
        return replace(self, frame_times=self.frame_times[frames])

    def known(self) -> NDArray[np.bool_]:
        """(N,) whether the log reaches over the frame's time."""
        slack = 0.5 * self.log_period
        known: NDArray[np.bool_] = (self.frame_times >= self.times[0] - slack) & (
            self.frame_times <= self.times[-1] + slack
        )
        return known


def check_images(images: Sequence[Pixels]) -> tuple[int, int]:
    """Width and height of frames, all of one size.

    Raises:
        BadImageError: there is none, or one is no RGB image of 8 bits, or of another size.
    """
    if not len(images):
        raise BadImageError("no images were given; at least three frames of one camera are needed")
    first = np.asarray(images[0])
    check_image(first, 0, None)
    return first.shape[1], first.shape[0]


def check_image(image: Pixels, index: int, size: tuple[int, int] | None) -> None:
    """Raise BadImageError where a frame is not (H, W, 3) uint8 of that size (width, height)."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadImageError(
            f"frame {index} has shape {image.shape} and dtype {image.dtype}; it must be "
            "(H, W, 3) uint8 in RGB order"
        )
    if size is not None and image.shape[1::-1] != size:
        raise BadImageError(
            f"frame {index} is {image.shape[1]}x{image.shape[0]} pixels, but the first is "
            f"{size[0]}x{size[1]}: frames of one fixed camera have one size"
        )


def joint_path(
    robot: Robot,
    num_images: int,
    joint_positions: ArrayLike,
    image_times: ArrayLike | None,
    log_times: ArrayLike | None,
) -> tuple[LoggedPath | None, NDArray[np.bool_]]:
    """The joints' path, and for which of N frames it is known; None where it never is.

    Raises:
        BadShapeError: an array has the wrong shape, or times do not increase.
    """
    q = np.asarray(joint_positions, dtype=float)
    names = ", ".join(robot.joint_names)
    if q.ndim != 2 or q.shape[1] != len(robot.joint_names):
        raise BadShapeError(
            f"joint_positions has shape {q.shape}; it must be (number of rows, "
            f"{len(robot.joint_names)}), one column [rad] for each joint of {robot.name}: {names}"
        )
    if (image_times is None) != (log_times is None):
        raise BadShapeError("give both image_times and log_times [s], or neither")
    if image_times is None or log_times is None:
        if len(q) != num_images:
            raise BadShapeError(
                f"the log has {len(q)} rows for {num_images} frames; without image_times and "
                "log_times row i belongs to frame i, so there must be as many"
            )
        frame_times = times = np.arange(num_images, dtype=float)
    else:
        frame_times = _times("image_times", image_times, num_images)
        times = _times("log_times", log_times, len(q))
    finite = np.isfinite(q).all(-1)
    if not finite.any():
        return None, np.zeros(num_images, bool)
    path = LoggedPath(times[finite], q[finite], frame_times, image_times is not None)
    known = path.known()
    if image_times is None:
        known &= finite
    else:
        # A gap in the log is no straight line.
        nearest = np.abs(frame_times[:, None] - path.times[None]).min(1)
        steps = np.diff(times)
        known &= nearest <= (2.5 * float(np.median(steps)) if len(steps) else 0.05)
    return path, known


def in_degrees(robot: Robot, positions: Array) -> bool:
    """Whether joint positions (M, J) can only be degrees: more than full turns, yet within the
    joints' limits once they are taken for degrees."""
    if np.abs(positions).max() < FULL_TURNS * 2 * np.pi:
        return False
    low, high = robot.joint_limits.T
    slack = np.radians(15)
    as_radians = np.radians(positions)
    return bool(((as_radians > low - slack) & (as_radians < high + slack)).mean() > 0.95)


def _times(name: str, values: ArrayLike, count: int) -> Array:
    times = np.asarray(values, dtype=float)
    if times.shape != (count,):
        raise BadShapeError(f"{name} has shape {times.shape}; it must be ({count},) [s]")
    if not np.isfinite(times).all():
        raise BadShapeError(f"{name} holds NaN or infinity at row {_first(~np.isfinite(times))}")
    if (np.diff(times) <= 0).any():
        row = _first(np.diff(times) <= 0)
        raise BadShapeError(
            f"{name} must increase, but row {row + 1} ({times[row + 1]:g} s) does not come after "
            f"row {row} ({times[row]:g} s)"
        )
    return times


def _first(where: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(where)[0])
