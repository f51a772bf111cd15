"""The verdict on claimed joint angles, and the files that claims come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.errors import BadIntrinsicsError, BadShapeError, DatasetError
from armsight.estimate.estimator import Estimator
from armsight.fit.measurements import check_pose
from armsight.robots import Robot
from armsight.verify.claims import ClaimVerifier, kind_of
from armsight.verify.threshold import threshold

Array = NDArray[np.floating]


def verify_joints(
    image: str | Path,
    robot: Robot,
    claimed: Array,
    K: Array | None = None,
    camera: Any = None,
    T_cam_base: Array | None = None,
) -> dict[str, Any]:
    """Whether an image agrees with claimed joint angles, and which joint is wrong. JSON-ready.

    Args:
        image: a file.
        robot: whose angles they are.
        claimed: (J,) [rad].
        K, camera: intrinsics, see `Estimator`.
        T_cam_base: (4, 4) the camera's pose, where it is known: small errors then show.

    Raises:
        WeightsError, UnknownRobotError: there are no weights for this robot.
        BadImageError: the image cannot be read.
    """
    loaded = load_image(image)
    verifier = ClaimVerifier(Estimator.from_pretrained(robot.name))
    scored = verifier.look(loaded, K, camera)
    score = scored(claimed, T_cam_base)
    wrong_from = threshold(verifier.estimator.session.card, kind_of(T_cam_base))
    known = bool(np.isfinite(score))
    agrees = score < wrong_from if known else None
    wrong = scored.suspect(claimed, T_cam_base) if agrees is False else None
    assumed = scored.estimate.intrinsics_source == "assumed"
    unsure = ["without the camera's intrinsics the verdict is unreliable too"] if assumed else []
    return {
        "judge": "armsight",
        "claimed": claimed.tolist(),
        "estimated": None
        if scored.estimate.joint_positions is None
        else scored.estimate.joint_positions.tolist(),
        "agrees": agrees,
        "wrong_joint": None if wrong is None else robot.joint_names[wrong],
        "score": score if known else None,
        "score_means": "about standard deviations by which another pose explains the picture "
        "better; from the threshold on a claim counts as wrong, as a few true ones do (how many is "
        "on the weights' card)",
        "threshold": wrong_from,
        "camera_pose_known": T_cam_base is not None,
        "notes": list(scored.estimate.messages) + unsure,
    }


def read_joints(path: str | Path, robot: Robot) -> Array:
    """Joint angles (J,) [rad] from a file.

    JSON: a list, {"joint_positions": [...]} as `armsight estimate` writes, {"joint_positions_deg":
    [...]}, or a number for each joint name [rad]. Text: numbers [rad], further ones (fingers) are
    ignored.

    Raises:
        DatasetError: the file cannot be read, or does not have an angle for each joint.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read joint angles {path}: {error}") from error
    count = len(robot.joint_names)
    try:
        values = np.asarray(_values(text, robot), dtype=float)
        if values.ndim != 1 or len(values) < count or not np.isfinite(values).all():
            raise ValueError(f"it holds {values.size} finite numbers")
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} has no {count} joint angles [rad] of {robot.name} ({error}); give JSON "
            '{"joint_positions": [...]} or a text of numbers'
        ) from error
    q: Array = values[:count]
    low, high = robot.joint_limits.T
    outside = (q < low - 0.1) | (q > high + 0.1)
    if outside.any():
        name = robot.joint_names[int(np.argmax(outside))]
        raise DatasetError(
            f"{path}: {name} is {q[int(np.argmax(outside))]:g} rad, outside of its limits; are the "
            'angles in degrees? Then write JSON {"joint_positions_deg": [...]}'
        )
    return q


def read_pose(path: Path) -> Array:
    """`T_cam_base` (4, 4) from JSON (a matrix, or an object with that name) or text.

    Raises:
        BadIntrinsicsError: the file holds no rigid transform.
    """
    try:
        text = path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
        except ValueError:
            document = [float(word) for word in text.replace(",", " ").split()]
        if isinstance(document, dict):
            document = document["T_cam_base"]
        return check_pose("--camera-pose", np.asarray(document, dtype=float).reshape(4, 4))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, BadShapeError) as error:
        raise BadIntrinsicsError(f"{path} holds no T_cam_base, 4x4 [m]: {error}") from error


def _values(text: str, robot: Robot) -> Any:
    try:
        document = json.loads(text)
    except ValueError:
        return [float(word) for word in text.replace(",", " ").split()]
    if not isinstance(document, dict):
        return document if isinstance(document, list) else [document]
    if document.get("joint_positions") is not None:
        return document["joint_positions"]
    if document.get("joint_positions_deg") is not None:
        return np.radians(document["joint_positions_deg"])
    return [document[name] for name in robot.joint_names]
