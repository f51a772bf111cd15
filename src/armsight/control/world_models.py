"""World models: what shows, from a first image and an instruction, how a task would be done.

They return sparse keyframes as pictures and nothing else, so that no state of a simulator can
slip into the actions that are read from them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import SUFFIXES as IMAGE_SUFFIXES
from armsight.camera.image import load_image
from armsight.data.video import SUFFIXES as VIDEO_SUFFIXES
from armsight.data.video import VideoReader
from armsight.errors import BadImageError, BadVideoError, ConfigError, MissingExtraError

Frames = NDArray[np.uint8]

INSTALL = "pip install torch==2.13.0 'armsight[world]'"


class WorldModel(Protocol):
    """A first image and an instruction give keyframes."""

    @property
    def stride(self) -> int:
        """Control steps (1/20 s) from one keyframe to the next."""

    def keyframes(self, first_image: Frames, instruction: str) -> Frames:
        """Keyframes (N, H, W, 3) uint8 RGB, the first one near `first_image` (H, W, 3)."""


@dataclass(frozen=True)
class VideoFile:
    """Keyframes from a video or a folder of pictures: somebody else's world model.

    What it is asked for is ignored; it shows what it shows.
    """

    path: Path
    stride: int = 3

    def keyframes(self, first_image: Frames | None = None, instruction: str = "") -> Frames:
        """All frames, upright, in the video's size.

        Raises:
            BadVideoError: the video is broken, or shorter than two frames.
            BadImageError: the folder holds no pictures, or pictures of several sizes.
        """
        return read_keyframes(self.path)


@dataclass(frozen=True)
class Oracle:
    """A perfect world model: pictures of a demonstration, seen elsewhere. It holds nothing else."""

    pictures: Mapping[int, Frames]
    """(H, W, 3) by the number of actions done before"""
    num_actions: int
    stride: int

    def keyframes(self, first_image: Frames | None = None, instruction: str = "") -> Frames:
        """Pictures at steps 0, s, 2s, ..., the last one not before the last action.

        Raises:
            BadVideoError: some of them were not rendered.
        """
        steps = keyframe_steps(self.num_actions, self.stride)
        missing = [step for step in steps if step not in self.pictures]
        if missing:
            raise BadVideoError(
                f"the demonstration was not rendered at steps {missing[:5]}, which stride "
                f"{self.stride} needs"
            )
        return np.stack([self.pictures[step] for step in steps])


def keyframe_steps(num_actions: int, stride: int) -> range:
    """Steps of keyframes: from 0 to the first multiple of the stride behind all actions."""
    return range(0, -(-num_actions // stride) * stride + 1, stride)


class DiffusersWorldModel:
    """An image-to-video pipeline of Hugging Face diffusers.

    Pipelines that take a prompt get the instruction; others go by the image alone. Frames come
    back in the size of the first image.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        stride: int = 3,
        num_frames: int | None = None,
        size: tuple[int, int] | None = None,
        num_inference_steps: int | None = None,
        seed: int = 0,
    ) -> None:
        """Use a pipeline that was loaded before.

        Args:
            stride: control steps from one of its frames to the next.
            num_frames: how many frames to ask for; by default what the pipeline makes.
            size: height and width [px] to work at; by default the pipeline's own.
            num_inference_steps: denoising steps; by default the pipeline's own.
            seed: the same seed makes the same frames.

        Raises:
            ConfigError: the pipeline takes no image, or makes no video.
        """
        accepted = inspect.signature(pipeline.__call__).parameters
        if "image" not in accepted or "num_frames" not in accepted:
            raise ConfigError(
                f"{type(pipeline).__name__} is no image-to-video pipeline: it takes "
                f"{', '.join(accepted)}; expected 'image' and 'num_frames' among them"
            )
        self.pipeline, self.stride, self.seed = pipeline, stride, seed
        self._accepted = accepted
        height, width = size or (None, None)
        options = {
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "num_inference_steps": num_inference_steps,
        }
        self._options = {name: value for name, value in options.items() if value is not None}

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Any) -> DiffusersWorldModel:
        """Load a pipeline from a folder or the Hugging Face Hub; options as for the class.

        Raises:
            MissingExtraError: diffusers, transformers or torch is not installed.
            ConfigError: there is no such pipeline, or it makes no video from an image.
        """
        try:
            import diffusers
            import torch
            import transformers  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("A diffusers world model", str(error.name), INSTALL) from error
        try:
            loader: Any = diffusers.DiffusionPipeline
            pipeline = loader.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot load the diffusers pipeline {name}: {error}") from error
        pipeline.set_progress_bar_config(disable=True)
        if torch.cuda.is_available():
            pipeline = pipeline.to("cuda", torch.float16)
        return cls(pipeline, **options)

    def keyframes(self, first_image: Frames, instruction: str) -> Frames:
        """Frames (N, H, W, 3) that the pipeline makes from the image and the instruction.

        Raises:
            BadVideoError: it made fewer than two.
        """
        import torch
        from PIL import Image

        options: dict[str, Any] = dict(self._options)
        if "prompt" in self._accepted:
            options["prompt"] = instruction
        if "generator" in self._accepted:
            options["generator"] = torch.Generator("cpu").manual_seed(self.seed)
        made = self.pipeline(image=Image.fromarray(first_image), output_type="np", **options)
        video = np.asarray(made.frames[0])
        if len(video) < 2:
            raise BadVideoError(f"the world model made {len(video)} frame; two make a step")
        height, width = first_image.shape[:2]
        pixels = np.round(255 * np.clip(np.nan_to_num(video), 0, 1)).astype(np.uint8)
        return np.stack([
            cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in pixels
        ]).astype(np.uint8)  # fmt: skip


def read_keyframes(path: Path) -> Frames:
    """All frames (N, H, W, 3) of a video, or of a folder of pictures in the order of their names.

    Raises:
        BadVideoError: the video is broken, or fewer than two frames were found.
        BadImageError: the folder holds no pictures, or pictures of several sizes.
    """
    if path.is_dir():
        files = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
        files.sort(key=_by_number)
        if not files:
            raise BadImageError(f"{path} holds no pictures; expected {', '.join(IMAGE_SUFFIXES)}")
        frames = [load_image(file).pixels for file in files]
        for file, frame in zip(files, frames, strict=True):
            if frame.shape != frames[0].shape:
                raise BadImageError(
                    f"{file} is {_size(frame)}, {files[0].name} is {_size(frames[0])}: keyframes "
                    "must have one size. Resize them, or sort the folder."
                )
    else:
        with VideoReader(path) as video:
            frames = [frame.pixels for frame in video]
    if len(frames) < 2:
        raise BadVideoError(f"{path} holds one frame only; a step needs two keyframes at least")
    return np.stack(frames)


def is_pipeline(folder: Path) -> bool:
    """Whether a folder holds a diffusers pipeline."""
    return (folder / "model_index.json").is_file()


def find_keyframes(folder: Path, task_names: Sequence[str], initial_state: int) -> Path:
    """Where a folder of keyframes has those of a task and initial state.

    Looked for: `<task>/<state>/` with pictures, and `<task>/<state>.mp4` (or another video
    format), under each of the task's names.

    Raises:
        BadVideoError: there are none.
    """
    for name in task_names:
        place = folder / name / str(initial_state)
        if place.is_dir():
            return place
        for suffix in VIDEO_SUFFIXES:
            if place.with_suffix(suffix).is_file():
                return place.with_suffix(suffix)
    raise BadVideoError(
        f"{folder} has no keyframes of {task_names[0]}, initial state {initial_state}; expected "
        f"{task_names[0]}/{initial_state}.mp4 or a folder {task_names[0]}/{initial_state} of "
        "pictures"
    )


def _by_number(path: Path) -> list[str | int]:
    """frame_2 before frame_10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _size(frame: Frames) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
