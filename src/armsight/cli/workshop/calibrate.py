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
    from armsight.card import CARD_FILE
    from armsight.estimate.pretrained import weights_folder
    from armsight.evaluate.calibration.run import calibrate_weights
    from armsight.reports.table import calibration_table

    found = calibrate_weights(
        weights, labelled, empty, progress_bar, false_alarms=false_alarms,
        max_refused=max_refused, limit=limit, dry_run=dry_run,
    )  # fmt: skip
    click.echo(json.dumps(found, allow_nan=False) if as_json else calibration_table(found))
    if not dry_run:
        click.echo(f"wrote {weights_folder(weights) / CARD_FILE}", err=True)
