"""LeRobot's own reader, for tests; a stand-in for what it takes of torchvision where that is not
installed. Only for tests that have made sure that `lerobot` is there."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av


class VideoReader:
    """torchvision.io.VideoReader as LeRobot uses it: seek to a key frame, then iterate."""

    def __init__(self, path: str, stream: str) -> None:
        self.container = av.open(path)

    def seek(self, time: float, keyframes_only: bool) -> None:
        self.container.seek(int(time * 1e6), any_frame=not keyframes_only)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import torch

        for frame in self.container.decode(video=0):
            pixels = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)
            yield {"data": pixels, "pts": float(frame.pts * frame.time_base)}


def stand_in_for_torchvision() -> None:
    """Make what LeRobot imports of torchvision, where there is none for this torch."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        names = ("", ".io", ".transforms", ".transforms.v2", ".transforms.v2.functional")
        made: dict[str, Any] = {n: types.ModuleType(f"torchvision{n}") for n in names}
        made[""].io, made[""].transforms = made[".io"], made[".transforms"]
        made[""].set_video_backend = lambda name: None
        made[".io"].VideoReader = VideoReader
        made[".transforms"].v2 = made[".transforms.v2"]
        made[".transforms.v2"].Transform = made[".transforms.v2"].Compose = object
        made[".transforms.v2"].functional = made[".transforms.v2.functional"]
        for name, one in made.items():
            sys.modules[f"torchvision{name}"] = one


def open_with_lerobot(folder: Path, **options: Any) -> Any:
    """A `LeRobotDataset`."""
    stand_in_for_torchvision()
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    return LeRobotDataset("local/demos", root=folder, video_backend="pyav", **options)
