"""From a video to its score: which way to read it, and everything that is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.actions.keyframes import load_keyframes
from armsight.actions.label import pictures_of
from armsight.actions.model import ActionModel
from armsight.actions.sequence import ActionSequence
from armsight.actions.timing import keyframe_timing
from armsight.errors import KeyframesError
from armsight.estimate.estimator import Estimator
from armsight.judge.arm import ArmInClip, arm_in_clip, arm_in_scene
from armsight.judge.measures import measure
from armsight.judge.scenes import known_scene
from armsight.judge.score import Score, score_clip
from armsight.robots import load_robot

Pixels = NDArray[np.uint8]
FEWEST_FRAMES = 8
"""Below which a clip is not judged"""


@dataclass(frozen=True)
class Judged:
    """A clip with its score."""

    source: str
    score: Score
    frames: list[Pixels]
    """The clip's keyframes, in their own size"""
    sequence: ActionSequence | None
    messages: tuple[str, ...] = ()


def judge_in_scene(
    model: ActionModel, source: str | Path, stride: int | None = None, every: int = 1,
    solves: Callable[[ActionSequence, Pixels], bool] | None = None,
) -> Judged:  # fmt: skip
    """Judge a video of a scene whose camera is known.

    Args:
        model: weights of that scene.
        source: a video or a folder of pictures.
        stride: control steps from keyframe to keyframe; by default the weights' own.
        every: take each `every`-th frame as a keyframe.
        solves: plays actions from where the first frame (H, W, 3) shows the scene; whether they
            solve its task.

    Raises:
        KeyframesError: there are too few frames, or the robot is not in view.
        BadImageError, BadVideoError, ConfigError: as `ActionModel.predict_action_chunk`.
    """
    scene = known_scene(model.task)
    if scene is None:
        raise KeyframesError(f"the camera of {model.task} is not known; judge by --robot instead")
    keyframes = load_keyframes(source, model.session.input_size, every)
    usual = stride or model.default_stride
    notes: tuple[str, ...] = ()
    steps, kept = np.arange(len(keyframes)) * usual, np.arange(len(keyframes))
    if keyframes.moments is not None:
        timing = keyframe_timing(keyframes.moments, usual, model.max_stride)
        if timing is not None:
            keyframes = replace(keyframes, images=keyframes.images[timing.kept])
            steps, notes, kept = timing.steps, timing.notes, np.flatnonzero(timing.kept)
    _enough(len(keyframes), source)
    if keyframes.width != keyframes.height:
        raise KeyframesError(
            f"{source} is {keyframes.width}x{keyframes.height}; pictures of {model.task} are square"
        )
    plain = replace(keyframes, moments=None)
    sequence = model.predict_action_chunk(plain, steps=steps.tolist(), route="direct")
    pictures = pictures_of(source)[::every]
    frames = [pictures[i] for i in kept]
    arm = arm_in_scene(sequence, frames, load_robot(model.robot), scene)
    solved = None
    if solves is not None:
        if model.default_route != "direct":
            sequence = model.predict_action_chunk(plain, steps=steps.tolist())
        solved = solves(sequence, keyframes.images[0])
    score = score_clip(arm, measure(arm, sequence), solved)
    return Judged(str(source), score, frames, sequence, (*notes, *sequence.messages))


def judge_by_poses(
    estimator: Estimator, source: str | Path, every: int = 1, fov_deg: float | None = None
) -> Judged:
    """Judge a video of any scene in which an arm stands before a fixed camera.

    Args:
        estimator: of the robot.
        source: a video.
        every: take each `every`-th frame.
        fov_deg: horizontal field of view of the camera, where it is known.

    Raises:
        KeyframesError: there are too few frames, or the arm is plain in too few of them.
        BadVideoError: the video cannot be read.
    """
    from armsight.data.video import VideoReader

    with VideoReader(source) as reader:
        taken = [(one.pixels, one.time) for one in reader if one.index % every == 0]
    _enough(len(taken), source)
    frames = [pixels for pixels, _ in taken]
    arm: ArmInClip = arm_in_clip(estimator, frames, [time for _, time in taken], fov_deg)
    return Judged(str(source), score_clip(arm, measure(arm, None), None), frames, None)


def _enough(count: int, source: str | Path) -> None:
    if count < FEWEST_FRAMES:
        raise KeyframesError(
            f"{source} has {count} frames; {FEWEST_FRAMES} or more are needed to judge a clip"
        )
