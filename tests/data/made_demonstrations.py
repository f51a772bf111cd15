"""Small demonstrations: numbers and pictures of which every value is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot import LeRobotWriter

CAMERA = "observation.images.agentview"
SIZE = 64
FPS = 20
FEATURES: dict[str, dict[str, Any]] = {
    "action": {
        "dtype": "float32",
        "shape": (7,),
        "names": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
    },
    "observation.T_base_ee": {"dtype": "float32", "shape": (4, 4), "names": None},
    f"{CAMERA}.is_rendered": {"dtype": "bool", "shape": (1,), "names": None},
    CAMERA: {
        "dtype": "video",
        "shape": (SIZE, SIZE, 3),
        "names": ["height", "width", "channels"],
    },
}


def make_episode(length: int, seed: int) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Columns and pictures (length, SIZE, SIZE, 3): smooth, with a square at a place that tells
    the frame; a new picture at each third row only."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    backdrop = np.stack([u * 3, v * 3, np.full_like(u, 40 + 5 * seed)], axis=-1).astype(np.uint8)
    frames = []
    for t in range(length):
        if t % 3 == 0:
            frame = backdrop.copy()
            x, y = 4 * (t // 3 % 14), 8 * (t // 42)
            frame[y : y + 6, x : x + 6] = 255
        frames.append(frame)
    rows = {
        "action": rng.uniform(-1, 1, (length, 7)),
        "observation.T_base_ee": rng.normal(size=(length, 4, 4)),
        f"{CAMERA}.is_rendered": np.arange(length) % 3 == 0,
    }
    return rows, np.stack(frames)


def write_demonstrations(folder: Path, lengths: list[int], seed: int = 0, **more: Any) -> Path:
    """A data set with an episode of each length; tasks alternate."""
    with writer(folder, **more) as target:
        for i, length in enumerate(lengths):
            add(target, length, seed + i)
    return folder


def writer(folder: Path, **more: Any) -> LeRobotWriter:
    return LeRobotWriter(folder, fps=FPS, robot_type="panda", features=FEATURES, **more)


def add(target: LeRobotWriter, length: int, seed: int) -> None:
    rows, frames = make_episode(length, seed)
    episode = {"initial_state": seed, "split": "train", "success": True}
    target.add_episode(rows, {CAMERA: frames}, f"task {seed % 2}", episode)
