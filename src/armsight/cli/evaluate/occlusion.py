"""`armsight evaluate occlusion`: the AUC of ADD with part of the arm covered."""

from __future__ import annotations

from pathlib import Path

import click

from armsight.cli.evaluate.options import method_options, print_result, progress_bar


@click.command(name="occlusion")
@click.argument("dataset", type=click.Path(path_type=Path))
@method_options
@click.option("--cover", "percents", multiple=True, type=click.IntRange(0, 90),
              help="Percent of the arm's box; repeatable. [0, 10, 20, 30, 40]")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the places that are covered.")  # fmt: skip
@click.option("--known-intrinsics/--assume-intrinsics", "known", default=True, show_default=True,
              help="Give the estimator the data set's camera matrix, or nothing.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for occlusion.json and the answers; an interrupted run goes on from "
              "there.")  # fmt: skip
def occlusion(
    dataset: Path,
    robot: str,
    weights: str | None,
    method: str,
    num_hypotheses: int | None,
    workers: int,
    limit: int | None,
    as_json: bool,
    percents: tuple[int, ...],
    seed: int,
    known: bool,
    report: Path | None,
) -> None:
    """Cover part of the arm in each picture of DATASET and score the poses.

    A black rectangle of a random place and shape covers so much of the box around the arm. The data
    set needs 2D and 3D keypoints: a folder of `armsight render`, or one of DREAM's.
    """
    from armsight.data.dataset import open_dataset
    from armsight.evaluate.poses.answers import Intrinsics
    from armsight.evaluate.poses.collect import ANSWERS_FILE, collect_answers
    from armsight.evaluate.poses.methods import Method
    from armsight.evaluate.poses.occlusion import SHARES, covered, evaluate_occlusion
    from armsight.evaluate.poses.pose import write_json
    from armsight.reports.table import occlusion_table

    shares = [percent / 100 for percent in sorted(set(percents))] or list(SHARES)
    data = open_dataset(dataset, robot, limit=limit, allow_other_robots=True)
    sets = [covered(data, share, seed) for share in shares]
    frames = [frame for one in sets for frame in one.frames]
    maker = Method(method, robot, weights or robot, num_hypotheses, 1 if workers > 1 else 0)
    settings = {**maker.settings(), "seed": seed}
    intrinsics: Intrinsics = "known" if known else "assumed"
    with progress_bar(len(frames), "estimating") as bar:
        answers = collect_answers(
            frames,
            maker,
            file=report and report / ANSWERS_FILE,
            settings=settings,
            intrinsics=intrinsics,
            workers=workers,
            progress=bar.update,
        )
    result = evaluate_occlusion(sets, shares, answers, {**settings, "K": intrinsics})
    written = report and report / "occlusion.json"
    if written is not None:
        write_json(written, result)
    print_result(result, occlusion_table(result), as_json, written)
