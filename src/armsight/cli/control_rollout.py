"""`armsight control rollout`: play actions, or those of a video, in a simulated task."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

BEST = "best"


@click.command(name="rollout")
@click.argument("source", type=click.Path(path_type=Path), metavar="ACTIONS|VIDEO|FRAMES_DIR")
@click.option("--suite", default="libero_object", show_default=True)
@click.option("--task", required=True, help="Name, object or number of the task.")
@click.option("--init-state", "initial_state", default=BEST, show_default=True, metavar="N|best",
              help="Initial state; best: the one that looks most like frame 0.")  # fmt: skip
@click.option("--weights", help="Action model for a video; by default the suite's.")
@click.option("--route", type=click.Choice(["direct", "track"]),
              help="How a video becomes actions; by default what the weights prefer.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1), help="Control steps from frame to frame.")
@click.option("--match-tones/--as-is", "match", default=True, show_default=True,
              help="Give a video the tones of the simulator's first picture.")  # fmt: skip
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
    task: str,
    initial_state: str,
    weights: str | None,
    route: str | None,
    stride: int | None,
    match: bool,
    seed: int,
    out: Path,
    film: bool,
    image_size: int,
    as_json: bool,
) -> None:
    """Play ACTIONS (.parquet or .npz from `armsight actions`), or what a model reads in a VIDEO.

    Open loop: all actions are computed, and written to --out, before the first step.
    """
    from armsight.actions.files import read_actions, write_actions
    from armsight.actions.model import ActionModel
    from armsight.control import rollout as player
    from armsight.control.outcome import OutcomeWatch
    from armsight.control.resemblance import most_alike
    from armsight.control.simulation import Simulation
    from armsight.control.suite import NUM_INITIAL_STATES, find_task, split_of
    from armsight.control.world_models import match_tones, read_keyframes
    from armsight.errors import ConfigError
    from armsight.files import atomic_write

    chosen = find_task(task, suite)
    state: int | None = None
    if initial_state != BEST:
        if not initial_state.isdigit():
            raise ConfigError(f"--init-state is {initial_state!r}; give a number, or {BEST!r}")
        state = int(initial_state)
        split_of(state)
    frames = sequence = model = None
    if source.suffix in (".parquet", ".npz"):
        sequence = read_actions(source)
        if state is None:
            raise ConfigError("actions show no first frame; give --init-state a number")
    else:
        frames = read_keyframes(source)
        model = ActionModel.from_pretrained(weights or suite)
    out.mkdir(parents=True, exist_ok=True)

    with Simulation(chosen, image_size=image_size) as simulation:
        alike: float | None = None
        if state is None:
            assert frames is not None
            with click.progressbar(
                range(NUM_INITIAL_STATES), label="comparing initial states", file=sys.stderr
            ) as tried:
                states, correlations = most_alike(simulation, frames[0], tried)
            state, alike = states[0], float(correlations[0])
        if sequence is None:
            assert frames is not None
            assert model is not None
            shown_to_model = frames
            if match:
                simulation.reset(state)
                shown_to_model = match_tones(frames, simulation.render())
            sequence = model.predict_action_chunk(shown_to_model, stride, route=route, seed=seed)
        write_actions(sequence, out / "actions.npz")
        judge = OutcomeWatch(simulation)
        if film:
            steps = sequence.keyframe_steps
            shown = None if frames is None else [
                frames[(steps <= t).sum() - 1] for t in range(len(sequence))
            ]  # fmt: skip
            with player.filming(out / "rollout.mp4", simulation, shown) as camera:

                def watch(step: int) -> None:
                    judge(step)
                    camera(step)

                result = player.rollout(simulation, sequence.actions, state, watch=watch)
        else:
            result = player.rollout(simulation, sequence.actions, state, watch=judge)
        outcome = judge.outcome()
    document: dict[str, Any] = {
        "source": str(source),
        "suite": suite,
        "task": chosen.name,
        "initial_state": state,
        "resemblance": alike,
        "tones": "matched" if match and frames is not None else "as they are",
        "route": sequence.route,
        "stride": sequence.stride,
        "seed": seed,
        "num_actions": len(sequence),
        "num_steps": result.num_steps,
        "success": result.success,
        "picked": outcome.picked,
        "lifted_m": round(outcome.lifted, 4),
        "distance_to_basket_m": round(outcome.distance, 4),
        "what_happened": outcome.text(result.success),
        "messages": list(sequence.messages),
    }
    with atomic_write(out / "rollout.json") as path:
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
        return
    fit = "" if alike is None else f" (most like the first frame: correlation {alike:.2f})"
    click.echo(f"{chosen.instruction}, initial state {state}{fit}")
    click.echo(
        f"{'success' if result.success else 'no success'} after {result.num_steps} steps: "
        f"{document['what_happened']}"
    )
    click.echo(f"wrote {out}", err=True)
