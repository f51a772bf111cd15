"""One question to a model: reference pictures with their angles, a target, N samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.robots import Robot
from armsight.vlm import prompt
from armsight.vlm.errors import ModelError, UnknownModelError
from armsight.vlm.parse import ERROR, REFUSED, UNPARSED, Parsed, parse_angles, parse_disagreement
from armsight.vlm.picture import SentPicture
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import ModelSettings, Reply
from armsight.vlm.schema import angles_schema, verify_schema

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Reference:
    """A picture of the robot whose joint angles are known."""

    picture: SentPicture
    joint_positions: Array
    """(J,) [rad]"""


@dataclass(frozen=True)
class Question:
    """What is asked: the pose in `target`, or with `claimed`, whether that is the pose."""

    robot: Robot
    references: tuple[Reference, ...]
    target: SentPicture
    claimed: Array | None = None
    """(J,) [rad]"""

    def parts(self) -> list[str | SentPicture]:
        """Texts and pictures in the order in which the model gets them."""
        parts: list[str | SentPicture] = [prompt.robot_text(self.robot)]
        total = len(self.references)
        for i, one in enumerate(self.references, 1):
            parts += [
                prompt.reference_text(self.robot, one.joint_positions, i, total),
                one.picture,
            ]
        text = (
            prompt.target_text(self.robot)
            if self.claimed is None
            else prompt.verify_text(self.robot, self.claimed)
        )
        return [*parts, text, self.target]

    def schema(self) -> dict[str, Any]:
        """Of the answer."""
        return angles_schema(self.robot) if self.claimed is None else verify_schema()


@dataclass(frozen=True)
class ModelAnswer:
    """One sample: the texts, what they came to, and what they cost."""

    parsed: Parsed
    disagreement: float | None = None
    """0 to 1, when angles were claimed"""
    replies: tuple[Reply, ...] = field(default=())
    """The first, the one after a repair where that was needed, and those to refinements"""
    rounds: int = 0
    """of refinement: the last of the replies, this many"""
    cut_short: ModelError | None = None
    """What ended it before its last request; not kept on disk"""

    @property
    def repaired(self) -> bool:
        return len(self.replies) - self.rounds > 1

    @property
    def usable(self) -> bool:
        return self.parsed.failure is None

    @property
    def seconds(self) -> float:
        return sum(reply.seconds for reply in self.replies)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        q = self.parsed.joint_positions
        return {
            "joint_positions": None if q is None else q.tolist(),
            "disagreement": self.disagreement,
            "failure": self.parsed.failure,
            "problem": self.parsed.problem,
            "violated": list(self.parsed.violated),
            "repaired": self.repaired,
            "seconds": round(self.seconds, 3),
            "rounds": self.rounds,
            "replies": [asdict(reply) for reply in self.replies],
        }


def messages(question: Question) -> list[Any]:
    """The question as inspect_ai's chat messages."""
    m = engine.load_inspect().model
    return [
        m.ChatMessageSystem(content=prompt.system_text()),
        m.ChatMessageUser(content=contents(question.parts())),
    ]


def contents(parts: Sequence[str | SentPicture]) -> list[Any]:
    """Texts and pictures as inspect_ai's content."""
    m = engine.load_inspect().model
    return [
        m.ContentText(text=part)
        if isinstance(part, str)
        else m.ContentImage(image=part.data_uri(), detail="high")
        for part in parts
    ]


async def ask_once(
    model: Any,
    question: Question,
    settings: ModelSettings,
    chat: list[Any] | None = None,
) -> ModelAnswer:
    """One sample, with one attempt to repair an answer that cannot be used.

    Args:
        model: from `engine.get_model`.
        chat: messages that stand for the question, where it is part of a longer talk.

    Raises:
        ModelError: there is no key, model or server: asking again would not help.
    """
    m = engine.load_inspect().model
    config = engine.generate_config(settings, question.schema())
    chat = messages(question) if chat is None else chat
    first = await engine.call(model, chat, config)
    answer = _read(question, first)
    worth_it = answer.parsed.failure == UNPARSED or answer.parsed.doubtful
    if not worth_it or first.error:
        return answer
    problem = answer.parsed.problem or ""
    text = (
        prompt.repair_text(question.robot, problem)
        if question.claimed is None
        else prompt.verify_repair_text(problem)
    )
    try:
        second = await engine.call(
            model,
            [
                *chat,
                # Providers refuse an empty turn.
                m.ChatMessageAssistant(content=first.text or "(no answer)"),
                m.ChatMessageUser(content=text),
            ],
            config,
        )
    except ModelError as error:
        if answer.usable:
            return replace(answer, cut_short=error)
        raise
    repaired = _read(question, second)
    if not repaired.usable and answer.usable:
        repaired = answer
    return ModelAnswer(repaired.parsed, repaired.disagreement, (first, second))


async def ask_samples(
    model: Any, question: Question, settings: ModelSettings, samples: int
) -> list[ModelAnswer]:
    """N samples at once. One that the server failed counts as a failure, unless all did.

    Raises:
        ModelError: no key, no such model, or no sample got an answer.
    """
    tasks = [ask_once(model, question, settings) for _ in range(samples)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    answers, problem = [], None
    for result in results:
        if isinstance(result, ModelAnswer):
            answers.append(result)
        elif isinstance(result, ModelError):
            problem = result
            answers.append(failed(result))
        else:
            raise result
    if problem is not None and all(not answer.replies for answer in answers):
        raise problem
    return answers


def failed(error: ModelError) -> ModelAnswer:
    """The answer that a dead request counts as.

    Raises:
        ModelError: the error is one that every request would meet.
    """
    from armsight.vlm.errors import MissingKeyError

    if isinstance(error, MissingKeyError | UnknownModelError):
        raise error
    return ModelAnswer(Parsed(failure=ERROR, problem=str(error)))


def _read(question: Question, reply: Reply) -> ModelAnswer:
    if reply.error and not reply.text:
        kind = REFUSED if reply.stop_reason == "content_filter" else ERROR
        return ModelAnswer(Parsed(failure=kind, problem=reply.error), None, (reply,))
    if question.claimed is None:
        return ModelAnswer(
            parse_angles(reply.text, question.robot, reply.stop_reason), None, (reply,)
        )
    disagreement, parsed = parse_disagreement(reply.text, reply.stop_reason)
    return ModelAnswer(parsed, disagreement, (reply,))
