"""`armsight audit`: check the episodes of a data set against their own pictures."""

from __future__ import annotations

import json
from pathlib import Path

import click

from armsight.camera.parse import parse_K
from armsight.cli._progress import counting
from armsight.errors import BadIntrinsicsError, ConfigError


@click.command(name="audit")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--robot", help="Name, data file, URDF or MJCF.  [default: the data set's own]")
@click.option("--episodes", help="Which, such as 0-9,12; all by default.")
@click.option("--camera-key", "camera_keys", multiple=True,
              help="A video of the data set, or several of them; all by default.")  # fmt: skip
@click.option("--state-key", help="The column of joint positions, if there is a choice.")
@click.option("--K", "K_text", help="fx,fy,cx,cy of the cameras [px]; found if not given.")
@click.option("--fov", "fov_deg", type=float, help="Their horizontal field of view [deg].")
@click.option("--camera", type=click.Path(path_type=Path), help="Their camera file.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes, or Ray actors, of one core each.")  # fmt: skip
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="ray: on the machines of a Ray cluster (extra `scale`).")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for report.html, audit.json and a row for each episode; an interrupted "
              "audit goes on from there.")  # fmt: skip
@click.option("--write", "copy", type=click.Path(path_type=Path),
              help="Write a copy of the data set with the cameras as columns.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    dataset: Path,
    robot: str | None,
    episodes: str | None,
    camera_keys: tuple[str, ...],
    state_key: str | None,
    K_text: str | None,
    fov_deg: float | None,
    camera: Path | None,
    workers: int,
    engine: str,
    report: Path | None,
    copy: Path | None,
    as_json: bool,
) -> None:
    """Say of each episode of DATASET where its cameras were and whether its joint log fits its
    pictures. DATASET is a LeRobot v3 data set, a ROS 2 bag, or a folder of bags.

    It finds cameras that moved, logs that run ahead or behind, joint zeros that are off, and joints
    in another order or unit.
    """
    from armsight.audit.copy_dataset import write_copy
    from armsight.audit.judge import judge
    from armsight.audit.page import write_page
    from armsight.audit.plan import make_plan, robot_of, with_camera_file
    from armsight.audit.run import run_audit
    from armsight.audit.table import audit_table
    from armsight.data.lerobot.layout import is_data_set, write_json
    from armsight.data.recordings.episodes import open_episodes
    from armsight.episodes.run import ENGINES
    from armsight.reports.charts import require_viz
    from armsight.robots import load_robot

    if report is not None:
        require_viz("--report")
    if sum(option is not None for option in (K_text, fov_deg, camera)) > 1:
        raise BadIntrinsicsError("give only one of --K, --camera and --fov")
    if copy is not None and not is_data_set(dataset):
        raise ConfigError(f"--write copies LeRobot data sets, and {dataset} is none")
    robot = robot or robot_of(dataset)
    known = load_robot(robot)
    K = None if K_text is None else parse_K(K_text).ravel().tolist()
    plan = make_plan(dataset, robot, episodes=episodes, camera_keys=camera_keys,
                     state_key=state_key, K=K, fov_deg=fov_deg)  # fmt: skip
    if camera is not None:
        plan = with_camera_file(plan, camera)
    chosen = next(name for name in ENGINES if name == engine)
    with counting(len(plan.units()), "auditing") as tell:
        rows = run_audit(plan, report, workers=workers, engine=chosen,
                         progress=lambda done, total: tell(done))  # fmt: skip
    audit = judge(rows, dataset, known, open_episodes(dataset).fps)
    result = audit.to_json()
    if report is not None:
        write_json(report / "audit.json", result)
        click.echo(f"wrote {write_page(report, audit, known)}", err=True)
    if copy is not None:
        click.echo(f"wrote {write_copy(audit, copy)}", err=True)
    click.echo(json.dumps(result, allow_nan=False) if as_json else audit_table(audit))
