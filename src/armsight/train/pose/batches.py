"""Training batches as a function of (seed, step, rank) alone: a resumed run repeats them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from armsight.train.pose.augment import Backgrounds, augment
from armsight.train.pose.sources import Table

Batch = dict[str, Tensor]

LOG_DEPTH_FLOOR_M = 0.05
"""Depth [m] below which a keypoint beside or behind the camera is taken to lie here."""


def make_batch(
    table: Table,
    rows: Any,
    size: int,
    rngs: list[np.random.Generator],
    backgrounds: Backgrounds | None,
    strength: float = 1.0,
) -> Batch:
    """Rows of the table as tensors. Names and shapes: image (B, 3, S, S) uint8,
    joint_positions (B, J), keypoints_2d (B, K, 2) [px], keypoints_visible (B, K),
    in_crop (B, K), log_depth (B, K) [log m], camera (B, 4), robot_found (B,).
    """
    L = table.labels
    samples = []
    for row, rng in zip(rows, rngs, strict=True):
        image, mask = table.picture(int(row))
        samples.append(
            augment(
                image, mask, L["keypoints_2d"][row], L["keypoints_visible"][row], L["K"][row],
                size, rng, composited=bool(L["composited"][row]), backgrounds=backgrounds,
                strength=strength,
            )
        )  # fmt: skip
    depth = np.log(np.maximum(L["keypoints_3d_cam"][rows][..., 2], LOG_DEPTH_FLOOR_M))
    images = np.stack([s.image for s in samples])
    arrays: dict[str, Any] = {
        "joint_positions": L["joint_positions"][rows],
        "keypoints_2d": np.stack([s.keypoints_2d for s in samples]),
        "keypoints_visible": np.stack([s.keypoints_visible for s in samples]),
        "in_crop": np.stack([s.in_crop for s in samples]),
        "log_depth": depth,
        "camera": np.stack([s.camera for s in samples]),
        "robot_found": L["robot_found"][rows],
    }
    batch = {name: torch.from_numpy(np.asarray(a, np.float32)) for name, a in arrays.items()}
    batch["image"] = torch.from_numpy(images).permute(0, 3, 1, 2)
    return batch


def batches(
    table: Table,
    size: int,
    batch_size: int,
    seed: int,
    first_step: int,
    *,
    rank: int = 0,
    backgrounds: Backgrounds | None = None,
    threads: int = 1,
) -> Generator[Batch, None, None]:
    """Endless batches from `first_step` on, prepared ahead in background threads.

    Rows come in a fresh random order each epoch. Ranks of a distributed run take different rows.
    """

    def prepare(step: int) -> Batch:
        first = step * batch_size
        rows = []
        for i in range(first, first + batch_size):
            epoch, place = divmod(i, len(table))
            rows.append(_order(len(table), seed, epoch, rank)[place])
        rngs = [np.random.default_rng([seed, rank, step, i]) for i in range(batch_size)]
        return make_batch(table, np.array(rows), size, rngs, backgrounds)

    return prefetched(prepare, first_step, threads)


def prefetched(
    prepare: Callable[[int], Batch], first_step: int, threads: int = 1, ahead: int = 6
) -> Generator[Batch, None, None]:
    """`prepare(step)` for all steps from `first_step` on, made ahead in background threads."""
    cv2.setNumThreads(0)
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Batch]] = deque()
        step = first_step
        try:
            while True:
                while len(pending) < ahead:
                    pending.append(pool.submit(prepare, step))
                    step += 1
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


_orders: dict[tuple[int, int, int, int], Any] = {}


def _order(rows: int, seed: int, epoch: int, rank: int) -> Any:
    key = (rows, seed, epoch, rank)
    if key not in _orders:
        if len(_orders) > 8:
            _orders.clear()
        _orders[key] = np.random.default_rng([seed, epoch, rank]).permutation(rows)
    return _orders[key]
