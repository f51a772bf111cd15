"""`armsight actions label`: videos in, a LeRobot data set of pseudo-labelled episodes out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from armsight.actions.histogram_matching import MODES
from armsight.actions.label import MARK, Labelled, camera_key, features, fitting, label_video
from armsight.actions.model import ROUTES, ActionModel
from armsight.actions.pairs import check_stride
from armsight.cli._notes import say
from armsight.cli._report import printable
from armsight.data.lerobot import LeRobotWriter
from armsight.data.lerobot.layout import is_data_set, read_info
from armsight.data.video import SUFFIXES
from armsight.errors import ArmsightError, ConfigError, OutputError
from armsight.files import exclusive


@click.command(name="label")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO|FOLDER...")
@click.option("--into", type=click.Path(path_type=Path), required=True, metavar="DATASET",
              help="Folder of the LeRobot data set; one begun before is continued.")  # fmt: skip
@click.option("--task", default="libero_object", show_default=True,
              help="Name of the weights.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), metavar="DIR",
              help="Weights folder, instead of --task.")  # fmt: skip
@click.option("--instruction", metavar="TEXT",
              help="What the robot was asked to do.  [default: each video's name]")  # fmt: skip
@click.option("--stride", type=int, metavar="N",
              help="Control steps from keyframe to keyframe.  "
              "[default: the weights' own]")  # fmt: skip
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Take each N-th frame as a keyframe. Where that is the stride, the frames "
              "between are kept as pictures of the steps between.")  # fmt: skip
@click.option("--route", type=click.Choice(ROUTES), help="See `armsight actions --help`.")
@click.option("--match-tones", type=click.Choice(MODES), default="auto", show_default=True,
              help="See `armsight actions --help`.")  # fmt: skip
def command(
    videos: tuple[str, ...],
    into: Path,
    task: str,
    weights: Path | None,
    instruction: str | None,
    stride: int | None,
    every: int,
    route: str | None,
    match_tones: str,
) -> None:
    """Write a LeRobot v3 data set of videos and the actions that were read from them.

    Each VIDEO (or FOLDER of videos, or of pictures) becomes an episode with a row for each control
    step. `info.json` and every episode's record say that these are pseudo labels, and whose. A
    video that is in the data set already is left out, so that a run that was stopped goes on.
    """
    model = ActionModel.from_pretrained(weights or task)
    if stride is not None:
        check_stride(stride, model.max_stride)
    made_by = {
        "by": "armsight actions label",
        "weights": model.task,
        "stride": stride or model.default_stride,
        "every": every,
        "route": route or model.default_route,
        "match_tones": match_tones,
    }
    sources = find_videos(videos)
    with exclusive(into):
        done = _begun(into, made_by)
        failed: list[ArmsightError] = []
        writer: LeRobotWriter | None = None
        for number, source in enumerate(sources, 1):
            where = os.path.abspath(source)
            if where in done:
                click.echo(printable(f"{source}: is in {into} already"))
                continue
            try:
                labelled = label_video(
                    model, source, stride, every, route=route, match_tones=match_tones
                )
            except ArmsightError as error:
                failed.append(error)
                click.echo(printable(f"{source}: left out: {error}"), err=True)
                continue
            say(labelled.sequence.messages)
            writer = writer or _open(into, model, labelled, made_by)
            text = instruction or source.stem.replace("_", " ")
            index = _add(writer, labelled, where, text, model)
            click.echo(printable(
                f"{number} of {len(sources)}: {source} -> episode {index}, "
                f"{len(labelled.sequence)} steps at {model.spec.rate_hz:g} Hz"
            ))  # fmt: skip
        if writer is not None:
            writer.close()
    if is_data_set(into):
        click.echo(printable(f"wrote {into}: {read_info(into)['total_episodes']} episodes"))
    if failed:
        sys.exit(failed[0].exit_code)


def find_videos(paths: Sequence[str]) -> list[Path]:
    """Videos, and folders of pictures; a folder that holds videos stands for these."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(path.iterdir()) if path.is_dir() else []
        videos = [one for one in inside if one.suffix.lower() in SUFFIXES]
        found += videos or [path]
    return list(dict.fromkeys(found))


def _begun(into: Path, made_by: dict[str, Any]) -> set[str]:
    """Sources of the episodes that are there.

    Raises:
        OutputError: the folder holds something else.
        ConfigError: it was begun with other settings.
    """
    if not is_data_set(into):
        if any(into.iterdir()):
            raise OutputError(f"{into} holds something else; choose another --into")
        return set()
    before = read_info(into).get("armsight", {}).get(MARK)
    if before is None:
        raise OutputError(
            f"{into} is a data set of true actions; pseudo labels are not mixed in. Choose another "
            "--into"
        )
    if before != made_by:
        odd = ", ".join(f"{k} {before.get(k)!r}" for k, v in made_by.items() if before.get(k) != v)
        raise ConfigError(f"{into} was begun with {odd}; give the same, or another --into")
    from armsight.data.lerobot import LeRobotReader

    return {str(one["source"]) for one in LeRobotReader(into).episodes}


def _open(
    into: Path, model: ActionModel, labelled: Labelled, made_by: dict[str, Any]
) -> LeRobotWriter:
    """The writer; the first video decides the pictures' size."""
    key = camera_key(model.spec)
    height, width = (side // 2 * 2 for side in labelled.frames[0].shape[:2])
    if is_data_set(into):
        height, width = read_info(into)["features"][key]["shape"][:2]
    extra = {MARK: made_by, "action_spec": model.spec.to_json()}
    return LeRobotWriter(
        into, fps=model.spec.rate_hz, robot_type=model.robot, extra=extra,
        features=features(model.spec, height, width),
    )  # fmt: skip


def _add(
    writer: LeRobotWriter, labelled: Labelled, where: str, text: str, model: ActionModel
) -> int:
    key = camera_key(model.spec)
    height, width = writer.features[key]["shape"][:2]
    sure = labelled.sequence.presence
    return writer.add_episode(
        labelled.rows,
        {key: fitting(labelled.frames, height, width)},
        text,
        {
            "pseudo_labelled": True,
            "source": where,
            "least_presence": float(sure.min()),
            "mean_action_std": float(labelled.sequence.std.mean()),
        },
    )
