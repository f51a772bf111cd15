"""The kinds of sets that are rendered by name."""

from __future__ import annotations

from dataclasses import replace

from armsight.errors import ConfigError
from armsight.render.frame import FrameSettings
from armsight.render.imaging.camera import CameraRanges
from armsight.render.imaging.conditions import Conditions
from armsight.render.poses import EVAL_MIX, TRAIN_MIX
from armsight.render.scene.other_arms import TEST_ARMS, TRAIN_ARMS, UNKNOWN_ARMS

HELD_OUT_DISTANCE = (0.8, 2.0)
CROWDED = Conditions(people=0.15, cables=0.3, overexposed=0.12, bent_lens=0.3)

PRESETS: dict[str, FrameSettings] = {
    "train": FrameSettings(split="train", no_robot=0.08, other_arm=0.04, arms=TRAIN_ARMS),
    # The bars' set: whole frames, 0.8 to 2 m away, at least 5 of the link origins in the frame.
    "held-out": FrameSettings(
        split="eval",
        crop=False,
        pose_mix=EVAL_MIX,
        cameras=CameraRanges(distance=(0.6, 2.2)),
        arm_distance=HELD_OUT_DISTANCE,
        min_origins_in_frame=5,
        no_robot=0.0,
    ),
    # What the cameras of robots that learn see: half of an arm, close by, any end effector.
    "robot-camera": FrameSettings(
        split="eval",
        crop=False,
        pose_mix=EVAL_MIX,
        no_robot=0.0,
        close_up=1.0,
        other_hand=0.4,
        conditions=CROWDED,
    ),
    "train-robot-camera": FrameSettings(
        split="train",
        no_robot=0.07,
        other_arm=0.05,
        arms=TRAIN_ARMS,
        close_up=0.5,
        other_hand=0.25,
        conditions=CROWDED,
    ),
    "no-robot": FrameSettings(split="eval", crop=False, no_robot=1.0),
    "other-arm": FrameSettings(
        split="eval",
        crop=False,
        cameras=CameraRanges(distance=(0.6, 2.2)),
        arm_distance=HELD_OUT_DISTANCE,
        min_origins_in_frame=4,
        no_robot=0.0,
        other_arm=1.0,
        arms=TEST_ARMS,
    ),
    "unknown-arm": FrameSettings(
        split="eval",
        crop=False,
        cameras=CameraRanges(distance=(0.6, 2.2)),
        arm_distance=HELD_OUT_DISTANCE,
        min_origins_in_frame=4,
        no_robot=0.0,
        other_arm=1.0,
        arms=UNKNOWN_ARMS,
    ),
}
COUNTS = {
    "train": 60_000, "train-robot-camera": 60_000, "held-out": 2_000, "robot-camera": 2_000,
    "no-robot": 1_000, "other-arm": 1_000, "unknown-arm": 1_000,
}  # fmt: skip
FORMATS = {name: "shards" if name.startswith("train") else "ndds" for name in COUNTS}


def preset(name: str) -> FrameSettings:
    """The settings of that name.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


def with_poses(settings: FrameSettings, poses: str) -> FrameSettings:
    """The settings with other poses.

    Args:
        poses: `train` (mostly working poses, robot in every picture), `eval` (80 % around the
            ready pose, 20 % uniform), `no-robot` (no robot at all), `mixed` (as `train`, with
            the shares of pictures without the robot that training uses).
    """
    if poses == "eval":
        return replace(settings, pose_mix=EVAL_MIX, no_robot=0.0, other_arm=0.0)
    if poses == "train":
        return replace(settings, pose_mix=TRAIN_MIX, no_robot=0.0, other_arm=0.0)
    if poses == "no-robot":
        return replace(settings, no_robot=1.0, other_arm=0.0)
    if poses == "mixed":
        train = PRESETS["train"]
        arms = settings.arms or (TRAIN_ARMS if settings.split == "train" else TEST_ARMS)
        return replace(
            settings, pose_mix=TRAIN_MIX, no_robot=train.no_robot, other_arm=train.other_arm,
            arms=arms,
        )  # fmt: skip
    raise ConfigError(f"unknown poses {poses!r}; known: train, eval, no-robot, mixed")
