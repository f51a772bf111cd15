"""Batches for the action model: windows of keyframes, and every pair of frames in them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from armsight.train.actions.demonstrations import Demonstration, Window, draw_window, pair_truth
from armsight.train.pose.augment import Backgrounds, Photometric
from armsight.train.pose.batches import Batch

NO_ROBOT = 0.08
"""Share of windows that show backgrounds only, so that presence stays meaningful."""


def make_action_batch(
    windows: list[Window],
    size: int,
    max_stride: int,
    rngs: list[np.random.Generator] | None = None,
    backgrounds: Backgrounds | None = None,
) -> Batch:
    """B windows of F keyframes as tensors; augmented where `rngs` are given.

    Names and shapes, with N = B F frames and P = B (2 F - 3) pairs: image (N, 3, S, S) uint8,
    keypoints_2d (N, K, 2) [px], keypoints_visible and in_crop (N, K), robot_found (N,),
    pairs (P, 2) int64, stride (P,), steps (P, T, C) physical units, step_weight (P, T) 0 or 1.
    """
    parts = [
        _window(window, size, max_stride, None if rngs is None else rngs[i], backgrounds)
        for i, window in enumerate(windows)
    ]
    F = len(windows[0].frames)
    batch = {
        name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]
    }
    batch["pairs"] += (F * torch.arange(len(windows))).repeat_interleave(2 * F - 3)[:, None]
    batch["image"] = batch["image"].permute(0, 3, 1, 2)
    return batch


def draw_action_batch(
    episodes: list[Demonstration],
    length: int,
    size: int,
    max_stride: int,
    rngs: list[np.random.Generator],
    backgrounds: Backgrounds | None,
) -> Batch:
    """A random training batch: one window of `length` keyframes from each generator."""
    drawn = [draw_window(episodes, length, max_stride, rng) for rng in rngs]
    return make_action_batch(drawn, size, max_stride, rngs, backgrounds)


def _window(
    window: Window,
    size: int,
    max_stride: int,
    rng: np.random.Generator | None,
    backgrounds: Backgrounds | None,
) -> dict[str, NDArray[Any]]:
    episode, frames = window.episode, window.frames
    source = episode.frames.shape[1]
    images = [_resized(episode.frames[i], size) for i in frames]
    keypoints = (episode.keypoints_2d[frames] + 0.5) * (size / source) - 0.5
    found = np.ones(len(frames), np.float32)
    if rng is not None:
        if backgrounds is not None and backgrounds.pictures and rng.random() < NO_ROBOT:
            found[:] = 0
            images = [backgrounds.crop(rng, size)] * len(frames)
        look = Photometric.draw(rng, jpeg=0.3)  # one film, one camera: all frames look alike
        images = [look.apply(image, rng) for image in images]
    in_crop = np.all((keypoints > -0.5) & (keypoints < size - 0.5), axis=-1).astype(np.float32)
    pairs = window.pairs()
    rows = episode.rows[frames]
    truth = [pair_truth(episode, rows[a], rows[b], max_stride) for a, b in pairs]
    return {
        "image": np.stack(images),
        "keypoints_2d": keypoints.astype(np.float32),
        "keypoints_visible": in_crop * found[:, None],
        "in_crop": in_crop,
        "robot_found": found,
        "pairs": pairs,
        "stride": (rows[pairs[:, 1]] - rows[pairs[:, 0]]).astype(np.float32),
        "steps": np.stack([steps for steps, _ in truth]),
        "step_weight": np.stack([weight for _, weight in truth]) * found[0],
    }


def _resized(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if frame.shape[0] == size:
        return frame
    shrink = frame.shape[0] > size
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return cv2.resize(frame, (size, size), interpolation=how).astype(np.uint8, copy=False)
