"""How answers hold when part of the arm is covered.

RoboPEPP (CVPR 2025) and those after it cover a share of the arm's bounding box and print the
AUC of ADD for each share; so does this.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import Dataset, Frame
from armsight.errors import DatasetError
from armsight.evaluate.poses.pose import FORMAT, describe
from armsight.evaluate.poses.rows import add_row
from armsight.evaluate.poses.scores import score
from armsight.reports.figures import rate

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
MARGIN = 0.05
"""By how much of its size the box of the keypoints is widened on each side: links are thick"""
ASPECTS = (0.5, 2.0)


@dataclass(frozen=True)
class CoveredFrame(Frame):
    """A frame with a black rectangle before the arm."""

    share: float = 0.0
    """of the arm's box that is covered"""
    seed: int = 0

    def load_image(self) -> NDArray[np.uint8]:
        """The picture with the rectangle, RGB (H, W, 3). Raises as `Frame.load_image`."""
        pixels = super().load_image()
        x0, y0, x1, y1 = self.rectangle()
        pixels[y0:y1, x0:x1] = 0
        return pixels

    def rectangle(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 [px], the same for the same frame, share and seed."""
        box = arm_box(self)
        # The name without what `covered` appends: every share has its place near the last one's.
        name = self.name.partition("@")[0]
        rng = np.random.default_rng([zlib.crc32(name.encode()), self.seed])
        aspect = np.exp(rng.uniform(*np.log(ASPECTS)))
        size = box[2:] - box[:2]
        width, height = np.sqrt(self.share * np.array([aspect, 1 / aspect])) * size
        # A rectangle that is too long for the box becomes thicker instead.
        if width > size[0]:
            width, height = size[0], self.share * size[1]
        elif height > size[1]:
            width, height = self.share * size[0], size[1]
        corner = box[:2] + rng.random(2) * (size - [width, height])
        x0, y0 = np.round(corner).astype(int)
        x1, y1 = np.round(corner + [width, height]).astype(int)
        return int(x0), int(y0), int(x1), int(y1)


def arm_box(frame: Frame) -> NDArray[np.float64]:
    """x0, y0, x1, y1 [px] around the part of the arm that is in the picture."""
    size = np.array(frame.image_size, dtype=float)
    points = _in_picture(frame)
    low, high = points.min(0), points.max(0)
    margin = MARGIN * (high - low).max()
    box = np.concatenate([low - margin, high + margin])
    return np.asarray(np.clip(box, 0, np.tile(size, 2)), dtype=float)


def _in_picture(frame: Frame) -> NDArray[np.float64]:
    """(N, 2) [px] the keypoints that lie in the picture."""
    if frame.keypoints_2d is None:
        return np.empty((0, 2))
    points = np.asarray(frame.keypoints_2d, dtype=float)
    inside = (points >= 0) & (points < np.array(frame.image_size))
    return np.asarray(points[inside.all(1)], dtype=float)


def covered(dataset: Dataset, share: float, seed: int = 0) -> Dataset:
    """The frames with an arm in view, so much of its box covered; names end with '@' and percent.

    Frames with fewer than two keypoints in the picture are left out: they have no box.

    Raises:
        DatasetError: no frame is left.
    """
    shown = [f for f in dataset.frames if f.robot_in_view and len(_in_picture(f)) > 1]
    if not shown:
        raise DatasetError(
            f"no frame of {dataset.path} has two 2D keypoints of {dataset.robot.name} in the "
            "picture, which tell what to cover. Use a set of `armsight render`, or one of DREAM's"
        )
    frames = tuple(
        CoveredFrame(
            **{field.name: getattr(frame, field.name) for field in fields(Frame)}
            | {"name": f"{frame.name}@{round(100 * share)}", "share": share, "seed": seed}
        )
        for frame in shown
    )
    return replace(dataset, frames=frames)


def evaluate_occlusion(
    datasets: Sequence[Dataset],
    shares: Sequence[float],
    answers: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """AUC of ADD for each covered share, JSON-ready; frames without an answer are misses.

    Args:
        datasets: what `covered` gives for each of `shares`.
        answers: by frame name.

    Raises:
        DatasetError: a frame has no answer, or the data set has no 3D keypoints.
    """
    rows = []
    for dataset, share in zip(datasets, shares, strict=True):
        scores = score(dataset, answers)
        if not scores.has_3d.any():
            raise DatasetError(f"{dataset.path} has no 3D keypoints, so there is no ADD to score")
        row = add_row(scores.add[scores.has_3d])
        rows.append({"covered": share, "answered": rate(scores.found), "add": row})
    return {
        "format": FORMAT,
        "kind": "occlusion",
        "armsight": version("armsight"),
        "dataset": describe(datasets[0]),
        "settings": dict(settings or {}),
        "rows": rows,
    }
