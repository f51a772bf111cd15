"""`armsight serve`: estimates over HTTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
from armsight.cpus import available_cpus
from armsight.errors import BadIntrinsicsError
from armsight.network import default_threads


@click.command()
@click.option("--robot", "robots", multiple=True, default=("panda",), show_default=True,
              help="Robot name, weights folder or Hub id; again for further ones. The first is the"
              " default.")  # fmt: skip
@click.option("--K", "K_text", metavar="fx,fy,cx,cy", help="Where a request names no camera [px].")
@click.option("--camera", type=click.Path(path_type=Path), help="Camera file, likewise.")
@click.option("--fov", type=float, metavar="DEG", help="Horizontal field of view, likewise [deg].")
@click.option("--max-mb", type=click.FloatRange(min=0.01), default=32.0, show_default=True,
              help="Largest request [MB].")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True,
              help="Longest wait for an answer [s].")  # fmt: skip
@click.option("--max-waiting", type=click.IntRange(min=1), default=128, show_default=True,
              help="Images that may wait; further ones get 503.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1),
              help="Images read at a time.  [default: by CPUs]")  # fmt: skip
@server_options(port=8317)
def command(
    robots: tuple[str, ...], K_text: str | None, camera: Path | None, fov: float | None,
    max_mb: float, timeout: float, max_waiting: int, threads: int | None,
    host: str, port: int, token: str | None,
) -> None:  # fmt: skip
    """Answer images over HTTP: POST /v1/estimate takes an image and gives an estimate's JSON.

    GET /docs describes it, and tries it. Nothing is written to disk, and no request can name a
    file of this machine. Ctrl-C stops the server.
    """
    need_live_extra("armsight serve")
    from armsight.estimate.estimator import Estimator
    from armsight.web.api import make_app
    from armsight.web.desk import Settings
    from armsight.web.limits import MEGABYTE, Limits

    if sum(option is not None for option in (K_text, camera, fov)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    limits = replace(
        Limits(), body_bytes=int(max_mb * MEGABYTE), answer_seconds=timeout, waiting=max_waiting
    )
    loaded = [Estimator.from_pretrained(name) for name in robots]
    estimators = {estimator.robot.name: estimator for estimator in loaded}
    defaults = Settings(
        robot=loaded[0].robot.name,
        K=None if K_text is None else parse_K(K_text),
        camera=None if camera is None else read_camera_file(camera),
        fov_deg=fov,
    )
    allowed = access(host, token)
    app = make_app(
        estimators,
        defaults,
        threads=threads or max(1, available_cpus() // default_threads()),
        limits=limits,
        access=allowed,
    )
    listening = bind(host, port)
    where = address(listening, allowed.token, "/docs")
    names = ", ".join(estimators)
    run_server(app, listening, lambda: click.echo(f"serving {names} at {where}"))
