"""`armsight actions score`: can a robot do what a video shows?"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from armsight.actions.model import ActionModel
from armsight.actions.sequence import ActionSequence
from armsight.cli._notes import say
from armsight.cli._report import printable
from armsight.cli.actions.label import find_videos
from armsight.errors import ArmsightError, ConfigError, OutputError
from armsight.estimate.estimator import Estimator
from armsight.files import atomic_write
from armsight.judge.page import score_page
from armsight.judge.score import PARTS
from armsight.judge.video import Judged, judge_by_poses, judge_in_scene
from armsight.outputs.documents import dumps

PAGE_MARK = "Can a robot do what these videos show?"


@click.command(name="score")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO|FOLDER...")
@click.option("--task", default="libero_object", show_default=True,
              help="Weights that know the scene: its camera is known, too.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), metavar="DIR",
              help="Weights folder, instead of --task.")  # fmt: skip
@click.option("--robot", metavar="NAME",
              help="Judge by this arm's poses alone, in any scene of a fixed camera: less "
              "telling, and slower.")  # fmt: skip
@click.option("--scene", metavar="TASK[:STATE]",
              help="Also play the actions in the simulator, in this task and initial state "
              "[default: the state most like the video's start], and ask whether they solve "
              "it.")  # fmt: skip
@click.option("--stride", type=int, metavar="N",
              help="Control steps from frame to frame.  [default: the weights' own]")  # fmt: skip
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Take each N-th frame.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path), metavar="HTML",
              help="Write a page with the worst moments.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    videos: tuple[str, ...],
    task: str,
    weights: Path | None,
    robot: str | None,
    scene: str | None,
    stride: int | None,
    every: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Say whether what videos show can be done by an arm: one number each, and its parts.

    arm: does one rigid arm with one base explain all frames; motion: are speeds and accelerations
    possible; gripper: does it keep its shape and sense; scenery: does only that change which the
    arm touches; task: do the actions solve it, where --scene names it.
    """
    if robot is not None and scene is not None:
        raise ConfigError("--robot judges by poses alone, without actions to play: leave --scene")
    _check_report(report)
    judge = _judge(task, weights, robot, scene, stride, every)
    judged: list[Judged] = []
    failed: list[tuple[str, ArmsightError]] = []
    for source in find_videos(videos):
        try:
            one = judge(source)
        except ArmsightError as error:
            failed.append((str(source), error))
            click.echo(printable(f"{source}: not judged: {error}"), err=True)
            continue
        judged.append(one)
        if not as_json:
            say(one.messages)
            click.echo(printable(summary(one)))
    if report is not None:
        with atomic_write(report) as path:
            path.write_text(
                score_page(judged, [(name, str(error)) for name, error in failed]),
                encoding="utf-8",
            )
        if not as_json:
            click.echo(printable(f"wrote {report}"))
    if as_json:
        rows = [
            {"source": one.source, **one.score.to_json(), "messages": list(one.messages)}
            for one in judged
        ]
        lost = [{"source": name, "error": str(error)} for name, error in failed]
        click.echo(dumps({"videos": rows, "not_judged": lost}))
    if failed:
        sys.exit(failed[0][1].exit_code)


def summary(one: Judged) -> str:
    """Two or more lines: the score, its parts, the worst moments."""
    parts = ", ".join(
        f"{name} {value:.2f}" for name in PARTS if (value := one.score.parts[name]) is not None
    )
    lines = [f"{one.source}: {one.score.score:.3f}  ({parts})"]
    lines += [
        f"  {m.time:.2f} s (frame {m.frame}): {m.says} ({m.measure}, {m.excess:.1f} beyond usual)"
        for m in one.score.moments
    ]
    return "\n".join(lines)


def _judge(
    task: str, weights: Path | None, robot: str | None, scene: str | None, stride: int | None,
    every: int,
) -> Callable[[Path], Judged]:  # fmt: skip
    """How each video is judged."""
    if robot is not None:
        estimator = Estimator.from_pretrained(robot)
        return lambda source: judge_by_poses(estimator, source, every)
    model = ActionModel.from_pretrained(weights or task)
    solves = None if scene is None else _player(scene, model)
    return lambda source: judge_in_scene(model, source, stride, every, solves)


def _player(scene: str, model: ActionModel) -> Callable[[ActionSequence, Any], bool]:
    """Plays actions in one simulation that is kept."""
    from armsight.cli.control._play import find_state, play
    from armsight.cli.control._preview import find_scene
    from armsight.control.simulation import Simulation

    task, state = find_scene(scene, "", model.task)
    simulation = Simulation(task)

    def solves(sequence: ActionSequence, first: np.ndarray[Any, Any]) -> bool:
        start = state
        if start is None:
            start, _ = find_state(simulation, first)
        return bool(play(simulation, sequence, start).success)

    return solves


def _check_report(report: Path | None) -> None:
    """Say what is wrong with --report before any video is read."""
    if report is None:
        return
    if importlib.util.find_spec("jinja2") is None:
        from armsight.reports.charts import require_viz

        require_viz("A report page", "jinja2")
    there = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else PAGE_MARK
    if PAGE_MARK not in there:
        raise OutputError(f"{report} exists and is no page of scores; choose another --report")
