"""Does a method see the robot where it is, and nothing where it is not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from armsight.data.frame import Dataset, Frame
from armsight.errors import DatasetError
from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.evaluate.poses.pose import FORMAT, describe
from armsight.reports.figures import Figures, rate


def name_frames(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The data sets with frame names that are unique among all of them: 'folder/name'."""
    named: list[Dataset] = []
    for i, dataset in enumerate(datasets):
        folder = dataset.path.name or "."
        if [other.path.name for other in datasets].count(folder) > 1:
            folder = f"{folder}#{i}"
        frames = tuple(replace(frame, name=f"{folder}/{frame.name}") for frame in dataset.frames)
        named.append(replace(dataset, frames=frames))
    return named


def kind_of(frame: Frame, robot: str) -> str:
    """What a picture shows, as the report calls it."""
    if frame.robot_in_view:
        return robot
    return "no robot" if frame.other_robot is None else f"another robot: {frame.other_robot}"


def evaluate_presence(
    datasets: Sequence[Dataset],
    answers: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Rates of false answers and of refused robots, with Wilson intervals; JSON-ready.

    Args:
        datasets: as `name_frames` gives them.
        answers: by frame name.

    Raises:
        DatasetError: a frame has no answer, or there are no frames.
    """
    frames = [frame for dataset in datasets for frame in dataset.frames]
    if not frames:
        raise DatasetError("there are no pictures to look at")
    missing = [frame.name for frame in frames if frame.name not in answers]
    if missing:
        raise DatasetError(f"{len(missing)} pictures have no answer; the first is {missing[0]!r}")
    robot = datasets[0].robot.name
    kinds = np.array([kind_of(frame, robot) for frame in frames])
    found = np.array([bool(answers[frame.name]["robot_found"]) for frame in frames])
    confidence = np.array([float(answers[f.name].get("confidence") or 0.0) for f in frames])
    sure = found & (confidence >= SURE_CONFIDENCE)
    by_kind: Figures = {}
    for kind in dict.fromkeys(kinds.tolist()):
        rows = kinds == kind
        by_kind[kind] = {
            "images": int(rows.sum()),
            "found": rate(found[rows]),
            "found_and_sure": rate(sure[rows]),
        }
    present = kinds == robot
    empty = kinds == "no robot"
    other = ~present & ~empty
    wrong = [f.name for f, p, answered in zip(frames, present, found, strict=True) if p != answered]
    return {
        "format": FORMAT,
        "kind": "presence",
        "armsight": version("armsight"),
        "datasets": [describe(dataset) for dataset in datasets],
        "settings": dict(settings or {}),
        "robot": robot,
        "sure_from_confidence": SURE_CONFIDENCE,
        "refused": rate(~found[present]) if present.any() else None,
        "false_answers": rate(found[empty]) if empty.any() else None,
        "false_sure_answers": rate(sure[empty]) if empty.any() else None,
        "other_robots_taken_for_it": rate(sure[other]) if other.any() else None,
        "by_kind": by_kind,
        "wrong_frames": wrong,
    }
