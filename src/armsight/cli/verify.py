"""`armsight verify`: do claimed joint angles agree with a picture?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from armsight.camera.parse import parse_K
from armsight.errors import BadIntrinsicsError
from armsight.outputs.documents import dumps

DISAGREES, CANNOT_TELL = 1, 12
"""Exit codes beside 0, where claim and picture agree"""


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--joints", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="The claimed angles [rad]: JSON or text.")  # fmt: skip
@click.option("--robot", default="panda", show_default=True, help="Robot name.")
@click.option("--K", "K_text", metavar="fx,fy,cx,cy", help="Camera intrinsics [px].")
@click.option("--camera", type=click.Path(path_type=Path), help="Camera file.")
@click.option("--camera-pose", type=click.Path(path_type=Path), metavar="FILE",
              help="T_cam_base, 4x4 [m], if known: smaller errors are seen then.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(
    image: Path, joints: Path, robot: str, K_text: str | None, camera: Path | None,
    camera_pose: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Say whether claimed joint angles (a log, a policy's state) agree with IMAGE, and which joint
    is wrong if they do not.

    Exit code 0: they agree; 1: they disagree; 12: it cannot be judged.
    """
    from armsight.camera.camera_file import check_K, read_camera_file
    from armsight.robots import load_robot
    from armsight.verify.claim_files import read_joints, read_pose
    from armsight.verify.verdict import verify_joints

    if K_text is not None and camera is not None:
        raise BadIntrinsicsError("give only one of --K and --camera")
    if camera_pose is not None and K_text is None and camera is None:
        raise BadIntrinsicsError("--camera-pose needs --K or --camera")
    known = load_robot(robot)
    document = verify_joints(
        image,
        known,
        read_joints(joints, known),
        None if K_text is None else check_K(parse_K(K_text)),
        None if camera is None else read_camera_file(camera),
        None if camera_pose is None else read_pose(camera_pose),
    )
    report_verdict(image, document, as_json)


def report_verdict(image: Path, document: dict[str, Any], as_json: bool) -> None:
    """Print a verdict, and exit with its code."""
    agrees = document["agrees"]
    if as_json:
        click.echo(dumps(document))
    else:
        said = {True: "agree", False: "DISAGREE", None: "cannot be judged"}[agrees]
        score = document["score"]
        shown = "" if score is None else f" (score {score:.3f}, threshold {document['threshold']})"
        click.echo(f"{image}: the claimed angles {said}{shown}")
        if joint := document.get("wrong_joint"):
            click.echo(f"  most likely {joint} is wrong")
        for note in document["notes"]:
            click.echo(f"  note: {note}")
    sys.exit(CANNOT_TELL if agrees is None else 0 if agrees else DISAGREES)
