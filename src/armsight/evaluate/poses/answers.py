"""Ask an estimator about every frame, and keep its answers in a file that survives a kill.

The file has one JSON object a line: first a header with the settings, then one answer for each
frame, in the field names of `Estimate`. Any other method can be scored by writing such lines.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from armsight.data.frame import Frame
from armsight.errors import DatasetError
from armsight.parallel import Workers
from armsight.reports.journal import Journal
from armsight.state import Estimate

Array = NDArray[np.floating]
Answer = dict[str, Any]
Intrinsics = Literal["known", "assumed", "if-known"]
"""Which K an estimator is given: the true one, none, or the true one where there is one"""

FORMAT = "armsight-answers/1"
KEPT = "answers in a --report folder"


class PoseEstimator(Protocol):
    """What is scored: an image RGB uint8 (H, W, 3) and `K` (3, 3) [px] or None give an answer."""

    def __call__(self, image: NDArray[np.uint8], K: Array | None, /) -> Estimate: ...


def ask(estimator: PoseEstimator, frame: Frame, intrinsics: Intrinsics) -> Answer:
    """One frame's answer as a JSON-ready dict, without the hypotheses.

    Raises:
        DatasetError: the picture cannot be read, or has no intrinsics where they are wanted.
    """
    if intrinsics == "known" and frame.K is None:
        raise DatasetError(
            f"frame {frame.name} has no intrinsics, but the true ones were asked for. Pass "
            "--assume-intrinsics, or add them to the data set."
        )
    image = frame.load_image()
    start = time.perf_counter()
    try:
        estimate = estimator(image, None if intrinsics == "assumed" else frame.K)
    except Exception as error:
        error.add_note(f"while estimating frame {frame.name} ({frame.image_path})")
        raise
    answer = estimate.to_json()
    for name in ("samples", "units", "image"):
        answer.pop(name, None)
    seconds = round(time.perf_counter() - start, 4)
    return {"frame": frame.name, "key": frame_key(frame), "seconds": seconds} | answer


def frame_key(frame: Frame) -> str:
    """Changes with anything that an answer depends on, so that stale answers are not reused."""
    digest = hashlib.sha256(f"{frame.name} {frame.image_size}".encode())
    digest.update(str(frame.image_path.stat().st_size).encode())
    if frame.K is not None:
        digest.update(np.asarray(frame.K, dtype=np.float64).tobytes())
    return digest.hexdigest()[:16]


class AnswerFile(Journal):
    """Answers on disk, by the name of their frame."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """Open, or begin, the answers that were made with exactly these settings.

        Raises:
            ConfigError: the file holds answers that were made with other settings.
            OutputError: it cannot be written.
        """
        super().__init__(path, FORMAT, settings, key="frame")

    @property
    def answers(self) -> dict[str, Answer]:
        """By frame"""
        return self.lines


def read_answers(path: Path) -> dict[str, Answer]:
    """Answers of any method, by frame: JSON lines with 'frame' and the fields of `Estimate`.

    Raises:
        DatasetError: the file is missing, or a line is not such an object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read predictions {path}: {error}") from error
    answers: dict[str, Answer] = {}
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            if "format" in line:
                continue
            answers[line["frame"]] = line
            if not isinstance(line["robot_found"], bool):
                raise ValueError(f"'robot_found' is {line['robot_found']!r}")
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{path}, line {number} is not an answer ({error!r}); expected an object with "
                "'frame' (its name in the data set), 'robot_found' (true or false) and fields of "
                "Estimate: confidence, joint_positions, joint_std, keypoints_2d, "
                "keypoints_3d_cam, T_cam_base"
            ) from error
    return answers


def ask_all(
    frames: Iterable[Frame],
    make_estimator: Callable[[], PoseEstimator],
    *,
    intrinsics: Intrinsics = "known",
    workers: int = 1,
) -> Iterator[Answer]:
    """Answers about frames as they come, in no particular order when there are several workers.

    Args:
        make_estimator: called once in each process; must be picklable for `workers` > 1.
    """
    with Workers(partial(_Asker, make_estimator, intrinsics), workers, KEPT) as pool:
        yield from pool.run(frames)


class _Asker:
    """Asks one estimator, which is made when this is."""

    def __init__(self, make_estimator: Callable[[], PoseEstimator], intrinsics: Intrinsics) -> None:
        self._estimator, self._intrinsics = make_estimator(), intrinsics

    def __call__(self, frame: Frame) -> Answer:
        return ask(self._estimator, frame, self._intrinsics)
