"""Rendered pictures in the memory of the training device, joined by those rendered meanwhile.

Reading, decoding and augmenting rows one by one keeps a GPU waiting. Here whole shards are copied
to it once, and each step draws its rows there. Shards that appear in the folders later join; when
the pool is full, the oldest rows make room.
"""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armsight.errors import DatasetError
from armsight.robots import Robot
from armsight.train.pose.shards import LABELS, MIN_VISIBLE, check_index, robot_of

PICTURES = ("images", "masks")
LOOK_EVERY_S = 1.0

SHARDS_A_STEP = 6
"""Shards that join the pools before a step at most: reading all at once would hold up the steps"""


class PicturePool:
    """Up to `capacity` rows of one robot."""

    def __init__(self, robot: Robot, capacity: int, device: torch.device) -> None:
        self.robot, self.capacity, self.device = robot, capacity, device
        self.added = 0
        """rows so far, those that made room included"""
        self._rows: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, shard: dict[str, Tensor]) -> None:
        """Take the usable rows of a shard in."""
        # Where a robot is there but hidden, no answer would be right: such rows teach nothing.
        seen = (shard["keypoints_visible"] > 0).sum(1) >= MIN_VISIBLE
        kept = torch.nonzero(seen | (shard["robot_found"] == 0))[:, 0][: self.capacity]
        if not len(kept):
            return
        places = (self.added + torch.arange(len(kept))) % self.capacity
        places = places.to(self.device)
        for name in (*PICTURES, *LABELS):
            values = shard[name][kept].to(self.device)
            if name not in self._rows:
                shape = (self.capacity, *values.shape[1:])
                self._rows[name] = torch.empty(shape, dtype=values.dtype, device=self.device)
            self._rows[name][places] = values
        self.added += len(kept)

    def draw(self, count: int, g: torch.Generator) -> dict[str, Tensor]:
        """`count` rows at random, pictures and labels, see `armsight.render.shards`."""
        rows = torch.randint(len(self), (count,), generator=g, device=self.device)
        return {name: values[rows] for name, values in self._rows.items()}


class ShardWatcher:
    """Reads the shards of some folders in a background thread, and those that appear later."""

    def __init__(self, folders: list[Path], robots: dict[str, Robot]) -> None:
        self._folders, self._robots = folders, robots
        self._read: set[Path] = set()
        self._ready: queue.Queue[tuple[str, dict[str, Tensor]] | Exception] = queue.Queue(16)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def fill(self, pools: dict[str, PicturePool]) -> None:
        """Add what was read since, though no more than a few shards: training goes on between.

        Raises:
            DatasetError: a folder holds shards of no robot of the run, or broken ones.
        """
        for _ in range(SHARDS_A_STEP):
            try:
                ready = self._ready.get_nowait()
            except queue.Empty:
                return
            if isinstance(ready, Exception):
                raise ready
            pools[ready[0]].add(ready[1])

    def wait(self, pools: dict[str, PicturePool], fewest: int, ended: Any = None) -> None:
        """Fill until each pool has `fewest` rows.

        Args:
            ended: called meanwhile; raises where nothing more will come.
        """
        while any(len(pool) < min(fewest, pool.capacity) for pool in pools.values()):
            self.fill(pools)
            if ended is not None:
                ended()
            elif self._complete():
                self.fill(pools)
                if empty := [name for name, pool in pools.items() if not len(pool)]:
                    raise DatasetError(f"the training data show no {', '.join(empty)}")
                return
            time.sleep(0.05)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _complete(self) -> bool:
        """Everything that is there has been read, and taken."""
        return self._ready.empty() and not self._new_shards()

    def _new_shards(self) -> list[Path]:
        found = [path for folder in self._folders for path in folder.glob("shard-*.safetensors")]
        return sorted(path for path in found if path not in self._read)

    def _watch(self) -> None:
        from safetensors.torch import load_file

        try:
            checked: dict[Path, str] = {}
            while not self._stop.is_set():
                for path in self._new_shards():
                    if path.parent not in checked:
                        checked[path.parent] = self._robot_of(path.parent)
                    self._put((checked[path.parent], load_file(path)))
                    self._read.add(path)
                    if self._stop.is_set():
                        return
                self._stop.wait(LOOK_EVERY_S)
        except Exception as error:  # told by `fill`, in the thread that can raise it
            self._put(error)

    def _robot_of(self, folder: Path) -> str:
        name = robot_of(folder)
        if name not in self._robots:
            raise DatasetError(
                f"{folder} shows robot {name!r}; this run trains {', '.join(self._robots)}"
            )
        check_index(folder, self._robots[name])
        return name

    def _put(self, item: tuple[str, dict[str, Tensor]] | Exception) -> None:
        while not self._stop.is_set():
            try:
                self._ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return
