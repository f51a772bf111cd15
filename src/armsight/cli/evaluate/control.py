"""`armsight evaluate control`: do the actions that are read from a video solve the task?"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from armsight.cli.evaluate.options import print_result, progress_bar


@click.command(name="control")
@click.option("--suite", default="libero_object", show_default=True, help="Benchmark suite.")
@click.option("--tasks", "task_names", metavar="A,B", help="Names, objects or numbers of tasks; "
              "by default all.")  # fmt: skip
@click.option("--split", default="test", show_default=True, metavar="NAME",
              help="Initial states: train, validation or test.")  # fmt: skip
@click.option("--init-states", metavar="40-49", help="These initial states in place of a split.")
@click.option("--keyframes", default="oracle", show_default=True, metavar="oracle|DIR",
              help="Demonstrations recorded for this; a folder with DIR/<task>/<state>.mp4 or "
              "DIR/<task>/<state>/*.png, or with a diffusers image-to-video pipeline.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1), default=3, show_default=True,
              help="Control steps (1/20 s) from keyframe to keyframe.")  # fmt: skip
@click.option("--strides", metavar="1-8", help="Also a curve of success against stride.")
@click.option("--rows", metavar="A,B", help="Only these rows; by default all.")
@click.option("--default-row", metavar="NAME", help="The row whose figures stand first; by "
              "default what the weights prefer.")  # fmt: skip
@click.option("--weights", help="Action model: name or folder; by default the suite's.")
@click.option("--regression-weights", metavar="DIR", help="The regression network's.")
@click.option("--pose-weights", default="panda", show_default=True,
              help="For the row that differences poses; 'none' leaves it out.")  # fmt: skip
@click.option("--num-hypotheses", type=click.IntRange(1), help="Samples of the action model.")
@click.option("--image-size", type=click.IntRange(32, 1024), default=128, show_default=True,
              help="Sides of the keyframes [px].")  # fmt: skip
@click.option("--demonstrations", type=click.Choice(["plain", "varied"]), default="plain",
              show_default=True, help="How the oracle's expert does it.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Processes.")  # fmt: skip
@click.option("--videos", type=click.IntRange(0), default=6, show_default=True,
              help="How many failures of the default row are filmed.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for report.html, results.json, episodes.jsonl, demonstrations and "
              "films; an interrupted run goes on from there.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def control(
    suite: str,
    task_names: str | None,
    split: str,
    init_states: str | None,
    keyframes: str,
    stride: int,
    strides: str | None,
    rows: str | None,
    default_row: str | None,
    weights: str | None,
    regression_weights: str | None,
    pose_weights: str,
    num_hypotheses: int | None,
    image_size: int,
    demonstrations: str,
    seed: int,
    workers: int,
    videos: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Play actions that were read from keyframes, open loop, and count successes.

    All actions of an episode are computed before its first step. The rows compare the model's
    routes with replayed demonstrations (the ceiling), with regression, with differences of
    estimated poses, and with no action at all (the floor).
    """
    from armsight.evaluate.control.plan import ControlPlan, parse_numbers, parse_rows
    from armsight.evaluate.control.report import control_table, write_control_report
    from armsight.evaluate.control.result import control_result
    from armsight.evaluate.control.run import run_control
    from armsight.evaluate.control.weights import find_weights
    from armsight.evaluate.control.world import LiberoWorld
    from armsight.reports.charts import require_viz

    if report is not None:
        require_viz("--report")
    episodes = choose_episodes(suite, task_names, split, init_states, keyframes)
    found = find_weights(suite, weights, regression_weights, pose_weights, default_row)
    with ExitStack() as stack:
        folder = report or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plan = ControlPlan(
            folder=folder,
            **episodes,
            rows=parse_rows(rows),
            stride=stride,
            strides=parse_numbers(strides, "--strides") if strides else (),
            num_hypotheses=num_hypotheses,
            seed=seed,
            workers=workers,
            num_videos=videos if report else 0,
            world=LiberoWorld(suite, image_size, demonstrations),
            **found,
        )
        with progress_bar(1, "playing") as bar:

            def progress(done: int, total: int) -> None:
                bar.length = max(total, 1)
                bar.update(done - bar.pos)

            lines = run_control(plan, progress)
        result = control_result(plan, lines)
        page = write_control_report(plan, result, lines) if report else None
        print_result(result, control_table(result), as_json, page)


def choose_episodes(
    suite: str, task_names: str | None, split: str, init_states: str | None, keyframes: str
) -> dict[str, Any]:
    """The plan's tasks, initial states and where their keyframes are from.

    Raises:
        UnknownTaskError, ConfigError: no such task, split or state.
        DatasetError: there is no such folder of keyframes.
    """
    from armsight.control.suite import find_task, split_of, states_of, tasks
    from armsight.errors import DatasetError
    from armsight.evaluate.control.plan import ORACLE, parse_numbers

    chosen = (
        tasks(suite)
        if task_names is None
        else [find_task(name.strip(), suite) for name in task_names.split(",")]
    )
    states = parse_numbers(init_states, "--init-states") if init_states else states_of(split)
    for state in states:
        split_of(state)
    if keyframes != ORACLE and not Path(keyframes).is_dir():
        raise DatasetError(
            f"--keyframes is {keyframes!r}; give 'oracle', or a folder with <task>/<state>.mp4. "
            "For one video: armsight control rollout VIDEO --task NAME"
        )
    names = tuple(dict.fromkeys(task.name for task in chosen))
    return {"tasks": names, "initial_states": tuple(states), "keyframes": keyframes}
