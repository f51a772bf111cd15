"""`armsight control rollout`: play actions, or those of a video, in a simulated task."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from armsight.actions.keyframes import Keyframes
    from armsight.actions.sequence import ActionSequence
    from armsight.control.simulation import Simulation
    from armsight.control.suite import SuiteTask

BEST = "best"


@click.command(name="rollout")
@click.argument("source", type=click.Path(path_type=Path), metavar="ACTIONS|VIDEO|FRAMES_DIR")
@click.option("--suite", default="libero_object", show_default=True)
@click.option("--task", help="Which of the suite's tasks to play, by name, object or number. "
              "(`armsight actions` calls that --scene; its --task names weights, as --weights "
              "does here.)  [default: what ACTIONS or the name of the video says]")  # fmt: skip
@click.option("--init-state", "initial_state", metavar="N|best",
              help="Initial state; best: the one that looks most like frame 0.  "
              "[default: what ACTIONS says, else best]")  # fmt: skip
@click.option("--weights", help="Action model for a video; by default the suite's.")
@click.option("--route", type=click.Choice(["direct", "track"]),
              help="How a video becomes actions; by default what the weights prefer.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1), help="Control steps from frame to frame.  "
              "[default: the weights' own]")  # fmt: skip
@click.option("--match-tones", type=click.Choice(["auto", "always", "never"]), default="auto",
              show_default=True, help="Give a video the tones of the pictures that the weights "
              "know; auto: where they are far off.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder for actions.npz, rollout.json and rollout.mp4.")  # fmt: skip
@click.option("--film/--no-film", default=True, show_default=True)
@click.option("--image-size", type=click.IntRange(32, 1024), default=256, show_default=True,
              help="Height of the film [px].")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rollout(
    source: Path,
    suite: str,
    task: str | None,
    initial_state: str | None,
    weights: str | None,
    route: str | None,
    stride: int | None,
    match_tones: str,
    seed: int,
    out: Path,
    film: bool,
    image_size: int,
    as_json: bool,
) -> None:
    """Play ACTIONS (.parquet or .npz from `armsight actions`), or what a model reads in a VIDEO.

    Open loop: all actions are computed, and written to --out, before the first step. ACTIONS of an
    earlier rollout say where they were played; for those of `armsight actions` the video that they
    were read from is looked at, if it is still there.
    """
    from armsight.actions.files import read_actions, write_actions
    from armsight.cli._notes import say
    from armsight.cli.control._play import find_state, parse_state, task_doubt
    from armsight.control.simulation import Simulation

    state = None
    if initial_state not in (None, BEST):
        state = parse_state(str(initial_state), "--init-state")
    frames, sequence = None, None
    if source.suffix in (".parquet", ".npz"):
        sequence = read_actions(source)
    chosen = find_task_of(task, suite, sequence, source)
    if sequence is not None:
        frames = frames_of(sequence)
        if initial_state is None and sequence.scene.get("task") == chosen.name:
            state = int(sequence.scene["initial_state"])
        check_start(source, sequence, state, frames)
    else:
        frames, sequence = read_video(
            source, weights or suite, stride, route=route, seed=seed, match_tones=match_tones
        )
    doubts = [] if frames is None else task_doubt(weights or suite, frames.shown[0], chosen.name)
    say([*sequence.messages, *doubts, f"building the simulation of {chosen.name}"])
    out.mkdir(parents=True, exist_ok=True)
    scene = {"suite": suite, "task": chosen.name}
    with Simulation(chosen, image_size=image_size) as simulation:
        alike: float | None = None
        if state is None:
            assert frames is not None
            state, alike = find_state(simulation, frames.shown[0])
        sequence = replace(sequence, scene=scene | {"initial_state": state})
        clear_results(out)
        write_actions(sequence, out / "actions.npz")
        target = out / "rollout.mp4" if film else None
        facts = facts_of_play(simulation, sequence, frames, target)
    document = {
        "source": str(source),
        **sequence.scene,
        "resemblance": alike,
        **facts_of(sequence),
        "seed": seed,
        **facts,
        "messages": [*sequence.messages, *doubts],
    }
    keep_and_tell(document, chosen, out, as_json)


def read_video(
    source: Path, weights: str, stride: int | None, **options: Any
) -> tuple[Keyframes, ActionSequence]:
    """The frames of a video, and the actions that a model reads in them."""
    from armsight.actions.keyframes import load_keyframes
    from armsight.actions.model import ActionModel
    from armsight.cli._notes import stride_notes
    from armsight.cli._progress import bar_on_terminal

    model = ActionModel.from_pretrained(weights)
    frames = load_keyframes(source, model.session.input_size, progress=bar_on_terminal)
    sequence = model.predict_action_chunk(frames, stride, **options)
    notes = stride_notes(model, frames, stride, every=1)
    return frames, replace(sequence, messages=(*sequence.messages, *notes))


def keep_and_tell(document: dict[str, Any], task: SuiteTask, out: Path, as_json: bool) -> None:
    """Write what was played from where, and what became of it, and print it."""
    from armsight.files import atomic_write

    with atomic_write(out / "rollout.json") as path:
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
        return
    alike = document["resemblance"]
    fit = "" if alike is None else f" (most like the first frame: correlation {alike:.2f})"
    click.echo(f"{task.instruction}, initial state {document['initial_state']}{fit}")
    click.echo(
        f"{'success' if document['success'] else 'no success'} after {document['num_steps']} "
        f"steps: {document['what_happened']}"
    )
    click.echo(f"wrote {out}", err=True)


def facts_of(sequence: ActionSequence) -> dict[str, Any]:
    """What was played, for rollout.json."""
    return {
        "tones": dict(sequence.tones),
        "route": sequence.route,
        "stride": sequence.stride,
        "num_actions": len(sequence),
    }


def facts_of_play(
    simulation: Simulation, sequence: ActionSequence, frames: Keyframes | None, film: Path | None
) -> dict[str, Any]:
    """Play actions in their scene, and say how it went, for rollout.json.

    Args:
        frames: to be filmed beside the simulation, where there is one for each key step.
        film: file of the film, if one is wanted.
    """
    from armsight.cli.control._play import play
    from armsight.control.outcome import OutcomeWatch

    judge = OutcomeWatch(simulation)
    fits = frames is not None and len(frames) == len(sequence.keyframe_steps)
    shown = frames.shown if frames is not None and fits else None
    result = play(simulation, sequence, sequence.scene["initial_state"], film, shown, judge)
    outcome = judge.outcome()
    return {
        "num_steps": result.num_steps,
        "success": result.success,
        "picked": outcome.picked,
        "lifted_m": round(outcome.lifted, 4),
        "distance_to_basket_m": round(outcome.distance, 4),
        "what_happened": outcome.text(result.success),
    }


def clear_results(out: Path) -> None:
    """Take away what an earlier rollout left: it would outlive a run that is killed."""
    with suppress(OSError):
        for name in ("rollout.json", "rollout.mp4"):
            (out / name).unlink(missing_ok=True)


def find_task_of(
    task: str | None, suite: str, sequence: ActionSequence | None, source: Path
) -> SuiteTask:
    """The task that was asked for, that the actions were played in, or that the video is named by.

    Raises:
        UnknownTaskError: no such task or suite.
        ConfigError: nothing says which.
    """
    from armsight.control.suite import find_task
    from armsight.errors import ConfigError, UnknownTaskError

    video = source
    if sequence is not None:
        task = task or sequence.scene.get("task")
        video = Path(sequence.source or "")
    try:
        return find_task(video.stem if task is None else task, suite)
    except UnknownTaskError as error:
        if task is not None:
            raise
        raise ConfigError(
            f"{source} does not say which task it belongs to; give --task: {error}"
        ) from None


def frames_of(sequence: ActionSequence) -> Keyframes | None:
    """The video or folder that actions were read from, if it is still there."""
    from armsight.actions.keyframes import load_keyframes
    from armsight.errors import ArmsightError

    if sequence.source is None or not Path(sequence.source).exists():
        return None
    with suppress(ArmsightError):
        return load_keyframes(sequence.source, int(sequence.card.get("input_size", 160)))
    return None


def check_start(
    source: Path, sequence: ActionSequence, state: int | None, frames: Keyframes | None
) -> None:
    """Raise ConfigError where nothing says from which initial state actions are to be played."""
    from armsight.errors import ConfigError

    if state is not None or frames is not None:
        return
    where = f"{sequence.source}, which they were read from, is not there or has changed"
    if sequence.source is None:
        where = "they were read from pictures that are in no file"
    raise ConfigError(
        f"where the actions of {source} begin is not known: no rollout wrote them, and {where}. "
        "Give --init-state a number from 0 to 49, or play the video itself"
    )
