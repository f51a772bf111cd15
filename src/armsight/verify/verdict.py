"""The verdict on claimed joint angles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.estimate.estimator import Estimator
from armsight.robots import Robot
from armsight.verify.claims import ClaimVerifier, kind_of
from armsight.verify.pose_doubt import pose_doubt
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

    A camera pose that puts the arm elsewhere than it is seen is doubted itself, and then the angles
    are not judged by it.

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
    scored = verifier.read(loaded, K, camera)
    doubt = None if T_cam_base is None else pose_doubt(robot, T_cam_base, scored.estimate)
    score = float("nan") if doubt is not None else scored(claimed, T_cam_base)
    wrong_from = threshold(verifier.estimator.session.card.entries, kind_of(T_cam_base))
    known = bool(np.isfinite(score))
    agrees = score < wrong_from if known else None
    wrong = scored.suspect(claimed, T_cam_base) if agrees is False else None
    unread = scored.estimate.robot_found and not known
    assumed = scored.estimate.intrinsics_source == "assumed"
    unsure = ["without the camera's intrinsics the verdict is unreliable too"] if assumed else []
    if unread:
        unsure.append(
            f"the arm is read too unsurely to judge a claim (confidence "
            f"{scored.estimate.confidence:.2f}); with the camera's pose it can be judged"
        )
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
        "notes": [*scored.estimate.messages, *unsure, *([] if doubt is None else [doubt])],
    }
