"""`armsight evaluate presence`: false answers and refused robots."""

from __future__ import annotations

from pathlib import Path

import click

from armsight.cli.evaluate.options import method_options, print_result, progress_bar


@click.command(name="presence")
@click.argument("datasets", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--without-robot", "empty", multiple=True, type=click.Path(path_type=Path),
    help="A folder of pictures, none of which shows a robot; can be repeated.",
)  # fmt: skip
@method_options
@click.option("--report", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for presence.json and the answers; an interrupted run goes on "
              "from there.")  # fmt: skip
def presence(
    datasets: tuple[Path, ...],
    empty: tuple[Path, ...],
    robot: str,
    weights: str | None,
    method: str,
    num_hypotheses: int | None,
    workers: int,
    limit: int | None,
    as_json: bool,
    report: Path | None,
) -> None:
    """Count false answers and refused robots on labelled DATASETS.

    A data set may show this robot, another one, or none. Plain folders of pictures without any
    robot go to --without-robot.
    """
    from armsight.data.dataset import open_dataset, open_pictures
    from armsight.evaluate.poses.collect import ANSWERS_FILE, collect_answers
    from armsight.evaluate.poses.methods import Method
    from armsight.evaluate.poses.pose import write_json
    from armsight.evaluate.poses.presence import evaluate_presence, name_frames
    from armsight.reports.table import presence_table

    if not datasets and not empty:
        raise click.UsageError("give at least one data set, or --without-robot FOLDER")
    opened = [open_dataset(d, robot, limit=limit, allow_other_robots=True) for d in datasets]
    opened += [open_pictures(folder, robot, limit=limit) for folder in empty]
    named = name_frames(opened)
    maker = Method(method, robot, weights or robot, num_hypotheses, 1 if workers > 1 else 0)
    frames = [frame for dataset in named for frame in dataset.frames]
    with progress_bar(len(frames), "looking") as bar:
        answers = collect_answers(
            frames,
            maker,
            file=report and report / ANSWERS_FILE,
            settings=maker.settings(),
            intrinsics="if-known",
            workers=workers,
            progress=bar.update,
        )
    result = evaluate_presence(named, answers, maker.settings())
    written = report and report / "presence.json"
    if written is not None:
        write_json(written, result)
    print_result(result, presence_table(result), as_json, written)
