"""`armsight estimate`: images or videos in; a table, JSON and overlay pictures out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from armsight.camera.camera_file import CameraFile, read_camera_file
from armsight.camera.crops import Box
from armsight.camera.image import load_image
from armsight.camera.parse import parse_box, parse_K
from armsight.cli._inputs import Input, check_target, find_inputs
from armsight.cli._report import is_refusal, printable, table, video_summary
from armsight.errors import ArmsightError, BadIntrinsicsError, ConfigError
from armsight.estimate.estimator import Estimator
from armsight.estimate.several_robots import SeveralRobots
from armsight.files import atomic_write
from armsight.outputs.documents import dumps, failure, frame_row, video_head
from armsight.outputs.files import OverlayPicture, PictureDocument, video_files
from armsight.outputs.rerun import RerunSink
from armsight.outputs.sink import Borrowed, Shot, Sink, Sinks
from armsight.state import Estimate

if TYPE_CHECKING:
    from armsight.cli._video import ReadFrames, VideoResult

INTERRUPTED = 130
FRAMES_TO_TELL_ROBOTS, FRAMES_APART = 4, 15
"""So many frames of a video tell which robot it shows, every so many."""
STATIC_CAMERA = {"auto": None, "yes": True, "no": False}


@dataclass
class Job:
    """One call of the command: what is asked for, and how it went."""

    inputs: list[Input]
    out: Path
    as_json: bool
    overlay: bool
    hypotheses: int | None
    outline: bool | None
    """None: for images, and for videos whose camera stands still"""
    static_camera: bool | None
    """None: look"""
    K: NDArray[np.floating] | None
    camera: CameraFile | None
    fov_deg: float | None
    box: Box | None
    viewer: RerunSink | None = None
    """Takes the pictures of all inputs"""
    exit_code: int = 0
    documents: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Tell a person something; with --json, not on standard output."""
        click.echo(printable(text), err=self.as_json)

    def fail(self, error: ArmsightError) -> None:
        click.echo(printable(f"armsight: {error}"), err=True)
        self.exit_code = self.exit_code or error.exit_code

    def target(self, name: str) -> Path:
        return check_target(self.out / name, self.inputs)


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--robot", help="Robot name, weights folder, or Hugging Face Hub id.  [default: all"
              " robots whose weights come with the package]")  # fmt: skip
@click.option("--K", "K", metavar="fx,fy,cx,cy", help="Camera intrinsics [px].")
@click.option("--camera", type=click.Path(path_type=Path),
              help="Camera file: K.txt, JSON, or OpenCV/ROS YAML.")  # fmt: skip
@click.option("--fov", type=float, metavar="DEG", help="Horizontal field of view [deg].")
@click.option("--box", metavar="x0,y0,x1,y1", help="Read the arm in this part of the image [px].")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
              help="Where results are written.  [default: here]")  # fmt: skip
@click.option("--hypotheses", type=int, metavar="N",
              help="Samples of the model.  [default: what the weights say]")  # fmt: skip
@click.option("--outline/--no-outline", default=None,
              help="Move the arm's outline onto the picture's edges: more exact, slower."
              "  [default: yes, but not for videos whose camera moves]")  # fmt: skip
@click.option("--static-camera", type=click.Choice(["auto", "yes", "no"]), default="auto",
              show_default=True, help="Videos: whether the camera stands still. Then all frames"
              " share its pose, and joints are read both ways in time.")  # fmt: skip
@click.option("--overlay/--no-overlay", default=True, help="Write overlay pictures.")
@click.option("--rerun", is_flag=False, flag_value="", metavar="[FILE.rrd]",
              help="Show all in Rerun, or write it to a file for Rerun.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    images: tuple[str, ...],
    robot: str | None,
    K: str | None,
    camera: Path | None,
    fov: float | None,
    box: str | None,
    out: Path,
    hypotheses: int | None,
    outline: bool | None,
    static_camera: str,
    overlay: bool,
    rerun: str | None,
    as_json: bool,
) -> None:
    """Read an arm's joint angles and camera pose from IMAGES.

    IMAGES are image files, video files or folders of them. For each image, NAME.json and
    NAME.overlay.png are written; for each video NAME.jsonl, NAME.csv and NAME.overlay.mp4.
    """
    if sum(option is not None for option in (K, camera, fov)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    job = Job(
        inputs=find_inputs(images),
        out=out,
        as_json=as_json,
        overlay=overlay,
        hypotheses=hypotheses,
        outline=outline,
        static_camera=STATIC_CAMERA[static_camera],
        K=None if K is None else parse_K(K),
        camera=None if camera is None else read_camera_file(camera),
        fov_deg=fov,
        box=None if box is None else parse_box(box),
    )
    if job.box is not None and any(one.is_video for one in job.inputs):
        raise ConfigError("--box is a place in images; videos are searched frame by frame")
    if rerun is not None:
        job.viewer = RerunSink(rerun)
    estimator: Estimator | SeveralRobots
    if robot is None:
        estimator = SeveralRobots.from_pretrained().with_outline(outline is not False)
    else:
        estimator = Estimator.from_pretrained(robot).with_outline(outline is not False)
    single = len(job.inputs) == 1 and not Path(images[0]).is_dir()
    if as_json and not single:
        click.echo("[", nl=False)
    for i, one in enumerate(job.inputs):
        if as_json and i:
            click.echo(",")
        if one.is_video:
            run_video(job, one_kind(estimator, one.path), one)
        else:
            run_image(job, estimator, one)
        if job.exit_code == INTERRUPTED:
            break
    if as_json:
        click.echo("" if single else "]")
    if job.viewer is not None:
        job.viewer.close(keep=True)
    sys.exit(job.exit_code)


def one_kind(estimator: Estimator | SeveralRobots, video: Path) -> Estimator:
    """The estimator of the robot that a video shows, told from a few of its frames."""
    if isinstance(estimator, Estimator):
        return estimator
    first = next(iter(estimator.estimators.values()))
    if len(estimator.estimators) == 1:
        return first
    from armsight.data.video import VideoReader

    try:
        with VideoReader(video) as reader:
            frames = islice(reader, 0, FRAMES_TO_TELL_ROBOTS * FRAMES_APART, FRAMES_APART)
            return estimator.most_seen([frame.pixels for frame in frames])
    except ArmsightError:
        return first  # which will meet the same error, where it is reported


def run_image(job: Job, estimator: Estimator | SeveralRobots, one: Input) -> None:
    """Estimate one image and write its files; errors are reported, the next image goes on."""
    try:
        targets = [job.target(f"{one.name}.json"), job.target(f"{one.name}.overlay.png")]
        image = load_image(one.path)
        estimate = estimator(
            image, job.K, job.hypotheses, camera=job.camera, fov_deg=job.fov_deg, box=job.box
        )
        document = estimate.to_json()
        sinks: list[Sink] = [PictureDocument(targets[0])]
        if job.overlay:
            known = estimator.robot if isinstance(estimator, Estimator) else None
            sinks.append(OverlayPicture(targets[1], known))
        if job.viewer is not None:
            sinks.append(job.viewer)
        Sinks(sinks).write(Shot(image), estimate)
    except ArmsightError as error:
        job.fail(error)
        name = estimator.robot.name if isinstance(estimator, Estimator) else None
        document = failure(str(one.path), name, error)
    else:
        if not job.as_json:
            written = targets if job.overlay else targets[:1]
            job.say(table(estimate) + f"\n  wrote {', '.join(map(str, written))}")
    if job.as_json:
        click.echo(dumps(document), nl=False)


def run_video(job: Job, estimator: Estimator, one: Input) -> None:
    """Estimate each frame of one video; the same rows go to the files and, as JSON, out."""
    from armsight.cli._video import VideoResult, estimate_video

    if job.as_json:
        head = dumps(video_head(one.path, estimator.robot))
        click.echo(head[:-1] + ', "frames": [', nl=False)
    result = VideoResult()
    error: ArmsightError | None = None
    targets: dict[str, Path] = {}
    try:
        targets = {"rows": job.target(f"{one.name}.jsonl"), "csv": job.target(f"{one.name}.csv")}
        if job.overlay:
            targets["overlay"] = job.target(f"{one.name}.overlay.mp4")
        make_folder(job.out)
        read, notes = choose_reader(job, estimator, one.path)
        result = estimate_video(one.path, read, partial(open_sinks, job, estimator, targets))
        result.messages = (*notes, *result.messages)
    except ArmsightError as caught:
        job.fail(caught)
        error = caught
    else:
        error = result.problem if isinstance(result.problem, ArmsightError) else None
        report_video(job, one, result, list(targets.values()))
    if job.as_json:
        tail = dumps(video_summary(result, targets if result.frames else {}, error))
        click.echo(f"], {tail[1:]}", nl=False)


class PrintedRows:
    """Rows of a video on standard output, as the items of a JSON list."""

    def __init__(self) -> None:
        self._begun = False

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Print a frame's row."""
        row = dumps(frame_row(shot.index, shot.time, estimate))
        click.echo((",\n" if self._begun else "") + row, nl=False)
        self._begun = True

    def close(self, keep: bool) -> None:
        """The list's end is for whoever began it."""


def open_sinks(job: Job, estimator: Estimator, targets: dict[str, Path], fps: float) -> Sink:
    """What takes the estimates of a video."""
    sinks: list[Sink] = [video_files(targets, fps, estimator.robot)]
    if job.as_json:
        sinks.append(PrintedRows())
    if job.viewer is not None:
        sinks.append(Borrowed(job.viewer))
    return Sinks(sinks)


def choose_reader(job: Job, estimator: Estimator, path: Path) -> tuple[ReadFrames, tuple[str, ...]]:
    """How to read a video, by whether its camera stands still, and what to say about it."""
    from armsight.cli._video import find_reader, follow, in_windows
    from armsight.estimate.track import Tracker

    intrinsics: dict[str, Any] = {"camera": job.camera, "fov_deg": job.fov_deg}
    notes: tuple[str, ...] = ()
    if job.static_camera is not False:
        reader, note = find_reader(
            estimator, path, job.K, job.hypotheses, still=job.static_camera,
            outline=job.outline is not False, **intrinsics,
        )  # fmt: skip
        if reader is not None:
            return in_windows(reader, path), (note,)
        notes = (note,)
    tracker = Tracker(estimator, job.K, job.hypotheses, outline=bool(job.outline), **intrinsics)
    return follow(tracker), notes


def report_video(job: Job, one: Input, result: VideoResult, written: list[Path]) -> None:
    """Say how many frames were done, what is worth knowing, and what went wrong."""
    job.say(f"{one.path}: {result.frames} frames, arm found in {result.found}")
    for message in result.messages:
        if not (result.found and is_refusal(message)):
            job.say(f"  note: {message}")
    if result.frames:
        job.say(f"  wrote {', '.join(map(str, written))}")
    if isinstance(result.problem, ArmsightError):
        job.fail(result.problem)
    if result.interrupted:
        click.echo(f"armsight: interrupted; the first {result.frames} frames are kept", err=True)
        job.exit_code = INTERRUPTED


def make_folder(folder: Path) -> None:
    """Make sure that `folder` exists and can be written to.

    Raises:
        OutputError: it cannot.
    """
    probe = folder / ".armsight-probe"
    with atomic_write(probe):
        pass
    probe.unlink(missing_ok=True)
