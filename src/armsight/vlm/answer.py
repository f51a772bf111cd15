"""From a model's samples to the same `Estimate` that the estimator gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.geometry import project, transform_points
from armsight.robots import Robot
from armsight.state import Estimate
from armsight.vlm import prompt
from armsight.vlm.ask import ModelAnswer, Question
from armsight.vlm.ensemble import merge
from armsight.vlm.parse import FAILURES
from armsight.vlm.picture import SentPicture
from armsight.vlm.providers.prices import Prices

Array = NDArray[np.floating]


def to_estimate(
    robot: Robot,
    answers: Sequence[ModelAnswer],
    how: str = "median",
    *,
    K: Array | None = None,
    T_cam_base: Array | None = None,
    image: str | None = None,
    source: str = "given",
) -> Estimate:
    """Merge samples into an `Estimate`.

    The angles are clipped to the robot's limits; `joint_std` is the spread over the samples (not
    calibrated; None for one sample); keypoints come by forward kinematics where the camera and
    its pose are given; `confidence` is the share of samples that could be used.
    """
    samples = [answer.parsed.joint_positions for answer in answers]
    usable = [q for q in samples if q is not None]
    messages = _messages(answers)
    merged = merge(samples, how)
    if merged is None:
        return Estimate(
            robot.name, False, 0.0, robot.joint_names, robot.keypoint_names,
            K=K, messages=(*messages, "no usable answer"), image=image, intrinsics_source=source,
        )  # fmt: skip
    q = robot.clip(merged)
    points = None if T_cam_base is None else transform_points(T_cam_base, robot.keypoints(q))
    return Estimate(
        robot=robot.name,
        robot_found=True,
        confidence=len(usable) / len(samples),
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        joint_positions=q,
        joint_std=np.std(usable, axis=0, ddof=1) if len(usable) > 1 else None,
        keypoints_2d=None if points is None or K is None else project(points, K),
        keypoints_3d_cam=points,
        T_cam_base=T_cam_base,
        samples=np.array(usable),
        K=K,
        intrinsics_source=source,
        messages=messages,
        image=image,
    )


def record(
    question: Question,
    model: str,
    settings: dict[str, Any],
    answers: Sequence[ModelAnswer],
    prices: Prices,
) -> dict[str, Any]:
    """What was asked, answered and spent, JSON-ready: the `vlm` part of `ask`'s document."""
    replies = [reply for answer in answers for reply in answer.replies]
    return {
        "model": model,
        "prompt_version": prompt.prompt_version(),
        "settings": settings,
        "prompt": [{"role": "system", "text": prompt.system_text()}]
        + [_shown(part) for part in question.parts()],
        "answers": [answer.to_json() for answer in answers],
        "failures": {kind: sum(a.parsed.failure == kind for a in answers) for kind in FAILURES},
        "tokens": {
            name: sum(getattr(reply, name) for reply in replies)
            for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
        },
        "cost_usd": prices.of(model, replies),
        "latency_s": max((answer.seconds for answer in answers), default=0.0),
    }


def _messages(answers: Sequence[ModelAnswer]) -> tuple[str, ...]:
    messages = []
    for kind in FAILURES:
        problems = [a.parsed.problem for a in answers if a.parsed.failure == kind]
        if problems:
            why = (problems[0] or "").removeprefix(f"{kind}: ")
            messages.append(f"{len(problems)} of {len(answers)} samples {kind}: {why}")
    violated = sorted({name for answer in answers for name in answer.parsed.violated})
    if violated:
        messages.append(f"answered outside of their limits, and clipped: {', '.join(violated)}")
    if any(answer.parsed.doubtful for answer in answers):
        messages.append("some answers look like radians; they were read as degrees")
    return tuple(messages)


def _shown(part: str | SentPicture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"role": "user", "text": part}
    return {"role": "user", "image": part.label()}
