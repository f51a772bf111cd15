"""The task as inspect_ai's own users meet it, and the provider for local models."""

from __future__ import annotations

import sys
import types
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.errors import MissingExtraError
from armsight.vlm.ask import Question, ask_once
from armsight.vlm.errors import ModelError
from armsight.vlm.picture import encode
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import ModelSettings
from armsight.vlm.references import own_reference
from tests.vlm.fake_server import ROBOT, TRUTH_DEG, FakeServer, answer_text
from tests.vlm.scripted_study import make_folder

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.filterwarnings("ignore:(U|u)nclosed:ResourceWarning"),
]


def test_the_entry_point_registers_the_task(server: FakeServer, tmp_path: Path) -> None:
    """By name, as in `inspect eval armsight/joint_angles`."""
    import inspect_ai

    assert "armsight.vlm.registry" in {e.value for e in entry_points(group="inspect_ai")}
    folder = make_folder(tmp_path / "photos", 4, 5)
    [log] = inspect_ai.eval(
        "armsight/joint_angles",
        model="openai-api/local/right",
        model_base_url=server.url,
        model_args={"api_key": "none"},
        task_args={"dataset": str(folder), "references": 2, "image_size": 64},
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    assert log.status == "success"
    assert server.served == 4
    metrics = {s.name: s.metrics["mean"].value for s in log.results.scores}  # type: ignore[union-attr]
    true = [np.loadtxt(f) for f in sorted((folder / "qpos").glob("*.txt"))]
    errors = np.abs(np.degrees(true) - TRUTH_DEG)
    assert metrics["error_deg"] == pytest.approx(errors.mean(), abs=1e-3)
    assert metrics["within_10_deg"] == pytest.approx((errors <= 10).mean(), abs=1e-3)
    assert metrics["failed"] == 0
    assert log.eval.metadata is not None
    assert "prompt_version" in log.eval.metadata


class FakeProcessor:
    """Stands for a Hugging Face processor; keeps what it was given."""

    chats: list[Any]

    def __init__(self) -> None:
        self.chats = []

    @classmethod
    def from_pretrained(cls, name: str, **options: Any) -> FakeProcessor:
        global processor
        processor = cls()
        return processor

    def apply_chat_template(self, chat: Any, **options: Any) -> Any:
        self.chats.append(chat)

        class Batch(dict):  # type: ignore[type-arg]
            def to(self, device: str) -> Batch:
                return self

        return Batch(input_ids=np.zeros((1, 5), int))

    def decode(self, tokens: Any, skip_special_tokens: bool) -> str:
        return "".join(map(chr, tokens))


class FakeModel:
    """Answers the same text, as token numbers."""

    device = "cpu"

    @classmethod
    def from_pretrained(cls, name: str, **options: Any) -> FakeModel:
        return cls()

    def eval(self) -> FakeModel:
        return self

    def generate(self, **options: Any) -> Any:
        made = [ord(c) for c in answer_text()]
        return np.array([[0] * 5 + made])


processor: FakeProcessor


def question() -> Question:
    target = encode(np.full((40, 60, 3), 9, np.uint8), 768)
    return Question(ROBOT, (own_reference(ROBOT, 96),), target)


def test_a_local_hugging_face_model_sees_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib
    import importlib.machinery

    def module(name: str) -> Any:
        made = types.ModuleType(name)
        made.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    torch, transformers = module("torch"), module("transformers")
    torch.inference_mode = contextlib.nullcontext
    transformers.AutoProcessor = FakeProcessor
    transformers.AutoModelForImageTextToText = FakeModel
    model = engine.get_model("hf/some/vision-model")
    import armsight.vlm.providers.hf_vision as hf

    monkeypatch.setattr(hf, "only_here", lambda name: True)
    answer = engine.run(model, ask_once(model, question(), ModelSettings()))
    np.testing.assert_allclose(np.degrees(answer.parsed.joint_positions), TRUTH_DEG)
    assert answer.replies[0].input_tokens == 5
    [chat] = processor.chats
    pictures = [p["image"] for m in chat for p in m["content"] if p["type"] == "image"]
    assert [picture.size for picture in pictures] == [(96, 72), (60, 40)]
    assert pictures[1].getpixel((3, 3)) == (9, 9, 9)


def test_a_local_model_without_transformers_names_the_pip_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="pip install transformers"):
        engine.get_model("hf/some/vision-model")


class Hub:
    """The Hugging Face Hub as it answers: with a model, an error, or not at all."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def model_info(self, name: str, timeout: float) -> None:
        assert timeout <= 30
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("cached", [False, True])
def test_a_local_model_that_cannot_be_had_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    from huggingface_hub.errors import RepositoryNotFoundError

    from armsight.vlm.providers.hf_vision import only_here

    found = str(tmp_path / "config.json") if cached else None
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda name, file: found)
    gone = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    for error, words in ((gone, "no such model"), (OSError("no route"), "cannot be reached")):
        monkeypatch.setattr(hub, "HfApi", lambda error=error: Hub(error))
        if cached and error is not gone:
            assert only_here("some/model") is True
            continue
        with pytest.raises(ModelError, match=words) as raised:
            only_here("some/model")
        assert "\n" not in str(raised.value)
    monkeypatch.setattr(hub, "HfApi", lambda: Hub(None))
    assert only_here("some/model") is False
    assert only_here(str(tmp_path)) is True
