"""Small recordings of a made-up robot: a bright square whose place tells the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import LeRobotWriter

SIZE = 64
NAMES = ["pan", "lift", "gripper"]


def picture(state: NDArray[Any]) -> NDArray[np.uint8]:
    frame = np.full((SIZE, SIZE, 3), 60, np.uint8)
    x, y = (np.clip(state[:2], 0, 50)).astype(int)
    frame[y : y + 12, x : x + 12] = (220, 40, 40) if state[2] > 0.5 else (40, 200, 40)
    return frame


def make_recordings(
    folder: Path,
    lengths: tuple[int, ...] = (30, 34, 28, 31),
    *,
    relative: bool = False,
    cameras: tuple[str, ...] = ("front",),
    names: Any = "list",
    fps: float = 10,
    seed: int = 0,
) -> Path:
    """Absolute actions are where the state will be at the next row; relative ones its change."""
    named = {"list": NAMES, "dict": {"motors": NAMES}, None: None}[names]
    vector = {"dtype": "float32", "shape": (3,), "names": named}
    features = {"action": vector, "observation.state": vector}
    for camera in cameras:
        features[f"observation.images.{camera}"] = {
            "dtype": "video", "shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"],
        }  # fmt: skip
    rng = np.random.default_rng(seed)
    with LeRobotWriter(folder, fps=fps, robot_type="square", features=features) as writer:
        for length in lengths:
            path = np.cumsum(rng.uniform(-4, 4, (length + 1, 2)), 0) + 25
            closed = (np.arange(length + 1) > length // 2).astype(float)
            state = np.column_stack([path, closed])
            moved = np.column_stack([np.diff(path, axis=0), closed[1:]])
            action = moved if relative else state[1:]
            rows = {"action": action.astype(np.float32),
                    "observation.state": state[:-1].astype(np.float32)}  # fmt: skip
            frames = [picture(one) for one in state[:-1]]
            videos = {f"observation.images.{camera}": frames for camera in cameras}
            writer.add_episode(rows, videos, "move the square")
    return folder
