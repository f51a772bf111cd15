"""`armsight estimate`: images or videos in; a table, JSON and overlay pictures out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from armsight.camera.camera_file import read_camera_file
from armsight.camera.parse import parse_box, parse_K
from armsight.cli._inputs import find_inputs
from armsight.cli._notes import say
from armsight.cli.estimate._job import Job
from armsight.cli.estimate._share import run_inputs
from armsight.data.bags.bag import is_bag
from armsight.data.lerobot.layout import is_data_set
from armsight.errors import BadIntrinsicsError, ConfigError, OutputError
from armsight.network import DEVICES
from armsight.outputs.rerun import RerunSink

STATIC_CAMERA = {"auto": None, "yes": True, "no": False}


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
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share the images and videos; the answers are the same.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where the network runs; auto: CUDA where it is installed, else the CPU.",
)
@click.option("--rerun", is_flag=False, flag_value="", metavar="[FILE.rrd]",
              help="Show all in Rerun, or write it to a file for Rerun.")  # fmt: skip
@click.option("--recursive", is_flag=True, help="Open folders in folders, too.")
@click.option("--episodes", metavar="LIST",
              help="Data sets: which episodes, such as 0-3,7.  [default: all]")  # fmt: skip
@click.option("--camera-key", "camera_keys", multiple=True, metavar="NAME",
              help="A data set's video or a bag's image topic.  [default: all]")  # fmt: skip
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="Data sets: ray for the machines of a Ray cluster (extra `scale`).")  # fmt: skip
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
    workers: int,
    device: str,
    rerun: str | None,
    recursive: bool,
    episodes: str | None,
    camera_keys: tuple[str, ...],
    engine: str,
    as_json: bool,
) -> None:
    """Read an arm's joint angles and camera pose from IMAGES.

    IMAGES are image files, video files or folders of them. For each image, NAME.json and
    NAME.overlay.png are written; for each video NAME.jsonl, NAME.csv and NAME.overlay.mp4.

    A ROS 2 bag (.mcap, .db3 or its folder; extra `ros`) is read as a video for each of its image
    topics; NAME.estimate.mcap then holds the answers as messages.

    IMAGES may also be the folder of one LeRobot v3 data set (extra `actions`): --out is then the
    folder of a copy with the estimates of every frame as further columns.
    """
    if sum(option is not None for option in (K, camera, fov)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    if any(is_data_set(Path(image)) for image in images):
        from armsight.cli.estimate._dataset import check_alone, run_dataset

        check_alone(images, out, box is not None or rerun is not None)
        sys.exit(
            run_dataset(
                Path(images[0]), out, robot=robot, episodes=episodes, camera_keys=camera_keys,
                K=None if K is None else parse_K(K).ravel().tolist(), camera=camera, fov_deg=fov,
                still=STATIC_CAMERA[static_camera], outline=outline, hypotheses=hypotheses,
                device=device, workers=workers, engine=engine, as_json=as_json,
            )
        )  # fmt: skip
    if episodes is not None or engine != "local":
        raise ConfigError("--episodes and --engine are for data sets")
    if camera_keys and not all(is_bag(Path(image)) for image in images):
        raise ConfigError("--camera-key names a video of a data set, or an image topic of a bag")
    job = Job(
        inputs=find_inputs(images, camera_keys, recursive=recursive, say=lambda note: say([note])),
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
        robot=robot,
        device=device,
        read_ahead=workers > 1,
    )
    if rerun is not None and workers > 1:
        raise ConfigError("--rerun takes the pictures of one process: leave --workers out")
    if rerun is not None:
        job.viewer = RerunSink(rerun)
    sys.exit(run_job(job, workers, Path(images[0])))


def run_job(job: Job, workers: int, first: Path) -> int:
    """Read all inputs; the exit code.

    Args:
        first: with --json, one file or bag is one document, and a folder a list of them.

    Raises:
        ConfigError: an input is not what the options are for.
        OutputError: the output is a file.
    """
    if job.out.exists() and not job.out.is_dir():
        raise OutputError(f"--out {job.out} is a file; name a folder")
    if job.box is not None and any(one.is_video for one in job.inputs):
        raise ConfigError("--box is a place in images; videos are searched frame by frame")
    single = len(job.inputs) == 1 and (is_bag(first) or not first.is_dir())
    if job.as_json and not single:
        click.echo("[", nl=False)
    try:
        run_inputs(job, workers)
    finally:  # the list is whole, whatever happened
        if job.as_json:
            click.echo("" if single else "]")
    if job.viewer is not None:
        job.viewer.close(keep=True)
    return job.exit_code
