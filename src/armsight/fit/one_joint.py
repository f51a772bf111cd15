"""An answer or a claim with one of its joint angles off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.fit.gauss_newton import States
from armsight.robots import Robot
from armsight.robots.kinematics import link_frames

OFFSETS = np.radians(np.arange(-45.0, 45.1, 3.0))
"""[rad] Offsets from its claimed angle at which a joint is started; the fit moves it on from
there"""


def one_joint_free(joints: int) -> NDArray[np.bool_]:
    """(1 + J, J + 7) what may move: the camera always; no joint, then each in turn."""
    free = np.ones((1 + joints, joints + 7), dtype=bool)
    free[:, :joints] = np.eye(1 + joints, joints, -1, dtype=bool)
    return free


def one_joint_off(robot: Robot, held: States, joints: Sequence[int] | None = None) -> States:
    """A state (B = 1) with each joint in turn off by each of OFFSETS.

    Args:
        joints: which ones, J of them; all by default.

    Returns:
        B = J * OFFSETS states, the offsets of the first joint first.
    """
    every = np.eye(len(robot.joint_names))
    off = (every if joints is None else every[list(joints)])[:, None] * OFFSETS[:, None]
    q = robot.clip(held.q + off.reshape(-1, len(every)))
    return States(
        q,
        held.R.repeat(len(q), 0),
        held.t.repeat(len(q), 0),
        held.log_focal.repeat(len(q), 0),
    )


def keeping_the_far_part(
    robot: Robot, held: States, tries: States, joints: Sequence[int] | None = None
) -> States:
    """The states of `one_joint_off` seen by cameras that see what lies beyond that joint as before.

    A camera that was fitted to an arm with one wrong joint often sees the hand where it is, and
    the base where it is not: joint and camera have to turn together then.
    """
    moved = np.asarray(robot.joint_links)[slice(None) if joints is None else list(joints)]
    links = np.repeat(moved, len(OFFSETS))
    rows = np.arange(len(links))
    turned, place = (part[0, links] for part in link_frames(robot.chain, held.q, np))
    turned_now, place_now = (part[rows, links] for part in link_frames(robot.chain, tries.q, np))
    R = tries.R @ turned @ turned_now.swapaxes(-1, -2)
    t = tries.t + (tries.R @ place[..., None] - R @ place_now[..., None])[..., 0]
    return States(tries.q, R, t, tries.log_focal)
