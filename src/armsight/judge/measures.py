"""What is measured of a clip, each with its value in every frame, so that the worst can be shown.

Larger is worse, for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.actions.sequence import ActionSequence
from armsight.judge.arm import ArmInClip

Array = NDArray[np.floating]

RUN = 4
"""Frames in a row that a fault must last to count: one frame may be misread"""
CHANGED = 16.0
"""Grey levels from which on a pixel has changed: above a codec's noise and a flicker"""
AROUND_ARM, AROUND_HAND = 0.04, 0.14
"""Of the picture's width: how far from the arm, and from its hand, changes are its own"""
BELOW_HAND = 0.05
"""Of the picture's width: half the width of the strip below the hand through which things fall"""
FALLING = 3
"""Frames for which that strip is kept"""
PATCH = 0.09
"""Of the picture's width: half the side of the square at the fingers that is looked at"""


PART_OF = {
    "arm": "arm", "base": "arm", "links": "arm", "speed": "motion", "acceleration": "motion",
    "doubt": "motion", "hand": "gripper", "blur": "gripper", "grain": "gripper",
    "chatter": "gripper", "elsewhere": "scenery",
}  # fmt: skip
"""The part of the score that each measure belongs to"""


@dataclass(frozen=True)
class Measure:
    """One of them."""

    value: float
    """Of the clip; NaN where it could not be told"""
    by_frame: Array
    """(N,) of each frame that was looked at"""
    says: str
    """What it means, for people"""


def measure(arm: ArmInClip, sequence: ActionSequence | None) -> dict[str, Measure]:
    """All measures of a clip, by name.

    Args:
        arm: in the clip's frames.
        sequence: the clip's actions, where weights know the scene.
    """
    whole, links = arm.alignment()
    base = 1 - _mean(links[:, :3])
    far = 1 - _mean(links[:, 3:])
    hand = 1 - links[:, -1]
    speed, pull = _motion(arm)
    blur, grain = _gripper_looks(arm)
    elsewhere = _unexplained(arm)
    found = {
        "arm": Measure(_worst_run(1 - whole), 1 - whole,
                       "the arm's contour lies off the picture's edges"),
        "base": Measure(_worst_run(base), base,
                        "the base's contour lies off the picture's edges"),
        "links": Measure(_worst_run(far), far,
                         "the outer links' contours lie off the picture's edges"),
        "speed": Measure(_most(speed), speed, "joints are too fast"),
        "acceleration": Measure(_most(pull), pull, "joints change their speed too fast"),
        "hand": Measure(_worst_run(hand), hand,
                        "the hand's contour lies off the picture's edges"),
        "blur": Measure(_worst_run(blur), blur, "the gripper has lost its structure"),
        "grain": Measure(_worst_run(grain), grain, "the gripper changes its look"),
        "elsewhere": Measure(_most(elsewhere), elsewhere,
                             "something changes that the arm is far from"),
    }  # fmt: skip
    if sequence is not None:
        doubt, chatter = arm.doubt, _chatter(sequence)
        found["doubt"] = Measure(
            _worst_run(doubt), doubt, "the network's readings of these frames differ widely"
        )
        found["chatter"] = Measure(
            float(chatter.sum()), chatter, "the gripper opens and closes without end"
        )
    return found


def _mean(columns: Array) -> Array:
    """(N,) of what is known in each row; NaN where nothing is."""
    known = np.isfinite(columns)
    total = np.where(known, columns, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _worst_run(values: Array) -> float:
    """The largest median of RUN frames in a row."""
    known = values[np.isfinite(values)]
    if len(known) < RUN:
        return float("nan")
    runs = np.lib.stride_tricks.sliding_window_view(known, RUN)
    return float(np.median(runs, axis=1).max())


def _most(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _motion(arm: ArmInClip) -> tuple[Array, Array]:
    """(N,) the fastest joint's speed and change of speed, as shares of the robot's limits (or of
    1 rad/s and 2 rad/s^2 where its file has none)."""
    q, t = arm.joint_positions[:, :-1], arm.times  # the last joint only turns the tool about itself
    fastest = np.ones(q.shape[1] + 1) if arm.robot.max_velocity is None else arm.robot.max_velocity
    hardest = (
        np.full(q.shape[1] + 1, 2.0)
        if arm.robot.max_acceleration is None
        else arm.robot.max_acceleration
    )
    count = len(q)
    speed, pull = np.zeros(count), np.zeros(count)
    if count < 3:
        return speed, pull
    steps = np.diff(t)[:, None]
    v = np.diff(q, axis=0) / steps
    speed[1:] = (np.abs(v) / fastest[:-1]).max(axis=1)
    between = (steps[1:] + steps[:-1]) / 2
    pull[1:-1] = (np.abs(np.diff(v, axis=0)) / between / hardest[:-1]).max(axis=1)
    return speed, pull


def _gripper_looks(arm: ArmInClip) -> tuple[Array, Array]:
    """(N,) how far the contrast of fine structure at the gripper is below its usual value in this
    clip, and how far it is off the frame before; logarithms."""
    width, height = arm.size
    half = round(PATCH * width)
    contrast = np.full(len(arm.images), np.nan)
    for n, image in enumerate(arm.images):
        x, y = _kept(arm.hand(n), width, height)
        patch = image[max(0, y - half) : max(0, y + half), max(0, x - half) : max(0, x + half)]
        if min(patch.shape[:2]) < half:
            continue
        grey = patch.astype(np.float32).mean(axis=-1)
        contrast[n] = np.log((grey - cv2.GaussianBlur(grey, (0, 0), 4)).std() + 1.0)
    usual = np.nanmedian(contrast) if np.isfinite(contrast).any() else np.nan
    return usual - contrast, np.abs(np.diff(contrast, prepend=contrast[:1]))


def _unexplained(arm: ArmInClip) -> Array:
    """(N,) percent of the picture that changed since the frame before, far from the arm."""
    width, height = arm.size
    grown = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(AROUND_ARM * width) + 1,) * 2)
    own = []
    for n in range(len(arm.images)):
        mask = np.asarray(cv2.dilate(arm.mask(n), grown))
        hand, floor = (_kept(p, width, height) for p in (arm.hand(n), arm.below_hand(n)))
        cv2.circle(mask, hand, round(AROUND_HAND * width), 255, -1)
        cv2.line(mask, hand, floor, 255, round(2 * BELOW_HAND * width))  # what it lets go of falls
        own.append(mask > 0)
    smooth = [cv2.GaussianBlur(one.astype(np.float32), (0, 0), 3) for one in arm.images]
    share = np.zeros(len(smooth))
    for n in range(1, len(smooth)):
        change = smooth[n] - smooth[n - 1]
        # Lighter or darker as a whole is a flicker, and no motion.
        change = np.abs(change - np.median(change, axis=(0, 1))).max(axis=-1)
        parts = cv2.connectedComponents((change > CHANGED).astype(np.uint8))[1]
        # What touches the arm's surroundings is its own doing, however far it reaches.
        touched = np.unique(parts[np.any(own[max(0, n - FALLING) : n + 1], axis=0)])
        share[n] = 100 * (~np.isin(parts, [0, *touched])).sum() / (width * height)
    return share


def _kept(point: Array, width: int, height: int) -> tuple[int, int]:
    """[px] whole, not farther from the picture than its own size."""
    x, y = np.nan_to_num(point, nan=-1.0)
    return round(float(np.clip(x, -width, 2 * width))), round(
        float(np.clip(y, -height, 2 * height))
    )


def _chatter(sequence: ActionSequence) -> Array:
    """(K,) changes of the gripper's command since the keyframe before."""
    columns = [i for i, one in enumerate(sequence.spec.actions) if one.gripper and one.binary]
    if not columns:
        return np.zeros(len(sequence.keyframe_steps))
    turns = np.abs(np.diff(np.sign(sequence.actions[:, columns[0]]), prepend=0)) > 0
    turns[0] = False
    total = np.cumsum(turns)[sequence.keyframe_steps]
    return np.diff(total, prepend=0).astype(float)
