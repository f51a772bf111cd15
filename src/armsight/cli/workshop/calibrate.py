"""`armsight calibrate`: thresholds, standard deviations and confidence from a validation set."""

from __future__ import annotations

import json
from pathlib import Path

import click

from armsight.cli.evaluate.options import progress_bar


@click.command()
@click.argument("weights", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--with-robot", "labelled", multiple=True, required=True, type=click.Path(path_type=Path),
    help="Validation set that shows the robot, with known joints and cameras; can be repeated.",
)  # fmt: skip
@click.option(
    "--without-robot", "empty", multiple=True, type=click.Path(path_type=Path),
    help="Frames or pictures without the robot, or with other makers' arms; can be repeated.",
)  # fmt: skip
@click.option("--false-alarms", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              default=0.05, show_default=True, metavar="RATE",
              help="At which `armsight ask --verify` may call true claims wrong.")  # fmt: skip
@click.option("--max-refused", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              default=0.02, show_default=True, metavar="RATE",
              help="Warn where more of the robot's pictures are refused.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many frames of each.")
@click.option("--dry-run", is_flag=True, help="Leave the card as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    weights: Path,
    labelled: tuple[Path, ...],
    empty: tuple[Path, ...],
    false_alarms: float,
    max_refused: float,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Calibrate the weights in folder WEIGHTS, and write the numbers on their card.

    Use frames that were not trained on, and that nothing will be tested on.
    """
    from armsight.card import CARD_FILE, update_card
    from armsight.data.dataset import open_dataset, open_pictures
    from armsight.data.joint_folder import is_joint_folder
    from armsight.data.ndds import is_ndds
    from armsight.errors import DatasetError
    from armsight.estimate.estimator import Estimator
    from armsight.estimate.tuning import Tuning
    from armsight.evaluate.calibration.calibrate import calibrate
    from armsight.evaluate.calibration.frames import UNKNOWN_FOCAL_FRAMES, observe, spread
    from armsight.evaluate.calibration.sources import refuse_test_set, source
    from armsight.reports.table import calibration_table
    from armsight.verify.threshold import claimable, fit_thresholds

    estimator = Estimator.from_pretrained(weights)
    robot = estimator.robot
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
    frames = [frame for dataset in datasets for frame in dataset.frames]
    some = spread([frame for frame in frames if frame.robot_in_view], UNKNOWN_FOCAL_FRAMES)
    with progress_bar(len(frames) + len(some), "looking") as bar:
        seen = observe(estimator, frames, bar.update)
        unknown = observe(estimator, some, bar.update, assume_intrinsics=True)
    click.echo("fitting", err=True)
    found = calibrate(estimator, seen, max_refused, unknown)
    estimator = estimator.with_tuning(Tuning.from_card(found))
    with progress_bar(len(claimable(datasets)), "judging claims") as bar:
        thresholds, measured = fit_thresholds(estimator, datasets, false_alarms, bar.update)
    found["thresholds"] |= thresholds
    found["calibration"]["measured"]["claims"] = measured
    found["calibration"]["source"] = source(datasets)
    if not dry_run:
        update_card(estimator.session.folder, found)
    click.echo(json.dumps(found, allow_nan=False) if as_json else calibration_table(found))
    if not dry_run:
        click.echo(f"wrote {estimator.session.folder / CARD_FILE}", err=True)
