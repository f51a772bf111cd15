"""Answers for a whole data set: those that are on disk already, and the rest from an estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from armsight.data.frame import Frame
from armsight.evaluate.poses.answers import (
    Answer,
    AnswerFile,
    Intrinsics,
    PoseEstimator,
    ask_all,
    frame_key,
)

ANSWERS_FILE = "answers.jsonl"
"""In the folder of a report"""


def collect_answers(
    frames: Sequence[Frame],
    make_estimator: Callable[[], PoseEstimator],
    *,
    file: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    intrinsics: Intrinsics = "known",
    workers: int = 1,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, Answer]:
    """Every frame's answer, by name.

    Args:
        make_estimator: called once in each process that needs one; picklable for `workers` > 1.
        file: where answers are kept as they come; answers that are there already are not asked
            for again, unless the picture or its intrinsics have changed.
        settings: what the answers depend on beside the pictures; a file made with others is
            refused.
        progress: called with the number of frames that were just answered.

    Raises:
        ConfigError: `file` was made with other settings.
        DatasetError: a picture cannot be read, or has no intrinsics where they are wanted.
        OutputError: `file` cannot be written.
    """
    kept = None if file is None else AnswerFile(file, {**(settings or {}), "K": intrinsics})
    answers = {} if kept is None else dict(kept.answers)
    done = {f.name for f in frames if answers.get(f.name, {}).get("key") == frame_key(f)}
    progress(len(done))
    try:
        remaining = [frame for frame in frames if frame.name not in done]
        for answer in ask_all(remaining, make_estimator, intrinsics=intrinsics, workers=workers):
            answers[answer["frame"]] = answer
            if kept is not None:
                kept.add(answer)
            progress(1)
    finally:
        if kept is not None:
            kept.close()
    return {frame.name: answers[frame.name] for frame in frames}
