"""`armsight bench`: how fast the runtime is on this machine, stage by stage."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from armsight.bench.measure import (
    PEERS,
    VIDEO_SIZE,
    first_answer,
    machine,
    time_ms,
    time_peer,
    time_stages,
    video_fps,
)
from armsight.camera.image import load_image
from armsight.errors import ConfigError
from armsight.estimate.estimator import Estimator
from armsight.outputs.documents import dumps


@click.command()
@click.option("--robot", default="panda", show_default=True,
              help="Robot name, weights folder, or Hugging Face Hub id.")  # fmt: skip
@click.option("--image", type=click.Path(path_type=Path),
              help="A picture with the robot.  [default: the weights' example]")  # fmt: skip
@click.option("--frames", type=click.IntRange(10), default=150, show_default=True,
              help="Length of the test video.")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1), default=10, show_default=True,
              help="Runs of which the median is taken.")  # fmt: skip
@click.option("--threads", type=click.IntRange(0), default=0, show_default=True,
              help="Threads of ONNX Runtime; 0: it chooses.")  # fmt: skip
@click.option("--peers/--no-peers", default=True, help="Time ViT-B/16 and ResNet-50 as well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    robot: str,
    image: Path | None,
    frames: int,
    repeats: int,
    threads: int,
    peers: bool,
    as_json: bool,
) -> None:
    """Measure the runtime's speed on this machine.

    image_ms is a loaded estimator's answer to one image: both looks, all hypotheses, geometry,
    and the look for a second arm. video_fps holds decoding, tracking, drawing and encoding.
    first_answer_s is a fresh process from start to end, pictures written.
    """
    start = time.perf_counter()
    estimator = Estimator.from_pretrained(robot, threads=threads)
    load_s = time.perf_counter() - start
    path = image or estimator.session.folder / "example.jpg"
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give --image, a picture with a {robot}")
    picture = load_image(path)
    stages, found = time_stages(estimator, path, picture, repeats)
    first, peak_mb = first_answer(robot, path)
    document: dict[str, Any] = {
        "image_ms": time_ms(lambda: estimator(picture), repeats),
        "video_fps": video_fps(estimator, picture, frames),
        "first_answer_s": first,
        "load_s": load_s,
        "peak_memory_mb": peak_mb,
        "stages_ms": stages,
        "robot_found": found,
        "num_hypotheses": estimator.session.num_hypotheses,
        "image": {"width": picture.width, "height": picture.height},
        "video": {"width": VIDEO_SIZE[0], "height": VIDEO_SIZE[1], "frames": frames},
    }
    for name in PEERS:
        document |= time_peer(name, threads, repeats, document["image_ms"], peers)
    document["machine"] = machine()
    click.echo(dumps(document) if as_json else table(document))


def table(document: dict[str, Any]) -> str:
    """The same for people."""
    on = document["machine"]
    lines = [
        f"{on['cpu']}, {on['cpu_count']} CPUs, load {on['load_average']:.1f}",
        f"  single image         {document['image_ms']:8.1f} ms",
    ]
    for name, value in document["stages_ms"].items():
        lines.append(f"    {name:<18} {value:8.1f} ms")
    lines += [
        f"  video                {document['video_fps']:8.1f} frames/s",
        f"  loading the weights  {document['load_s']:8.2f} s",
        f"  first answer         {document['first_answer_s']:8.2f} s",
    ]
    if document["peak_memory_mb"] is not None:
        lines.append(f"  peak memory          {document['peak_memory_mb']:8.0f} MB")
    for name in PEERS:
        if document[f"{name}_ms"] is None:
            lines.append(f"  {name}: not measured ({document[f'{name}_reason']})")
        else:
            ratio = document[f"{name}_over_image"]
            lines.append(
                f"  {name:<20} {document[f'{name}_ms']:8.1f} ms ({ratio:.1f} of our images)"
            )
    if not document["robot_found"]:
        lines.append("  no robot was found in the picture, so these are not whole answers")
    return "\n".join(lines)
