"""`armsight export`: a training checkpoint becomes runtime weights."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from armsight.actions.first_pictures import FILE
from armsight.actions.session import FORMAT
from armsight.card import read_entries
from armsight.errors import ConfigError, MissingExtraError


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights folder.")
@click.option("--num-inference-steps", default=5, show_default=True, help="DDIM steps.")
@click.option("--num-hypotheses", default=16, show_default=True, help="Default at run time.")
@click.option("--robot", "robots", multiple=True,
              help="Which robots of a checkpoint of several [all].")  # fmt: skip
@click.option("--full-precision", is_flag=True, help="Store float32 weights.")
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="Also write a small checkpoint here that further training can start from.",
)
@click.option("--push", metavar="ORG/NAME",
              help="Also put the weights on the Hugging Face Hub, with a model card (extra `hub`);"
              " of several robots each as ORG/NAME-ROBOT.")  # fmt: skip
@click.option("--private", is_flag=True, help="Pushed weights are for your eyes.")
@click.option("--card", type=click.Path(path_type=Path), help="JSON file of further card entries.")
def command(
    checkpoint: Path,
    out: Path,
    num_inference_steps: int,
    num_hypotheses: int,
    robots: tuple[str, ...],
    full_precision: bool,
    start: Path | None,
    push: str | None,
    private: bool,
    card: Path | None,
) -> None:
    """Turn CHECKPOINT (a run's `checkpoint` folder) into runtime weights.

    Of several robots that share an encoder, OUT gets a folder for each and one for the encoder.

    Weights that read actions want one more file, which shows how their suite looks:
    `armsight control first-pictures --out WEIGHTS` writes it, with the simulator.
    """
    try:
        from armsight.models.checkpoint import save_start
        from armsight.models.export import export_checkpoint
    except ImportError as error:
        raise MissingExtraError(
            "Exporting", error.name or "torch", "pip install 'armsight[train]'"
        ) from error
    entries = {}
    if card is not None:
        try:
            entries = json.loads(card.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read card {card}: {error}") from error
    folders = export_checkpoint(
        checkpoint,
        out,
        num_inference_steps=num_inference_steps,
        num_hypotheses=num_hypotheses,
        robots=robots,
        half=not full_precision,
        card=entries,
    )
    if start is not None:
        save_start(checkpoint, start)
        click.echo(f"wrote {start}")
    for folder in folders:
        click.echo(f"wrote {folder}")
        if note := missing_pictures(folder):
            click.echo(note, err=True)
    if push is not None:
        from armsight import hub

        for folder in folders:
            name = push if len(folders) == 1 else f"{push}-{folder.name}"
            click.echo(f"pushed {hub.push(folder, name, private=private)}")


def missing_pictures(weights: Path) -> str | None:
    """What weights that read actions still lack; None where nothing is missing."""
    card = read_entries(weights)
    if card["format"] != FORMAT or (weights / FILE).is_file():
        return None
    if card["action_spec"]["controller"] != "OSC_POSE":  # only LIBERO's scenes can be drawn
        return None
    return (
        f"{weights / FILE} is still missing: without it the tones of other renderers are not "
        "matched, and no task is doubted. Write it with\n  armsight control first-pictures "
        f"--suite {card['task']} --out {shlex.quote(str(weights))}"
    )
