"""`armsight make-robot`: a robot data file from a URDF, an MJCF or a recipe."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="make-robot")
@click.argument("recipe", type=click.Path(path_type=str))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(),
              metavar="DIR", help="Where the two files are written.  [default: here]")  # fmt: skip
def command(recipe: str, out: Path) -> None:
    """Make a robot data file from RECIPE: NAME.json and NAME.npz.

    RECIPE is a URDF or MJCF file as it is, the name of a recipe that comes along, such as panda, or
    a JSON file that names the robot's model, joints and links (docs/train-your-own.md). Of a model
    with several arms, FILE#TIP or FILE#BASE:TIP choose the links where the arm ends and begins.
    """
    from armsight.robots import load_robot
    from armsight.robots.description.from_file import make_robot_file_of

    path, notes = make_robot_file_of(recipe, out)
    robot = load_robot(path)
    origins, keypoints = robot.num_origin_keypoints, len(robot.keypoint_names)
    click.echo(
        f"{robot.name}: {len(robot.joint_names)} joints, {len(robot.link_names)} links, "
        f"{keypoints} keypoints ({origins} link origins, {keypoints - origins} on surfaces)"
    )
    for note in notes:
        click.echo(f"  note: {note}")
    click.echo(f"wrote {path} and {path.with_suffix('.npz')}")
    click.echo(f"next: armsight render --robot {path} --count 16 --out look, and look at them")
