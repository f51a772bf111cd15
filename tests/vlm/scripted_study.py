"""A study over made pairs, whose model is a script that knows the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from armsight.vlm.study.items import picture
from armsight.vlm.study.pairs import Pair, PairSet
from armsight.vlm.study.run import StudyPlan
from tests.labelled_folders import poses, write_json
from tests.vlm.fake_server import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ROBOT,
    FakeServer,
    Request,
    Response,
)

SIZE = 96
ERRORS_DEG = np.array([1.1, -2.1, 3.1, -4.1, 5.1, -6.1, 7.1])
PRICE = {"input": 2.0, "output": 10.0}
COST = (INPUT_TOKENS * PRICE["input"] + OUTPUT_TOKENS * PRICE["output"]) / 1e6


def make_folder(folder: Path, count: int, seed: int) -> Path:
    """Pictures with joint angles, no two alike, poses far from the limits."""
    for name in ("color", "qpos"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    low, high = ROBOT.joint_limits.T
    for i, q in enumerate(poses(ROBOT, count, seed)):
        pixels = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "color" / f"{i:06d}.png")
        inside = np.clip(q, low + np.radians(25), high - np.radians(25))
        (folder / "qpos" / f"{i:06d}.txt").write_text(" ".join(map(repr, inside.tolist())))
    return folder


def targets_by_bytes(pairs: PairSet) -> dict[bytes, Pair]:
    return {picture(pair.target.path, SIZE).data: pair for pair in pairs.pairs}


def scripted(
    pairs: PairSet, reply: Callable[[int, Pair, np.ndarray], Response]
) -> Callable[[Request, int], Response]:
    """A 'model' that knows the truth by the target's bytes."""
    known = targets_by_bytes(pairs)
    order = {pair.name: i for i, pair in enumerate(pairs.pairs)}

    def behave(request: Request, times: int) -> Response:
        pair = known[request.images[-1]]
        return reply(order[pair.name], pair, np.degrees(pair.target.joint_positions))

    return behave


def plan(pairs: PairSet, server: FakeServer, report: Path, **more: Any) -> StudyPlan:
    settings = {"models": ("local/scripted",), "base_url": server.url, "image_size": SIZE,
                "retries": 1, "timeout": 20, "concurrency": 16, **more}  # fmt: skip
    return StudyPlan(pairs.path, report, **settings)


def prices(folder: Path, **models: dict[str, float]) -> Path:
    write_json(folder / "prices.json", {f"openai-api/local/{k}": v for k, v in models.items()})
    return folder / "prices.json"
