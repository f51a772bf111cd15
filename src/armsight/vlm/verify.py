"""`--verify`: do claimed joint angles (a log, a policy's state) agree with an image?

The score grows with the disagreement, so that one threshold separates true from false claims. A
model answers a probability. armsight's estimator answers standard deviations (judge.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.robots import Robot
from armsight.vlm import prompt
from armsight.vlm.answer import record
from armsight.vlm.ask import Answer, Question, ask_samples
from armsight.vlm.engine import ModelSettings
from armsight.vlm.prices import Prices

Array = NDArray[np.floating]

MODEL_THRESHOLD = 0.5
"""Disagreement, 0 to 1, from which on a model's claim counts as wrong"""


async def judge_with_model(
    model: Any,
    name: str,
    question: Question,
    settings: ModelSettings,
    samples: int,
    prices: Prices,
) -> dict[str, Any]:
    """A model's verdict: the mean disagreement over samples. JSON-ready.

    Raises:
        ModelError: no answer came.
    """
    answers = await ask_samples(model, question, settings, samples)
    score = disagreement(answers)
    return {
        "judge": name,
        "prompt_version": prompt.prompt_version(),
        "claimed": [] if question.claimed is None else question.claimed.tolist(),
        "agrees": None if score is None else score < MODEL_THRESHOLD,
        "score": score,
        "score_means": "probability, 0 to 1, that the claimed angles are wrong",
        "threshold": MODEL_THRESHOLD,
        "notes": sorted({a.parsed.problem for a in answers if a.parsed.problem}),
        "vlm": record(question, name, settings.identity(), answers, prices),
    }


def disagreement(answers: Sequence[Answer]) -> float | None:
    """The mean over usable samples; None where there is none."""
    values = [a.disagreement for a in answers if a.disagreement is not None]
    return float(np.mean(values)) if values else None


def judge_with_estimator(
    image: str | Path,
    robot: Robot,
    claimed: Array,
    K: Array | None = None,
    camera: Any = None,
    T_cam_base: Array | None = None,
) -> dict[str, Any]:
    """The estimator's verdict. JSON-ready.

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
    from armsight.estimate.estimator import Estimator
    from armsight.vlm.claim_threshold import threshold
    from armsight.vlm.judge import EstimatorJudge, kind_of

    loaded = load_image(image)
    judge = EstimatorJudge(Estimator.from_pretrained(robot.name))
    scored = judge.look(loaded, K, camera)
    score = scored(claimed, T_cam_base)
    wrong_from = threshold(judge.estimator.session.card, kind_of(T_cam_base))
    known = bool(np.isfinite(score))
    assumed = scored.estimate.intrinsics_source == "assumed"
    unsure = ["without the camera's intrinsics the verdict is unreliable too"] if assumed else []
    return {
        "judge": "armsight",
        "claimed": claimed.tolist(),
        "estimated": None
        if scored.estimate.joint_positions is None
        else scored.estimate.joint_positions.tolist(),
        "agrees": score < wrong_from if known else None,
        "score": score if known else None,
        "score_means": "about standard deviations by which another pose explains the picture "
        "better; from the threshold on a claim counts as wrong, as a few true ones do (how many is "
        "on the weights' card)",
        "threshold": wrong_from,
        "camera_pose_known": T_cam_base is not None,
        "notes": list(scored.estimate.messages) + unsure,
    }
