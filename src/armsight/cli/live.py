"""`armsight live`: a local web page that shows an arm, its joints and their uncertainty."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from armsight.camera.camera_file import read_camera_file
from armsight.camera.parse import parse_K
from armsight.cli._server import (
    access,
    address,
    bind,
    need_live_extra,
    run_server,
    server_options,
)
from armsight.errors import BadIntrinsicsError

if TYPE_CHECKING:
    from armsight.estimate.estimator import Estimator
    from armsight.outputs.sink import Shot
    from armsight.state import Estimate
    from armsight.web.desk import Settings


@click.command()
@click.argument("source", required=False)
@click.option("--robot", default="panda", show_default=True,
              help="Robot name, weights folder, or Hugging Face Hub id.")  # fmt: skip
@click.option("--K", "K_text", metavar="fx,fy,cx,cy", help="Camera intrinsics [px].")
@click.option("--camera", type=click.Path(path_type=Path), help="Camera file.")
@click.option("--fov", type=float, metavar="DEG", help="Horizontal field of view [deg].")
@click.option("--hypotheses", type=int, metavar="N",
              help="Samples of the model.  [default: what the weights say]")  # fmt: skip
@click.option("--outline/--no-outline", default=None,
              help="Move the arm's outline onto the picture's edges: more exact, slower."
              "  [default: for photos only]")  # fmt: skip
@click.option("--open/--no-open", "open_", default=False, help="Open the page in the browser.")
@server_options(port=8318)
def command(
    source: str | None, robot: str, K_text: str | None, camera: Path | None, fov: float | None,
    hypotheses: int | None, outline: bool | None, open_: bool,
    host: str, port: int, token: str | None,
) -> None:  # fmt: skip
    """Show an arm live on a local web page.

    SOURCE is a camera's number (0), an address (rtsp://...), a clip or a folder of photos. Without
    it the page reads the photos that are dropped on it. Of a camera the newest picture is read; of
    a clip every frame, so that the numbers are those of `armsight estimate --static-camera no`.
    """
    need_live_extra("armsight live")
    from armsight.estimate.estimator import Estimator
    from armsight.web.api import make_app
    from armsight.web.desk import Settings
    from armsight.web.live import Live
    from armsight.web.player import Player
    from armsight.web.sources import open_source
    from armsight.web.stage import Stage

    if sum(option is not None for option in (K_text, camera, fov)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    found = None if source is None else open_source(source)
    estimator = Estimator.from_pretrained(robot)
    given = Settings(
        robot=estimator.robot.name,
        K=None if K_text is None else parse_K(K_text),
        camera=None if camera is None else read_camera_file(camera),
        fov_deg=fov,
        hypotheses=hypotheses,
    )
    live = Live(estimator.robot)
    if found is not None:
        stage = Stage(found.photos)
        make = reader_of(estimator, given, found.photos, outline)
        live = Live(estimator.robot, found, stage, Player(found, make, stage))
    allowed = access(host, token)
    app = make_app(
        {estimator.robot.name: estimator},
        # Photos that are dropped beside a video are of another camera.
        given if found is None else Settings(estimator.robot.name, hypotheses=hypotheses),
        threads=1,
        access=allowed,
        more_routes=live.routes(),
        running=live.playing,
    )
    listening = bind(host, port)
    where = address(listening, allowed.token)

    def started() -> None:
        click.echo(f"{'drop photos' if found is None else found.name} at {where}")
        if open_:
            webbrowser.open(where)

    run_server(app, listening, started)


def reader_of(
    estimator: Estimator, given: Settings, photos: bool, outline: bool | None
) -> Callable[[], Callable[[Shot], Estimate]]:
    """What makes a reader of shots: a tracker for each playing, the estimator for photos."""
    from armsight.estimate.track import Tracker

    def read_photos() -> Callable[[Shot], Estimate]:
        chosen = estimator.with_outline(outline is not False)
        return lambda shot: chosen(
            shot.image, given.K, given.hypotheses, camera=given.camera, fov_deg=given.fov_deg
        )

    def track() -> Callable[[Shot], Estimate]:
        tracker = Tracker(
            estimator, given.K, given.hypotheses, camera=given.camera, fov_deg=given.fov_deg,
            outline=bool(outline),
        )  # fmt: skip
        return lambda shot: tracker(shot.image.pixels)

    return read_photos if photos else track
