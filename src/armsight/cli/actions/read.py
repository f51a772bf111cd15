"""`armsight actions`: keyframes in; actions as Parquet, npz and a plot out."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from armsight.actions.files import read_actions, write_actions
from armsight.actions.histogram_matching import MODES
from armsight.actions.joint_path import JointPath, joint_path
from armsight.actions.joint_path_files import FORMATS, write_checks, write_joint_path
from armsight.actions.keyframes import load_keyframes
from armsight.actions.model import ROUTES, ActionModel
from armsight.actions.pairs import check_stride
from armsight.actions.plot import MARK, draw_actions
from armsight.actions.sequence import ActionSequence
from armsight.cli._notes import say, stride_notes
from armsight.cli._progress import bar_on_terminal
from armsight.cli._report import printable
from armsight.errors import ArmsightError, ConfigError, OutputError
from armsight.files import atomic_write
from armsight.outputs.documents import dumps
from armsight.robots import Robot, load_robot

NEEDS = {"parquet": ("Parquet file", "pyarrow", "actions"), "plot": ("plot", "matplotlib", "viz")}
"""What a plain install does not write: what it is, and the package and extra that it needs"""


@click.command()
@click.argument("frames", type=click.Path(path_type=Path), metavar="VIDEO|FRAMES_DIR")
@click.option("--task", default="libero_object", show_default=True,
              help="Name of the weights: what they were trained on, a whole suite of tasks. "
              "Which of its tasks is played is --scene here, and --task in `armsight control "
              "rollout`.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), metavar="DIR",
              help="Weights folder, instead of --task.")  # fmt: skip
@click.option("--stride", type=int, metavar="N",
              help="Control steps from frame to frame.  [default: the weights' own]")  # fmt: skip
@click.option("--every", type=int, default=1, show_default=True, metavar="N",
              help="Take each N-th frame as a keyframe.")  # fmt: skip
@click.option("--route", type=click.Choice(ROUTES),
              help="direct: the model's actions; track: those that follow its path.  "
              "[default: what the weights say]")  # fmt: skip
@click.option("--hypotheses", type=int, metavar="N",
              help="Samples for each pair.  [default: what the weights say]")  # fmt: skip
@click.option("--match-tones", type=click.Choice(MODES), default="auto", show_default=True,
              help="Give the frames the tones of the pictures that the weights know; auto: where "
              "they are far off.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
              help="Where results are written.  [default: here]")  # fmt: skip
@click.option("--format", "forms", type=click.Choice(list(FORMATS)), multiple=True,
              help="Also write the path of the robot's joints, within its limits: for ROS, as a "
              "LeRobot data set, as a table. May be given several times.")  # fmt: skip
@click.option("--robot", metavar="NAME|FILE",
              help="With --format: whose joints and limits.  [default: what the weights "
              "say]")  # fmt: skip
@click.option("--rate", type=float, metavar="HZ",
              help="With --format: rows per second.  [default: the actions' own rate]")  # fmt: skip
@click.option("--preview", is_flag=True,
              help="Also write a video of the simulator executing the actions.")  # fmt: skip
@click.option("--scene", metavar="TASK[:STATE]",
              help="With --preview: task (name or number) and initial state to play them in.  "
              "[default: by the video's name, and the state most like its start]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    frames: Path,
    task: str,
    weights: Path | None,
    stride: int | None,
    every: int,
    route: str | None,
    hypotheses: int | None,
    match_tones: str,
    out: Path,
    forms: tuple[str, ...],
    robot: str | None,
    rate: float | None,
    preview: bool,
    scene: str | None,
    as_json: bool,
) -> None:
    """Read the actions between the frames of a video.

    VIDEO|FRAMES_DIR is a video, or a folder of pictures in the order of the numbers in their
    names; each frame is a keyframe. Written are NAME.parquet, NAME.npz and NAME.actions.svg, with
    --preview NAME.preview.mp4, and with --format the joints' path and NAME.joints.json.
    """
    try:
        name = frames.resolve().stem if frames.is_file() else frames.resolve().name
        targets = find_targets(out, name, preview)
        if every < 1:
            raise ConfigError(f"--every is {every}; give 1 or more")
        if (robot or rate) and not forms:
            raise ConfigError("--robot and --rate are of the joints' path: give --format, too")
        model = ActionModel.from_pretrained(weights or task)
        arm = load_robot(robot or model.robot) if forms else None
        if stride is not None:
            check_stride(stride, model.max_stride)
        place: Any = None
        if preview:  # what is wrong with it is said before anything is written
            from armsight.cli.control._preview import find_scene, write_preview

            place = find_scene(scene, name, model.task)
        keyframes = load_keyframes(frames, model.session.input_size, every, bar_on_terminal)
        sequence = model.predict_action_chunk(
            keyframes, stride, route=route, num_hypotheses=hypotheses, match_tones=match_tones,
            progress=bar_on_terminal,
        )  # fmt: skip
        notes = stride_notes(model, keyframes, stride, every)
        sequence = replace(sequence, messages=(*sequence.messages, *notes))
        sequence = write_all(sequence, targets)
        say(sequence.messages)
        joints = write_joints(sequence, arm, forms, rate, out / name, targets) if arm else None
        document = {**sequence.to_json(), "horizon": len(sequence), "error": None}
        if preview:
            document["preview"] = write_preview(
                sequence, keyframes, place, weights or task, targets["preview"]
            )
        document["joint_path"] = joints.checks if joints else None
        document["files"] = {key: str(path) for key, path in targets.items() if path.exists()}
    except ArmsightError as error:
        click.echo(printable(f"armsight: {error}"), err=True)
        if as_json:
            click.echo(dumps({"source": str(frames), "task": task, "error": str(error)}))
        sys.exit(error.exit_code)
    if as_json:
        click.echo(dumps(document))
        return
    click.echo(printable(summary(sequence, document)))


def find_targets(out: Path, name: str, preview: bool) -> dict[str, Path]:
    """Files to write; none of them may be something that armsight did not write.

    Raises:
        OutputError: one of them is.
    """
    targets = {
        "npz": out / f"{name}.npz",
        "parquet": out / f"{name}.parquet",
        "plot": out / f"{name}.actions.svg",
    }
    for key, (_, package, _) in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            del targets[key]
    for key, path in targets.items():
        if path.exists() and not _is_ours(key, path):
            raise OutputError(
                f"{path} exists and was not written by armsight; it will not be overwritten. "
                "Choose another --out"
            )
    if preview:
        targets["preview"] = out / f"{name}.preview.mp4"
    return targets


def _is_ours(key: str, path: Path) -> bool:
    if key == "plot":
        with contextlib.suppress(OSError), path.open("rb") as file:
            return MARK.encode() in file.read(1000)
        return False
    with contextlib.suppress(ArmsightError):
        read_actions(path)
        return True
    return False


def write_all(sequence: ActionSequence, targets: dict[str, Path]) -> ActionSequence:
    """Write the files; the sequence with a note where one could not be."""
    missing = [
        f"no {name} was written, for that needs: pip install 'armsight[{extra}]'"
        for key, (name, _, extra) in NEEDS.items()
        if key not in targets
    ]
    sequence = replace(sequence, messages=(*sequence.messages, *missing))
    write_actions(sequence, targets["npz"])
    if "parquet" in targets:
        write_actions(sequence, targets["parquet"])
    if "plot" in targets:
        with atomic_write(targets["plot"]) as path:
            path.write_text(draw_actions(sequence), encoding="utf-8")
    return sequence


def write_joints(
    sequence: ActionSequence, robot: Robot, forms: tuple[str, ...], rate: float | None, stem: Path,
    targets: dict[str, Path],
) -> JointPath:  # fmt: skip
    """Write the joints' path in every form, and what was checked; `targets` gets their places."""
    path = joint_path(sequence, robot, rate)
    say(path.messages)
    for form in dict.fromkeys(forms):
        targets[form] = stem.with_name(f"{stem.name}.{FORMATS[form]}")
        write_joint_path(path, form, targets[form])
    targets["joints"] = stem.with_name(f"{stem.name}.joints.json")
    write_checks(path, targets["joints"])
    return path


def joint_lines(checks: dict[str, Any]) -> list[str]:
    """The joints' path in words: frame, rate, and how near it comes to the limits."""
    speed, pull = (max(checks["share_of_limits"][key]) for key in ("velocity", "acceleration"))
    lines = [
        f"  joints: {checks['by']}, frame: {checks['frame']}, {checks['rate_hz']:g} rows/s, "
        f"{checks['duration_s']:.2f} s ({checks['slowed']:.2f} times as long as asked for)",
        f"  of the limits: {100 * speed:.0f} % of speed, {100 * pull:.0f} % of acceleration; jerk "
        "and collisions were not checked: docs/actions.md says what to look at before it moves",
    ]
    if "position_error_mm" in checks:
        lines.append(
            f"  poses missed by at most {checks['position_error_mm']:.2f} mm, "
            f"{checks['rotation_error_deg']:.2f} deg; smoothing above "
            f"{checks['smoothed_above_hz']:g} Hz moved the tool by "
            f"{checks['smoothing_moved_mm']['median']:.1f} mm in the median, "
            f"{checks['smoothing_moved_mm']['most']:.1f} mm at most"
        )
    return lines


def summary(sequence: ActionSequence, document: dict[str, Any]) -> str:
    """What a person wants to know at a glance."""
    spec = sequence.spec
    lines = [
        f"{sequence.source}: {len(sequence.keyframe_steps)} keyframes -> {len(sequence)} actions "
        f"at {spec.rate_hz:g} Hz ({sequence.times[-1]:.2f} s), route {sequence.route}"
    ]
    if spec.controller:
        lines.append(f"  {spec.controller}, {spec.frame} frame, {spec.gripper_sign}")
    lines += [
        f"  {spec.actions[i].name}: {_changes(sequence, i, bool(spec.gripper_sign))}"
        for i in spec.voted
    ]
    width = max(8, *map(len, spec.action_names))
    lines.append(f"  {'':{width}}  scale       mean |action|  ± std")
    for i, one in enumerate(spec.actions):
        scale = f"{one.command:g} {one.unit}" if one.command != 1 or not one.unit else one.unit
        mean, std = np.abs(sequence.actions[:, i]).mean(), sequence.std[:, i].mean()
        lines.append(f"  {one.name:{width}}  {scale:10}  {mean:13.3f}  {std:5.3f}")
    if document.get("joint_path"):
        lines += joint_lines(document["joint_path"])
    if "preview" in document:
        lines.append(f"  preview: {document['preview']['text']}")
    lines.append(f"  wrote {', '.join(document['files'].values())}")
    return "\n".join(lines)


def _changes(sequence: ActionSequence, i: int, opens: bool) -> str:
    """When a binary command changes."""
    one = sequence.spec.actions[i]
    upper = sequence.actions[:, i] > (one.low + one.high) / 2
    turns = np.flatnonzero(np.diff(upper.astype(int))) + 1
    words = ("opens", "closes") if opens else (f"to {one.low:g}", f"to {one.high:g}")
    start = ("open", "closed") if opens else (f"at {one.low:g}", f"at {one.high:g}")
    later = [f"{words[int(upper[t])]} at {sequence.times[t]:.2f} s" for t in turns]
    return ", ".join([f"starts {start[int(upper[0])]}", *later])
