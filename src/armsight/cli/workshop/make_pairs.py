"""`armsight make-pairs`: a set of reference and target pictures for `armsight evaluate vlm`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from armsight.errors import ConfigError


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--rendered", type=click.IntRange(min=0), default=0, metavar="N",
              help="Render N targets (extra armsight[render]).")  # fmt: skip
@click.option("--from", "sources", multiple=True, metavar="FOLDER[=N]",
              help="N targets from a DREAM folder, or from pictures with joint angles; all "
              "without N. Repeatable.")  # fmt: skip
@click.option("--references", type=click.IntRange(1, 16), default=4, show_default=True,
              help="References of each target.")  # fmt: skip
@click.option("--robot", default="panda", show_default=True, help="Name, data file, URDF or MJCF.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def command(
    out: Path, rendered: int, sources: tuple[str, ...], references: int, robot: str, seed: int
) -> None:
    """Write pairs of reference and target pictures to OUT, the same for the same seed."""
    from armsight.vlm.study.pair_maker import make_pairs

    pool = max(references, -(-rendered // 5)) if rendered else 0
    label = "rendering" if rendered else "copying"
    with click.progressbar(length=rendered + pool or 1, label=label, file=sys.stderr) as bar:
        made = make_pairs(
            out, robot, [_source(text) for text in sources], rendered=rendered,
            references=references, seed=seed, progress=bar.update,
        )  # fmt: skip
    click.echo(f"{out}: {len(made.pairs)} targets, {references} references each")
    for note in made.notes:
        click.echo(f"  note: {note}")


def _source(text: str) -> tuple[Path, int | None]:
    folder, equals, count = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return Path(text), None
    if not count.isdigit() or int(count) < 1:
        raise ConfigError(f"--from {text!r}: the number after = must be a whole number from 1")
    return Path(folder), int(count)
