"""`--verify`: do claimed joint angles (a log, a policy's state) agree with an image?

The score grows with the disagreement, so that one threshold separates true from false claims. A
model answers a probability. armsight's own check is in armsight.verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from armsight.vlm import prompt
from armsight.vlm.answer import record
from armsight.vlm.ask import ModelAnswer, Question, ask_samples
from armsight.vlm.providers.engine import ModelSettings
from armsight.vlm.providers.prices import Prices

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


def disagreement(answers: Sequence[ModelAnswer]) -> float | None:
    """The mean over usable samples; None where there is none."""
    values = [a.disagreement for a in answers if a.disagreement is not None]
    return float(np.mean(values)) if values else None
