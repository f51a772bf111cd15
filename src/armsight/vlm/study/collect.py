"""Runs the questions of a study through inspect_ai, and keeps every answer as it comes.

`answers.jsonl` in the report folder gets one line for each answer, at once: a run that was killed
goes on without asking again. Only what the server failed to answer is asked anew.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.image import load_image
from armsight.errors import ArmsightError
from armsight.evaluate.poses.answers import AnswerFile
from armsight.vlm.ask import ModelAnswer, ask_once, failed
from armsight.vlm.drawing import Drawer
from armsight.vlm.errors import ModelError, ServerError, TooLateError
from armsight.vlm.parse import ERROR, Parsed
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import Reply
from armsight.vlm.providers.ledger import Ledger, OverBudget
from armsight.vlm.refine import refine
from armsight.vlm.study.items import ANGLES, REFINE, Item
from armsight.vlm.study.pairs import PairSet

ANSWERS = "answers.jsonl"
LOGS = "logs"
HOPELESS = 8
"""So many requests without a single answer, and the model is given up"""


class StudyJournal:
    """Answers on disk by the key of their question."""

    def __init__(self, path: Path, pairs: PairSet) -> None:
        """Open, or begin.

        Raises:
            ConfigError: the file belongs to other pairs, or is damaged.
            OutputError: it cannot be written.
        """
        settings = {"study": "vlm", "robot": pairs.robot.name, "pairs": pairs.fingerprint}
        self._file = AnswerFile(path, settings)

    def get(self, item: Item) -> ModelAnswer | None:
        """The answer, unless there is none or the server failed it."""
        line = self._file.answers.get(item.key)
        if line is None or line["answer"]["failure"] == ERROR:
            return None
        return read_answer(line["answer"])

    def last(self, item: Item) -> ModelAnswer | None:
        """The answer, also one that the server failed."""
        line = self._file.answers.get(item.key)
        return None if line is None else read_answer(line["answer"])

    def add(self, item: Item, answer: ModelAnswer, cost: float | None, spent: float = 0.0) -> None:
        """Keep an answer; `spent` [USD] counts against the limit, with what was spent before on the
        same question."""
        before = self._file.answers.get(item.key)
        spent += (before or {}).get("spent_usd") or 0.0
        line = {"frame": item.key} | item.identity()
        self._file.add(line | {"cost_usd": cost, "spent_usd": spent, "answer": answer.to_json()})

    @property
    def spent(self) -> float:
        """USD, of everything in the file that is known."""
        return sum(line.get("spent_usd") or 0.0 for line in self._file.answers.values())

    def close(self) -> None:
        self._file.close()


def read_answer(document: dict[str, Any]) -> ModelAnswer:
    """An answer from its JSON."""
    q = document["joint_positions"]
    parsed = Parsed(
        None if q is None else np.array(q, dtype=float),
        tuple(document["violated"]),
        document["failure"],
        document["problem"],
    )
    replies = tuple(Reply(**reply) for reply in document["replies"])
    return ModelAnswer(parsed, document["disagreement"], replies, document.get("rounds", 0))


@dataclass
class Study:
    """What runs: pairs, the models' address, the journal, the money."""

    pairs: PairSet
    report: Path
    journal: StudyJournal
    ledger: Ledger
    base_url: str | None = None
    concurrency: int = 10
    progress: Callable[[int], None] = lambda done: None
    skipped: int = 0
    """Items that were not asked, for want of money"""
    problems: dict[str, ArmsightError] = field(default_factory=dict)
    """Models that were given up, and why"""
    _answers: int = 0
    _failures: int = 0

    def __post_init__(self) -> None:
        self._drawer = Drawer(self.pairs.robot)

    def close(self) -> None:
        """Close the answers file, and free the graphics library's memory."""
        self.journal.close()
        self._drawer.close()

    def run(self, items: Sequence[Item]) -> None:
        """Ask what is not answered yet, one model and effort after the other.

        Raises:
            MissingKeyError, UnknownModelError, ServerError: the only model cannot be asked; with
                several, `problems` has it and the others go on.
        """
        todo = [item for item in items if self.journal.get(item) is None]
        self.progress(len(items) - len(todo))
        groups: dict[tuple[str, str | None], list[Item]] = {}
        for item in todo:
            groups.setdefault((item.model, item.effort), []).append(item)
        models = {item.model for item in items}
        for (name, _), group in groups.items():
            if name in self.problems:
                continue
            try:
                self._run_group(name, group)
            except ModelError as error:
                if len(models) == 1:
                    raise
                self.problems[name] = error

    def _run_group(self, name: str, items: list[Item]) -> None:
        inspect = engine.load_inspect()
        from armsight.vlm.study.task import study_task

        model = engine.get_model(name, self.base_url)
        self._answers = self._failures = 0
        given_up: list[ArmsightError] = []
        left = len({item.key for item in items})

        async def asker(item: Item, model: Any) -> ModelAnswer | None:
            nonlocal left
            try:
                return await ask(item, model)
            finally:
                left -= 1
                if not left:  # inspect_ai would leave the connections open
                    await model.api.aclose()

        async def ask(item: Item, model: Any) -> ModelAnswer | None:
            if given_up or self.ledger.stopped:
                self.skipped += not given_up
                return None
            try:
                return await self._ask(item, model)
            except OverBudget:
                self.skipped += 1
                return None
            except ArmsightError as error:
                given_up.append(error)
                return None

        _keep_traces_away()
        logs = inspect.eval(
            study_task(self.pairs, items, asker),
            model=model,
            display="none",
            log_dir=str(self.report / LOGS),
            log_level="critical",
            log_images=False,
            log_model_api=False,
            log_realtime=False,
            log_buffer=100,
            max_samples=self.concurrency,
            max_connections=self.concurrency,
            score_display=False,
            fail_on_error=True,
        )
        if given_up:
            raise given_up[0]
        if logs[0].status != "success":
            if logs[0].status == "cancelled":
                raise KeyboardInterrupt
            problem = logs[0].error
            raise ArmsightError(
                f"{name}: the evaluation ended early ({logs[0].status}): "
                f"{engine.redact(problem.message) if problem else ''}"
            )

    async def _ask(self, item: Item, model: Any) -> ModelAnswer:
        question = item.question(self.pairs)
        parts = question.parts()
        images = sum(not isinstance(part, str) for part in parts)
        text_bytes = sum(len(part.encode()) for part in parts if isinstance(part, str)) + 2000
        requests = max(item.rounds, 1)
        if item.kind == REFINE:  # each round shows the drawing and the target again
            images += 2

        def bound() -> float:
            most = item.settings.max_tokens
            return requests * self.ledger.bound(item.model, text_bytes, images, most)

        amount = await self.ledger.reserve(bound)
        lost = False
        before: tuple[Reply, ...] = ()
        answer: ModelAnswer | None = None
        try:
            if item.kind == REFINE:
                answer, before = await self._refine(item, model)
            else:
                answer = await ask_once(model, question, item.settings)
            lost = isinstance(answer.cut_short, TooLateError)
        except ModelError as error:
            lost = isinstance(error, TooLateError)
            answer = failed(error)
            self._failures += 1
            if self._failures >= HOPELESS and not self._answers and isinstance(error, ServerError):
                raise
        finally:
            replies = answer.replies[len(before) :] if answer is not None else ()
            cost = await self.ledger.settle(item.model, amount, replies, images, lost)
        self._answers += bool(replies)
        self.journal.add(item, answer, cost, amount if lost else cost or 0.0)
        self.progress(1)
        return answer

    async def _refine(self, item: Item, model: Any) -> tuple[ModelAnswer, tuple[Reply, ...]]:
        """The first sample's answer, refined; and the replies that were paid before."""
        base = self.journal.last(base_of(item))
        if base is None or base.parsed.joint_positions is None:
            return base or ModelAnswer(Parsed(failure=ERROR, problem="nothing to refine")), (
                base.replies if base else ()
            )
        target = item.pair.target
        K, T = target.K, target.T_cam_base
        view = None if K is None or T is None else (K, T)
        answer, _ = await refine(
            model, item.question(self.pairs), item.settings, base, item.rounds,
            load_image(target.path), view, self._drawer,
        )  # fmt: skip
        if answer.cut_short is not None:  # to be asked again, like all that the server failed
            answer = replace(answer, parsed=failed(answer.cut_short).parsed)
        return answer, base.replies


def base_of(item: Item) -> Item:
    """The plain question that a refinement goes on from."""
    return replace(item, kind=ANGLES, rounds=0)


def _keep_traces_away() -> None:
    """Send inspect_ai's traces to a folder that goes with the process, not to the user's home.

    It must be a file of its own: inspect_ai compresses and deletes it on exit, whatever it is.
    """
    if "INSPECT_TRACE_FILE" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="armsight-trace-")
    # Registered before inspect_ai's own clean-up, so it runs after it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["INSPECT_TRACE_FILE"] = os.path.join(folder, "trace.log")
