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

from armsight.estimate.image import load_image
from armsight.robots import Robot
from armsight.vlm import prompt
from armsight.vlm.answer import record
from armsight.vlm.ask import Answer, Question, ask_samples
from armsight.vlm.engine import ModelSettings
from armsight.vlm.prices import Prices

Array = NDArray[np.floating]

MODEL_THRESHOLD = 0.5
"""Disagreement, 0 to 1, from which on a model's claim counts as wrong"""
ESTIMATOR_THRESHOLD = 3.0
"""Standard deviations; a starting point until a validation set has set it"""


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
    image: str | Path, robot: Robot, claimed: Array, K: Array | None = None, camera: Any = None
) -> dict[str, Any]:
    """The estimator's verdict. JSON-ready.

    Raises:
        WeightsError, UnknownRobotError: there are no weights for this robot.
        BadImageError: the image cannot be read.
    """
    from armsight.estimate.estimator import Estimator
    from armsight.vlm.judge import EstimatorJudge

    loaded = load_image(image)
    judge = EstimatorJudge(Estimator.from_pretrained(robot.name))
    scored = judge.look(loaded, K, camera)
    score = scored(claimed)
    known = bool(np.isfinite(score))
    return {
        "judge": "armsight",
        "claimed": claimed.tolist(),
        "estimated": None
        if scored.estimate.joint_positions is None
        else scored.estimate.joint_positions.tolist(),
        "agrees": score < ESTIMATOR_THRESHOLD if known else None,
        "score": score if known else None,
        "score_means": "standard deviations by which the claim is off",
        "threshold": ESTIMATOR_THRESHOLD,
        "notes": list(scored.estimate.messages),
    }
