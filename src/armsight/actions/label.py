"""Episodes of a data set out of videos: pictures from the video, actions from the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec
from armsight.actions.keyframes import load_keyframes, picture_files
from armsight.actions.model import ActionModel
from armsight.actions.sequence import ActionSequence
from armsight.actions.timing import keyframe_timing
from armsight.camera.image import load_image
from armsight.data.video import SUFFIXES, VideoReader
from armsight.geometry import rotvec_from_rotation

Array = NDArray[Any]
Pixels = NDArray[np.uint8]

MARK = "pseudo_labels"
"""Under this name `info.json` says whose labels these are"""
STATE = "observation.state"
STD = "action_std"


@dataclass(frozen=True)
class Labelled:
    """One video as an episode of N control steps."""

    sequence: ActionSequence
    rows: Mapping[str, Array]
    """(N, ...) of each column but the automatic ones"""
    frames: list[Pixels]
    """N pictures (H, W, 3): where the video has none of a step, the one before is shown again"""


def features(spec: ActionSpec, height: int, width: int) -> dict[str, dict[str, Any]]:
    """Columns of a data set of such episodes; pictures are (height, width, 3)."""
    camera = camera_key(spec)
    names = list(spec.action_names)
    made: dict[str, dict[str, Any]] = {
        "action": {"dtype": "float32", "shape": (len(names),), "names": names},
        STD: {"dtype": "float32", "shape": (len(names),), "names": names},
        f"{camera}.is_new": {"dtype": "bool", "shape": (1,), "names": None},
        camera: {"dtype": "video", "shape": (height, width, 3), "names": None},
    }
    if spec.parts:
        states = state_names(spec)
        made[STATE] = {"dtype": "float32", "shape": (len(states),), "names": states}
    return made


def camera_key(spec: ActionSpec) -> str:
    """The video's name in the data set: the weights' first camera."""
    return spec.cameras[0] if spec.cameras else "observation.images.front"


def state_names(spec: ActionSpec) -> list[str]:
    """Of the numbers of a state; a rotation is written as a rotation vector [rad]."""
    names, start = [], 0
    for part in spec.parts:
        if part.rotation:
            names += [f"{part.name}_{axis}" for axis in ("rx", "ry", "rz")]
        else:
            names += [one.name for one in spec.states[start : start + part.size]]
        start += part.size
    return names


def label_video(
    model: ActionModel, source: str | Path, stride: int | None = None, every: int = 1,
    **options: Any,
) -> Labelled:  # fmt: skip
    """The actions of a video, beside its pictures, a row for each control step.

    Args:
        model: whose actions.
        source: a video, or a folder of pictures.
        stride: control steps from keyframe to keyframe; by default the weights' own.
        every: take each `every`-th frame as a keyframe. Where that is the stride, frames between
            keyframes are the pictures of the steps between.
        options: further ones of `ActionModel.predict_action_chunk`.

    Raises:
        KeyframesError, BadImageError, BadVideoError, ConfigError: as `predict_action_chunk`.
    """
    usual = stride or model.default_stride
    keyframes = load_keyframes(source, model.session.input_size, every)
    timing = None
    if keyframes.moments is not None:
        timing = keyframe_timing(keyframes.moments, usual, model.max_stride)
    kept = np.arange(len(keyframes)) if timing is None else np.flatnonzero(timing.kept)
    seen = replace(keyframes, images=keyframes.images[kept], moments=None)
    given: dict[str, Any] = {"stride": usual} if timing is None else {"steps": timing.steps}
    sequence = model.predict_action_chunk(seen, **given, **options)
    if timing is not None:
        sequence = replace(sequence, messages=(*timing.notes, *sequence.messages))
    shown, new = _shown(sequence, kept * every)
    pictures = pictures_of(source)
    spec = sequence.spec
    rows: dict[str, Array] = {
        "action": sequence.actions,
        STD: sequence.std,
        f"{camera_key(spec)}.is_new": new,
    }
    if spec.parts:
        rows[STATE] = _states(sequence)
    return Labelled(sequence, rows, [pictures[i] for i in shown])


def fitting(frames: list[Pixels], height: int, width: int) -> list[Pixels]:
    """Pictures in the data set's size."""
    return [
        frame
        if frame.shape[:2] == (height, width)
        else np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for frame in frames
    ]


def _shown(
    sequence: ActionSequence, frames: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each step the frame of the video to show, and whether that was taken at this step."""
    steps = sequence.keyframe_steps
    last = np.searchsorted(steps, np.arange(len(sequence)), side="right") - 1
    shown, new = frames[last], np.zeros(len(sequence), bool)
    new[steps] = True
    for i in np.flatnonzero(np.diff(frames) == np.diff(steps)):
        between = np.arange(steps[i], steps[i + 1])
        shown[between] = frames[i] + between - steps[i]
        new[between] = True
    return shown, new


def _states(sequence: ActionSequence) -> Array:
    columns = []
    for part in sequence.spec.parts:
        values = sequence.states[part.name]
        values = rotvec_from_rotation(values) if part.rotation else values
        columns.append(values.reshape(len(sequence), -1))
    return np.concatenate(columns, axis=1)


def pictures_of(source: str | Path) -> list[Pixels]:
    """All frames of a video or folder (H, W, 3) RGB, in their own size."""
    if Path(source).suffix.lower() in SUFFIXES:
        with VideoReader(source) as reader:
            return [frame.pixels for frame in reader]
    return [load_image(path).pixels for path in picture_files(Path(source))]
