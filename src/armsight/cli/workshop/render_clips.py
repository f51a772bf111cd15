"""`armsight render-clips`: photos and videos of a robot before a fixed camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from armsight.cli._progress import progress

if TYPE_CHECKING:
    from armsight.render.clips.clip import Clip, ClipMaker

FAULTS = ("none", "lag", "zero", "camera-shift", "camera-turn")


@click.command(name="render-clips")
@click.option("--robot", default="panda", show_default=True, help="Name, data file, URDF or MJCF.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True,
              help="How many clips.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the first clip; the next has the next. By custom, 0 to 999 are for tuning "
              "and 1000 and more for tests.")  # fmt: skip
@click.option("--frames", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--fps", type=click.FloatRange(min=0.1),
              help="Of a moving arm. Without it: photos of unrelated poses.")  # fmt: skip
@click.option("--fault", "faults", multiple=True, type=click.Choice(FAULTS),
              help="What is wrong with the log or the camera; given several times, clips take "
              "turns. lag: 1 to 10 frames, either way. zero: a joint is off by 2 degrees. "
              "camera-shift, camera-turn: by 2 cm or 1 degree, from some frame on.")  # fmt: skip
@click.option("--disturbed", is_flag=True,
              help="In a third of the clips each: shadows move, the exposure changes, someone "
              "walks past.")  # fmt: skip
@click.option("--size", type=(int, int), default=(640, 480), show_default=True,
              help="Width and height [px].")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(["photos", "lerobot"]), default="photos",
              show_default=True,
              help="photos: OUT/SEED/ with color/, qpos/, K.txt, truth.json. lerobot: one data set "
              "(v3) with an episode for each clip; needs --fps.")  # fmt: skip
@click.option("--backgrounds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of pictures to hang on walls, beside made-up ones.")  # fmt: skip
def command(
    robot: str, out: Path, count: int, seed: int, frames: int, fps: float | None,
    faults: tuple[str, ...], disturbed: bool, size: tuple[int, int], format_: str,
    backgrounds: Path | None,
) -> None:  # fmt: skip
    """Render clips of a robot whose joints and camera are known.

    Interrupted, the same command goes on where it stopped. The same seed gives the same pictures.
    """
    from armsight.render.clips.clip import ClipMaker, ClipSettings
    from armsight.render.clips.write import write_episodes, write_photos
    from armsight.robots import load_robot

    if format_ == "lerobot" and fps is None:
        raise click.UsageError("--format lerobot needs --fps")
    known = load_robot(robot)
    settings = ClipSettings(frames=frames, fps=fps, size=size)
    seeds = [number for number in range(seed, seed + count) if not _made(out, number, format_)]
    maker = ClipMaker(known, settings, backgrounds)
    try:
        clips = _clips(maker, seeds, seed, faults or ("none",), disturbed)
        if format_ == "lerobot":
            write_episodes(out, known, clips, fps or 0.0, size)
        else:
            for number, clip in clips:
                write_photos(out / f"{number:04d}", clip, number)
    finally:
        maker.close()
    click.echo(f"{out}: {count} clips ({len(seeds)} new)", err=True)


def _clips(
    maker: ClipMaker, seeds: list[int], first: int, kinds: tuple[str, ...], disturbed: bool
) -> Iterator[tuple[int, Clip]]:
    from armsight.render.clips.faults import sample_faults

    frames, joints = maker.settings.frames, len(maker.robot.joint_names)
    for number in progress(seeds, len(seeds), "clips"):
        kind = kinds[(number - first) % len(kinds)]
        faults = sample_faults(kind, number, frames, joints, disturbed=disturbed)
        yield number, maker.make(number, faults)


def _made(out: Path, seed: int, format_: str) -> bool:
    """Whether the clip is there already."""
    if format_ == "photos":
        return (out / f"{seed:04d}" / "truth.json").is_file()
    from armsight.data.lerobot.layout import INFO
    from armsight.data.lerobot.reader import read_episodes

    if not (out / INFO).is_file():
        return False
    return any(record.get("seed") == seed for record in read_episodes(out))
