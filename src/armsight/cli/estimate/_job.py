"""One call of `armsight estimate`: what is asked for, and each image or video of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import Box
from armsight.camera.image import load_image
from armsight.cli import INTERRUPTED
from armsight.cli._inputs import ANSWERS, Input, check_target
from armsight.cli._report import is_refusal, printable, table, video_summary
from armsight.errors import ArmsightError
from armsight.estimate.estimator import Estimator
from armsight.estimate.several_robots import SeveralRobots
from armsight.files import atomic_write, claimed
from armsight.outputs.documents import GrowingDocument, dumps, failure, frame_row, video_head
from armsight.outputs.files import OverlayPicture, PictureDocument, video_files
from armsight.outputs.rerun import RerunSink
from armsight.outputs.sink import Borrowed, Shot, Sink, Sinks
from armsight.state import Estimate

if TYPE_CHECKING:
    from armsight.estimate.clips.film import Film, OpenFilm, ReadFrames, Watch
    from armsight.estimate.clips.survey import VideoFrame
    from armsight.outputs.film import FilmResult

Printed: TypeAlias = "tuple[str, bool]"
FRAMES_TO_TELL_ROBOTS, FRAMES_APART = 4, 15
"""So many frames of a video tell which robot it shows, every so many."""


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
    robot: str | None = None
    """None: all whose weights come with the package"""
    device: str = "auto"
    threads: int = 0
    """of the network; 0: by CPUs"""
    read_ahead: bool = False
    """Videos of a still camera: frames are read by the network while joints are solved"""
    quiet: bool = False
    """No progress bar"""
    viewer: RerunSink | None = None
    """Takes the pictures of all inputs"""
    exit_code: int = 0
    printed: list[Printed] | None = None
    """Where what would be printed is kept instead, with whether it is for standard error"""

    def echo(self, text: str, err: bool = False, nl: bool = True) -> None:
        """Print, or keep what is to be printed."""
        if self.printed is None:
            click.echo(text, err=err, nl=nl)
        else:
            self.printed.append((text + "\n" * nl, err))

    def say(self, text: str) -> None:
        """Tell a person something; with --json, not on standard output."""
        self.echo(printable(text), err=self.as_json)

    def fail(self, error: ArmsightError) -> None:
        """Tell an error, whose exit code is the command's if it is the first one."""
        self.echo(printable(f"armsight: {error}"), err=True)
        self.exit_code = self.exit_code or error.exit_code

    def load(self) -> Estimator | SeveralRobots:
        """The estimator that is asked for."""
        options: dict[str, Any] = {"threads": self.threads, "device": self.device}
        loaded: Estimator | SeveralRobots
        if self.robot is None:
            loaded = SeveralRobots.from_pretrained(**options)
        else:
            loaded = Estimator.from_pretrained(self.robot, **options)
        return loaded.with_outline(self.outline is not False)

    def run(self, estimator: Estimator | SeveralRobots, one: Input) -> None:
        """Read one image or video."""
        if one.is_video:
            run_video(self, one_kind(estimator, one.open_film), one)
        else:
            run_image(self, estimator, one)

    def target(self, name: str) -> Path:
        return check_target(self.out / name, self.inputs)


def one_kind(estimator: Estimator | SeveralRobots, open_film: OpenFilm) -> Estimator:
    """The estimator of the robot that a film shows, told from a few of its frames."""
    if isinstance(estimator, Estimator):
        return estimator
    first = next(iter(estimator.estimators.values()))
    if len(estimator.estimators) == 1:
        return first
    try:
        with open_film() as film:
            frames = islice(film, 0, FRAMES_TO_TELL_ROBOTS * FRAMES_APART, FRAMES_APART)
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
        job.echo(dumps(document), nl=False)


def run_video(job: Job, estimator: Estimator, one: Input) -> None:
    """Estimate each frame of one video; the same rows go to the files and, as JSON, out."""
    from armsight.outputs.film import FilmResult, estimate_film

    rows: GrowingDocument | None = None
    if job.as_json:
        head = video_head(one.path, estimator.robot)
        rows = GrowingDocument(partial(job.echo, nl=False), head, "frames")
    result = FilmResult()
    error: ArmsightError | None = None
    targets: dict[str, Path] = {}
    try:
        targets = {"rows": job.target(f"{one.name}.jsonl"), "csv": job.target(f"{one.name}.csv")}
        if job.overlay:
            targets["overlay"] = job.target(f"{one.name}.overlay.mp4")
        if one.topic is not None:
            targets["bag"] = job.target(f"{one.name}{ANSWERS}.mcap")
        make_folder(job.out)
        with claimed(job.out / one.name):
            read, notes = choose_reader(job, estimator, one)
            sinks = partial(open_sinks, job, estimator, one, targets, rows)
            result = estimate_film(one.open_film, read, sinks, progress(job, one.path.name))
        result.messages = (*notes, *result.messages)
    except KeyboardInterrupt:
        result.interrupted = True
        report_video(job, one, result, [])
    except ArmsightError as caught:
        job.fail(caught)
        error = caught
    else:
        error = result.problem if isinstance(result.problem, ArmsightError) else None
        targets = {kind: path for kind, path in targets.items() if path.exists()}
        report_video(job, one, result, list(targets.values()))
    if rows is not None:
        rows.close(video_summary(result, targets if result.frames else {}, error))


class PrintedRows:
    """Rows of a video as the items of a JSON list, which its owner ends."""

    def __init__(self, rows: GrowingDocument) -> None:
        self._rows = rows

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Print a frame's row."""
        self._rows.add(frame_row(shot.index, shot.time, estimate))

    def close(self, keep: bool) -> None:
        """Nothing."""


def open_sinks(
    job: Job, estimator: Estimator, one: Input, targets: dict[str, Path],
    rows: GrowingDocument | None, fps: float,
) -> Sink:  # fmt: skip
    """What takes the estimates of a video."""
    files = {kind: path for kind, path in targets.items() if kind != "bag"}
    sinks: list[Sink] = [video_files(files, fps, estimator.robot)]
    if one.topic is not None:
        from armsight.data.bags.cameras import first_header
        from armsight.outputs.ros import RosBag, Stamp

        try:
            about = Stamp(*first_header(one.path, one.topic))
            sinks.append(RosBag(targets["bag"], estimator.robot, about, job.overlay))
        except ArmsightError:
            Sinks(sinks).close(keep=False)
            raise
    if rows is not None:
        sinks.append(PrintedRows(rows))
    if job.viewer is not None:
        sinks.append(Borrowed(job.viewer))
    return Sinks(sinks)


def choose_reader(job: Job, estimator: Estimator, one: Input) -> tuple[ReadFrames, tuple[str, ...]]:
    """How to read a video, by whether its camera stands still, and what to say about it."""
    from armsight.estimate.clips.film import choose_reading
    from armsight.outputs.film import interruptible

    shown = progress(job, f"{one.path.name}: camera")

    def watch(frames: Iterable[VideoFrame], film: Film) -> Iterable[VideoFrame]:
        with interruptible() as stop:
            for frame in shown(frames, film):
                if stop.is_set():
                    raise KeyboardInterrupt
                yield frame

    camera = job.camera
    if job.K is None and job.fov_deg is None and camera is None:
        camera = one.own_camera()
    return choose_reading(
        estimator, one.open_film, job.K, job.hypotheses, still=job.static_camera,
        outline=job.outline, read_ahead=job.read_ahead, watch=watch,
        camera=camera, fov_deg=job.fov_deg,
    )  # fmt: skip


def progress(job: Job, label: str) -> Watch:
    """Shows how far a film's frames are, on standard error where that is a terminal."""

    def watch(frames: Iterable[VideoFrame], film: Film) -> Iterable[VideoFrame]:
        if job.quiet or not sys.stderr.isatty():
            yield from frames
            return
        with click.progressbar(
            frames, length=film.num_frames, label=label, file=sys.stderr, show_pos=True,
            update_min_steps=10,
        ) as bar:  # fmt: skip
            yield from bar

    return watch


def report_video(job: Job, one: Input, result: FilmResult, written: list[Path]) -> None:
    """Say how many frames were done, what is worth knowing, and what went wrong."""
    job.say(f"{one.title}: {result.frames} frames, arm found in {result.found}")
    for message in result.messages:
        if not (result.found and is_refusal(message)):
            job.say(f"  note: {message}")
    if result.frames:
        job.say(f"  wrote {', '.join(map(str, written))}")
    if isinstance(result.problem, ArmsightError):
        job.fail(result.problem)
    if result.interrupted:
        job.echo(f"armsight: interrupted; the first {result.frames} frames are kept", err=True)
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
