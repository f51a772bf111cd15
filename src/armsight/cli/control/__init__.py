"""`armsight control`: demonstrations and rollouts in simulated tasks."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from armsight.cli.control.rollout import rollout
from armsight.cpus import available_cpus


@click.group(name="control")
def command() -> None:
    """Make demonstrations in LIBERO-Object, and play actions there."""


@command.command(
    name="demos", short_help="Demonstrations of a scripted expert, as a LeRobotDataset."
)
@click.option("--suite", default="libero_object", show_default=True, help="Which tasks.")
@click.option("--tasks", "wanted", default="all", show_default=True,
              help="Numbers, names or objects, separated by commas; such as 0,milk.")  # fmt: skip
@click.option("--count", type=click.IntRange(min=1), required=True, help="How many episodes.")
@click.option("--split", default="train", show_default=True,
              help="Initial states: train 0 to 29, validation 30 to 39, test 40 on.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder of the LeRobotDataset.")  # fmt: skip
@click.option("--frames-every", default="random", show_default=True,
              help="Control steps between pictures; random: 1 to 8, by episode.")  # fmt: skip
@click.option("--image-size", type=click.IntRange(min=32, max=1024), default=128,
              show_default=True, help="Width and height of the pictures [px].")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=available_cpus(),
              show_default="number of cores", help="Processes; each takes 1 GB.")  # fmt: skip
def demos(
    suite: str, wanted: str, count: int, split: str, seed: int, out: Path, frames_every: str,
    image_size: int, workers: int,
) -> None:  # fmt: skip
    """Let a scripted expert solve tasks, and store it as a LeRobotDataset v3.

    Only episodes that solve their task are kept. Interrupted, the same command goes on where it
    stopped, and a larger --count adds to what is there. The same seed gives the same episodes. A
    second process that would write to the same folder is refused.
    """
    from armsight.control.demos import make_demos, plan
    from armsight.control.suite import find_task
    from armsight.errors import ConfigError

    every = None
    if frames_every != "random":
        if not frames_every.isdigit() or int(frames_every) < 1:
            raise ConfigError(
                f"--frames-every {frames_every}: give a whole number of control steps, or 'random'"
            )
        every = int(frames_every)
    chosen: tuple[int, ...] = ()
    if wanted != "all":
        chosen = tuple(dict.fromkeys(find_task(t, suite).index for t in wanted.split(",")))
    jobs = plan(
        count, split, seed, suite=suite, task_indices=chosen, frames_every=every,
        image_size=image_size,
    )  # fmt: skip
    start, begun = time.monotonic(), -1

    def tell(done: int, failures: int) -> None:
        nonlocal begun
        begun = done if begun < 0 else begun
        rate = (time.monotonic() - start) / max(done - begun, 1)
        left = f", {rate:.1f} s each, {rate * (count - done) / 60:.0f} min left"
        text = f"{done} of {count} episodes{left if done > begun else ''}; {failures} tries failed"
        if sys.stderr.isatty():
            click.echo(f"\r{text:<78}", err=True, nl=False)
        else:
            click.echo(text, err=True)

    try:
        total, failures = make_demos(out, jobs, workers, tell)
    except KeyboardInterrupt:
        click.echo("\nstopped; the same command goes on from here", err=True)
        sys.exit(130)
    click.echo(f"\n{out}: {total} episodes; {failures} attempts failed", err=True)


@command.command(name="first-pictures", short_help="How a suite's tasks look, for weights.")
@click.option("--suite", default="libero_object", show_default=True, help="Which tasks.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Weights folder to write first_pictures.npz to.")  # fmt: skip
def first_pictures(suite: str, out: Path) -> None:
    """Look at all tasks of a suite in ten training states, and keep that beside weights.

    With it, `armsight actions` can match the tones of another renderer, and a rollout can doubt
    that a video shows the task that was named.
    """
    from armsight.actions.first_pictures import FILE, write_first_pictures
    from armsight.cli._progress import progress
    from armsight.control.suite import SPLITS
    from armsight.control.task_recognition import look_at

    made = look_at(suite, SPLITS["train"][::3], lambda found: progress(found, len(found), suite))
    write_first_pictures(made, out / FILE)
    click.echo(f"wrote {out / FILE}", err=True)


command.add_command(rollout)
