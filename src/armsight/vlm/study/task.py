"""The inspect_ai task: `inspect eval armsight/joint_angles -T dataset=FOLDER --model …`.

`armsight evaluate vlm` runs the same task with its own bookkeeping (run.py), so that logs,
retries and the viewer are inspect_ai's in both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from armsight.vlm.ask import ModelAnswer, ask_once, messages
from armsight.vlm.picture import LONGER_SIDE
from armsight.vlm.prompt import prompt_version
from armsight.vlm.providers.engine import MAX_TOKENS, ModelSettings
from armsight.vlm.study.items import ANGLES, Item
from armsight.vlm.study.pairs import PairSet, open_pairs

Asker = Callable[[Item, Any], Awaitable[ModelAnswer | None]]
"""Answers an item with the model that is being evaluated; None: it was not asked"""

ERROR, WITHIN, FAILED = "error_deg", "within_10_deg", "failed"


@task
def joint_angles(
    dataset: str,
    robot: str = "panda",
    references: int = 1,
    effort: str | None = None,
    image_size: int = LONGER_SIDE,
    max_tokens: int = MAX_TOKENS,
    use_schema: bool = True,
) -> Task:
    """Joint angles of a robot arm from one image and reference images.

    Args:
        dataset: a folder from `armsight make-pairs`, or a labelled data set.
        robot: name or data file.
        references: pictures with known angles that are shown before the target.
        effort: reasoning effort.
        image_size: longer side [px] of the pictures that are sent.
        max_tokens: of one answer, reasoning included.
        use_schema: hold the model to a JSON schema where the provider can.
    """
    pairs = open_pairs(Path(dataset), robot, references)
    settings = ModelSettings(effort=effort, max_tokens=max_tokens, use_schema=use_schema)
    items = [
        Item(ANGLES, "", effort, references, pair, 0, settings, image_size) for pair in pairs.pairs
    ]
    return study_task(pairs, items, None)


def study_task(pairs: PairSet, items: Sequence[Item], asker: Asker | None) -> Task:
    """A task that asks these items; `asker` stands for plain asking."""
    by_key = {item.key: item for item in items}
    samples = [
        Sample(
            id=key,
            input=f"{item.kind}: {item.pair.name}, {item.references} references",
            target=" ".join(f"{v:.2f}" for v in np.degrees(item.pair.target.joint_positions)),
            metadata={
                "pair": item.pair.name,
                "group": item.pair.target.group,
                "cluster": item.pair.references[0].name,
                "sample": item.sample,
                "kind": item.kind,
            },
        )
        for key, item in by_key.items()
    ]
    return Task(
        dataset=MemoryDataset(samples, name=pairs.path.name),
        solver=_ask(pairs, by_key, asker),
        scorer=_joint_error(pairs, by_key),
        name="joint_angles",
        version=prompt_version(),
        metadata={"prompt_version": prompt_version(), "pairs": pairs.fingerprint},
    )


def _ask(pairs: PairSet, by_key: dict[str, Item], asker: Asker | None) -> Solver:
    # Without arguments: inspect_ai writes those of a solver into every sample of its log.
    @solver(name="ask")
    def ask() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            item = by_key[str(state.sample_id)]
            question = item.question(pairs)
            if asker is None:
                answer: ModelAnswer | None = await ask_once(get_model(), question, item.settings)
            else:
                answer = await asker(item, get_model())
            if answer is None:
                state.metadata["skipped"] = True
                return state
            q = answer.parsed.joint_positions
            state.metadata["answer"] = None if q is None else q.tolist()
            state.metadata["failure"] = answer.parsed.failure
            chat: list[ChatMessage] = messages(question)
            state.messages = chat
            text = answer.replies[-1].text if answer.replies else answer.parsed.problem or ""
            state.output = ModelOutput.from_content(str(state.model), text)
            state.messages.append(state.output.message)
            return state

        return solve

    return ask()


def _joint_error(pairs: PairSet, by_key: dict[str, Item]) -> Scorer:
    @scorer(
        name="joint_error",
        metrics={
            ERROR: [mean(), stderr(cluster="cluster")],
            WITHIN: [mean(), stderr(cluster="cluster")],
            FAILED: [mean()],
        },
    )
    def joint_error() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score | None:
            if state.metadata.get("skipped") or state.metadata["kind"] != ANGLES:
                return None
            item, robot = by_key[str(state.sample_id)], pairs.robot
            answered = state.metadata.get("answer")
            # As elsewhere in armsight: no answer has the ready pose's error, and is wrong.
            q = robot.ready_positions if answered is None else robot.clip(answered)
            errors = np.abs(np.degrees(q - item.pair.target.joint_positions))
            within = 0.0 if answered is None else float((errors <= 10).mean())
            value = {ERROR: float(errors.mean()), WITHIN: within, FAILED: float(answered is None)}
            named = dict(zip(robot.joint_names, errors.round(2).tolist(), strict=True))
            return Score(value=value, answer=str(answered), metadata={"errors_deg": named})

        return score

    return joint_error()
