"""`armsight render`: training and test pictures of a robot."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from armsight.cli.workshop._malloc import keep_large_blocks
from armsight.cpus import available_cpus


@click.command(name="render")
@click.option("--robot", default="panda", show_default=True, help="Name, data file, URDF or MJCF.")
@click.option("--preset", type=click.Choice(
    ["train", "train-robot-camera", "held-out", "robot-camera", "no-robot", "other-arm",
     "unknown-arm"]),
              default="train", show_default=True,
              help="train: crops for training. held-out: 2,000 whole frames, surfaces and random "
              "numbers of which no training picture has any. robot-camera, train-robot-camera: "
              "half an arm close by, other hands, people. no-robot, other-arm, unknown-arm: 1,000 "
              "frames without the robot, or with another arm, known or unknown.")  # fmt: skip
@click.option("--count", type=click.IntRange(min=1), help="How many pictures [by preset].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--format", "format_", type=click.Choice(["shards", "ndds", "both"]),
              help="shards: square crops for training; ndds: whole frames in DREAM's layout "
              "[by preset]. both: OUT/shards and OUT/ndds.")  # fmt: skip
@click.option("--size", type=click.IntRange(min=32, max=1024), default=256, show_default=True,
              help="Side of the crops [px].")  # fmt: skip
@click.option("--poses", type=click.Choice(["train", "eval", "no-robot", "mixed"]),
              help="train: working, uniform, table-top poses. eval: 80 % around the ready pose, "
              "20 % uniform. no-robot: none. mixed: train, with the preset's negatives. "
              "[by preset]")  # fmt: skip
@click.option("--arm", "arms", multiple=True,
              type=click.Choice(["sawyer", "kinova3", "jaco", "ur5e", "xarm7", "iiwa7", "baxter"]),
              help="Other makers' arms to draw as negatives [by preset]; repeatable.")  # fmt: skip
@click.option("--backgrounds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of pictures to put behind the robot, beside made-up ones.")  # fmt: skip
@click.option("--shard-rows", type=click.IntRange(min=1), default=256, show_default=True,
              help="Pictures in a shard; a shard is kept when it is whole.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=available_cpus(),
              show_default="number of cores")  # fmt: skip
def command(
    robot: str, preset: str, count: int | None, seed: int, out: Path, format_: str | None,
    size: int, poses: str | None, arms: tuple[str, ...], backgrounds: Path | None, shard_rows: int,
    workers: int,
) -> None:  # fmt: skip
    """Render pictures of a robot with known joints, keypoints and camera.

    Interrupted, the same command goes on where it stopped. The same seed gives the same pictures.
    """
    keep_large_blocks()  # the workers start with it
    from armsight.render import presets
    from armsight.render.dataset import render_set

    settings = replace(presets.preset(preset), seed=seed, size=size)
    if poses:
        settings = presets.with_poses(settings, poses)
    if arms:
        settings = replace(settings, arms=arms, other_arm=settings.other_arm or 1.0)
    chosen = format_ or presets.FORMATS[preset]
    formats = ("shards", "ndds") if chosen == "both" else (chosen,)
    total = count or presets.COUNTS[preset]
    for kind in formats:
        folder = out / kind if chosen == "both" else out
        ticker = Ticker(total)
        try:
            left = render_set(
                robot, settings, folder, total, format=kind, workers=workers,
                backgrounds=backgrounds, progress=ticker, rows=shard_rows,
            )  # fmt: skip
        except KeyboardInterrupt:
            ticker.end()
            click.echo("stopped; the same command goes on from here", err=True)
            sys.exit(130)
        ticker.end()
        click.echo(f"{folder}: {total} pictures ({left} new, {kind})", err=True)


class Ticker:
    """A line with the number of pictures made, their rate and the time left."""

    def __init__(self, total: int) -> None:
        self._total, self._made = total, 0
        self._begin, self._shown = time.monotonic(), 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, made: int) -> None:
        """Count pictures that were just made."""
        if not self._made:
            # Starting the workers is not part of the rate.
            self._begin = time.monotonic()
        self._made += made
        now = time.monotonic()
        if now - self._shown < (0.5 if self._live else 15.0):
            return
        self._shown = now
        rate = self._made / max(now - self._begin, 0.1)
        left = max(int((self._total - self._made) / rate), 0)
        line = (
            f"{self._made}/{self._total} images, {rate:.1f} images/s, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )
        click.echo(f"\r{line}  " if self._live else line, err=True, nl=not self._live)

    def end(self) -> None:
        """Leave the line."""
        if self._live and self._made:
            click.echo("", err=True)
