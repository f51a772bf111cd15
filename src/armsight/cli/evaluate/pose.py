"""`armsight evaluate pose`: joint errors, ADD, PCK and calibration on a labelled data set."""

from __future__ import annotations

from pathlib import Path

import click

from armsight.cli.evaluate.options import method_options, print_result, progress_bar


@click.command(name="pose")
@click.argument("dataset", type=click.Path(path_type=Path))
@method_options
@click.option("--units", type=click.Choice(["m", "cm"]),
              help="Unit of 3D labels, if the data set does not tell.")  # fmt: skip
@click.option("--known-intrinsics/--assume-intrinsics", "known", default=True, show_default=True,
              help="Give the estimator the data set's camera matrix, or nothing.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for report.html, results.json, results.csv and the answers; an "
              "interrupted run goes on from there.")  # fmt: skip
@click.option("--predictions", type=click.Path(path_type=Path, dir_okay=False),
              help="Score these answers (JSON lines with 'frame' and the fields of "
              "`armsight estimate --json`) in place of asking an estimator.")  # fmt: skip
@click.option("--pictures", type=click.IntRange(min=0), default=8, show_default=True,
              help="How many worst, unanswered and random frames the report shows.")  # fmt: skip
def pose(
    dataset: Path,
    robot: str,
    weights: str | None,
    method: str,
    num_hypotheses: int | None,
    workers: int,
    limit: int | None,
    as_json: bool,
    units: str | None,
    known: bool,
    report: Path | None,
    predictions: Path | None,
    pictures: int,
) -> None:
    """Score poses on DATASET: a DREAM/NDDS folder, or pictures with joint angles.

    Images without an answer count as misses. Run with --report DIR to keep every answer.
    """
    from armsight.data.dataset import open_dataset
    from armsight.evaluate.poses.answers import read_answers
    from armsight.evaluate.poses.collect import ANSWERS_FILE, collect_answers
    from armsight.evaluate.poses.methods import Method
    from armsight.evaluate.poses.pose import evaluate_pose
    from armsight.evaluate.poses.report import write_report
    from armsight.reports.charts import require_viz
    from armsight.reports.table import pose_table

    if report is not None:
        require_viz("--report")
    data = open_dataset(dataset, robot, units=units, limit=limit, allow_other_robots=True)
    if predictions is not None:
        settings = {"predictions": str(predictions)}
        answers = read_answers(predictions)
    else:
        maker = Method(method, robot, weights or robot, num_hypotheses, 1 if workers > 1 else 0)
        settings = maker.settings()
        frames = [frame for frame in data.frames if frame.robot_in_view]
        with progress_bar(len(frames), "estimating") as bar:
            answers = collect_answers(
                frames,
                maker,
                file=report and report / ANSWERS_FILE,
                settings=settings,
                intrinsics="known" if known else "assumed",
                workers=workers,
                progress=bar.update,
            )
        settings = {**settings, "K": "known" if known else "assumed"}
    evaluation = evaluate_pose(data, answers, settings)
    if report is not None:
        write_report(report, evaluation, pictures)
    result = evaluation.to_json()
    print_result(result, pose_table(result), as_json, report and report / "report.html")
