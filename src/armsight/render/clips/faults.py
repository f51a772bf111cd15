"""What goes wrong with recordings: logs that lag, joints whose zero is off, cameras that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError

Array = NDArray[np.float64]
FAULTS = 11
"""Keeps the random numbers of faults apart from those of pictures"""
KINDS = ("none", "lag", "zero", "camera-shift", "camera-turn")
LONGEST_LAG = 10


@dataclass(frozen=True)
class Faults:
    """Of one clip; none by default."""

    lag_frames: float = 0.0
    """the log runs so many frames ahead of the pictures; negative: behind"""
    zero_joint: int | None = None
    """index of a joint whose logged angle is off"""
    zero_offset_deg: float = 2.0
    camera_moved_at: int | None = None
    """frame from which on the camera stands elsewhere"""
    camera_shift_m: float = 0.02
    camera_turn_deg: float = 0.0
    moving_shadows: bool = False
    auto_exposure: bool = False
    person: bool = False
    """someone walks through the picture"""


def wrong_log(q: Array, faults: Faults) -> Array:
    """Joint positions (N, J) [rad] as a log with that zero offset has them."""
    log = q.copy()
    if faults.zero_joint is not None:
        log[:, faults.zero_joint] += np.deg2rad(faults.zero_offset_deg)
    return log


def moved_camera(rng: np.random.Generator, T_cam_base: Array, faults: Faults) -> Array:
    """`T_cam_base` (4, 4) after the camera was pushed aside and turned."""
    T = np.eye(4)
    for size, part in ((faults.camera_turn_deg, "turn"), (faults.camera_shift_m, "shift")):
        axis = rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        if part == "turn":
            T[:3, :3] = _turn(np.deg2rad(size) * axis)
        else:
            T[:3, 3] = size * axis
    return np.asarray(T @ T_cam_base)


def _turn(vector: Array) -> Array:
    """The rotation (3, 3) about a vector (3,) by its length [rad]."""
    import cv2

    return np.asarray(cv2.Rodrigues(vector)[0], dtype=float)


def sample_faults(
    kind: str, seed: int, frames: int, num_joints: int, *, disturbed: bool = False
) -> Faults:
    """Random faults of a kind out of KINDS, the same for the same seed.

    Args:
        frames: of the clip; the camera moves in its middle half.
        num_joints: of the arm; the first and last one's zeros stay right, for hardly any picture
            shows the first one's and often the last one's.
        disturbed: also shadows that move, changing exposure and people, each in a third of clips.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")
    rng = np.random.default_rng(np.random.SeedSequence((FAULTS, seed)))
    sign = float(rng.choice([-1.0, 1.0]))
    lag, joint = sign * rng.integers(1, LONGEST_LAG + 1), int(rng.integers(1, num_joints - 1))
    moved = int(rng.integers(frames // 4, 3 * frames // 4 + 1))
    shadows, exposure, person = (rng.random(3) < 1 / 3) & disturbed
    return Faults(
        lag_frames=float(lag) if kind == "lag" else 0.0,
        zero_joint=joint if kind == "zero" else None,
        zero_offset_deg=2.0 * sign,
        camera_moved_at=moved if kind.startswith("camera") else None,
        camera_shift_m=0.02 if kind == "camera-shift" else 0.0,
        camera_turn_deg=1.0 if kind == "camera-turn" else 0.0,
        moving_shadows=bool(shadows),
        auto_exposure=bool(exposure),
        person=bool(person),
    )
