"""`armsight render`: training and test pictures of a robot."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click


@click.command(name="render")
@click.option("--robot", default="panda", show_default=True, help="Robot name or data file.")
@click.option("--count", type=click.IntRange(min=1), required=True, help="How many pictures.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--size", type=click.IntRange(min=32), default=256, show_default=True,
              help="Side of the training crops [px].")  # fmt: skip
@click.option("--backgrounds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of pictures to put behind the robot.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1,
              show_default="number of cores")  # fmt: skip
def command(
    robot: str, count: int, seed: int, out: Path, size: int, backgrounds: Path | None, workers: int
) -> None:
    """Render pictures of a robot with known joints, keypoints and camera."""
    from armsight.render.dataset import render_shards
    from armsight.render.frame import FrameSettings

    begin, made = time.monotonic(), 0

    def progress(n: int) -> None:
        nonlocal made
        made += n
        rate = made / (time.monotonic() - begin)
        click.echo(f"{made}/{count} images, {rate:.1f} images/s", err=True)

    settings = FrameSettings(seed=seed, size=size)
    render_shards(robot, settings, out, count, workers, backgrounds, progress)
