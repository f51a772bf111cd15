"""From weights and validation sets to the calibrated numbers on their card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from armsight.card import update_card
from armsight.data.dataset import open_dataset, open_pictures
from armsight.data.frame import Dataset
from armsight.data.joint_folder import is_joint_folder
from armsight.data.ndds import is_ndds
from armsight.errors import DatasetError
from armsight.estimate.estimator import Estimator
from armsight.estimate.tuning import Tuning
from armsight.evaluate.calibration.calibrate import calibrate
from armsight.evaluate.calibration.confidence import MAX_REFUSED
from armsight.evaluate.calibration.frames import UNKNOWN_FOCAL_FRAMES, observe, spread
from armsight.evaluate.calibration.sources import refuse_test_set, source
from armsight.robots import Robot
from armsight.verify.threshold import claimable, fit_thresholds

FALSE_ALARMS = 0.05


class Bar(Protocol):
    """Shows how far a long job is."""

    def update(self, n_steps: int, /) -> None:
        """So many more are done."""


ShowProgress = Callable[[int, str], AbstractContextManager[Bar]]
"""Given how many there are and what is done"""


def calibrate_weights(
    weights: Path, labelled: Sequence[Path], empty: Sequence[Path], show: ShowProgress, *,
    false_alarms: float = FALSE_ALARMS, max_refused: float = MAX_REFUSED,
    limit: int | None = None, dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Thresholds and calibration of the weights in a folder, written on their card.

    Args:
        weights: folder, or a name of weights.
        labelled: sets that show the robot, with known joints and cameras.
        empty: sets or folders of pictures that do not.
        false_alarms: share of true claims that may be called wrong.
        max_refused: more of the robots refused than this is said.
        limit: only the first so many frames of each.
        dry_run: leave the card as it is.

    Raises:
        DatasetError: a set cannot be read, is a test set, or is on the wrong side.
    """
    estimator = Estimator.from_pretrained(weights)
    datasets = _open(estimator.robot, labelled, empty, limit)
    frames = [frame for dataset in datasets for frame in dataset.frames]
    some = spread([frame for frame in frames if frame.robot_in_view], UNKNOWN_FOCAL_FRAMES)
    with show(len(frames) + len(some), "looking") as bar:
        seen = observe(estimator, frames, bar.update)
        unknown = observe(estimator, some, bar.update, assume_intrinsics=True)
    found = calibrate(estimator, seen, max_refused, unknown)
    estimator = estimator.with_tuning(Tuning.from_card(found))
    with show(len(claimable(datasets)), "judging claims") as bar:
        thresholds, measured = fit_thresholds(estimator, datasets, false_alarms, bar.update)
    found["thresholds"] |= thresholds
    found["calibration"]["measured"]["claims"] = measured
    found["calibration"]["source"] = source(datasets)
    if not dry_run:
        update_card(estimator.session.folder, found)
    return found


def _open(
    robot: Robot, labelled: Sequence[Path], empty: Sequence[Path], limit: int | None
) -> list[Dataset]:
    for path in (*labelled, *empty):
        refuse_test_set(path)
    datasets = [open_dataset(path, robot, limit=limit) for path in labelled]
    for path in empty:
        known = path.is_dir() and (is_ndds(path) or is_joint_folder(path))
        read = open_dataset(path, robot, limit=limit, allow_other_robots=True) if known else None
        dataset = read or open_pictures(path, robot, limit=limit)
        if shown := sum(frame.robot_in_view for frame in dataset.frames):
            raise DatasetError(
                f"{shown} frames of {path} show {robot.name}; give them to --with-robot"
            )
        datasets.append(dataset)
    return datasets
