"""Every way in which a server can misbehave, and what becomes of the answer."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from armsight.vlm.ask import ModelAnswer, Question, ask_once, ask_samples
from armsight.vlm.errors import MissingKeyError, ModelError, ServerError, UnknownModelError
from armsight.vlm.picture import SentPicture, encode
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import ModelSettings
from armsight.vlm.references import own_reference
from tests.vlm.fake_server import (
    BEHAVIOURS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ROBOT,
    TRUTH_DEG,
    FakeServer,
)

QUICK = ModelSettings(max_retries=2, timeout_s=1)


def target() -> SentPicture:
    rng = np.random.default_rng(0)
    return encode(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), 768)


def question() -> Question:
    return Question(ROBOT, (own_reference(ROBOT, 96),), target())


def ask(server: FakeServer, behaviour: str, settings: ModelSettings = QUICK) -> ModelAnswer:
    model = engine.get_model(f"local/{behaviour}", server.url)
    return engine.run(model, ask_once(model, question(), settings))


ANSWERED = {
    # behaviour: requests until there is a usable answer, and whether a repair was asked for
    "right": (1, False),
    "looks": (1, False),
    "obeys-schema": (1, False),
    "ignores-schema": (1, False),
    "prose-around": (1, False),
    "prose-only": (2, True),
    "429-once": (2, False),
    "500-once": (2, False),
    "503-once": (2, False),
    "drops-once": (2, False),
    "slow-once": (2, False),
    "truncated-body-once": (2, False),
    "truncated-json": (2, True),
    "radians": (2, True),
    "nan": (2, True),
    "too-few-joints": (2, True),
    "list": (1, False),
    "extra-joints": (1, False),
    "empty": (2, True),
    "no-usage": (1, False),
}


@pytest.mark.parametrize("behaviour", ANSWERED)
def test_a_usable_answer_is_found(server: FakeServer, behaviour: str) -> None:
    requests, repaired = ANSWERED[behaviour]
    answer = ask(server, behaviour)
    assert answer.parsed.failure is None
    np.testing.assert_allclose(np.degrees(answer.parsed.joint_positions), TRUTH_DEG)
    assert answer.repaired == repaired
    assert server.served == requests


FAILING = {
    # behaviour: the kind of failure, words of the problem, requests
    "prose-stubborn": ("unparsed", "no whole JSON object", 2),
    "truncated-stubborn": ("unparsed", "cut off", 2),
    "infinity": ("unparsed", "panda_joint3", 2),
    "null": ("unparsed", "panda_joint3 is null", 2),
    "strings": ("unparsed", "not a finite number", 2),
    "short-list": ("unparsed", "7 joints", 2),
    "refuses": ("refused", "can't help", 1),
    "refusal-field": ("refused", "refused", 1),
}


@pytest.mark.parametrize("behaviour", FAILING)
def test_an_unusable_answer_is_a_failure_with_a_reason(server: FakeServer, behaviour: str) -> None:
    kind, words, requests = FAILING[behaviour]
    answer = ask(server, behaviour)
    assert answer.parsed.failure == kind
    assert answer.parsed.joint_positions is None
    assert words in (answer.parsed.problem or "")
    assert server.served == requests


DEAD = {
    "429-always": (ServerError, "rate limit"),
    "500-always": (ServerError, "500"),
    "slow-always": (ServerError, "in time"),
    "key-refused": (MissingKeyError, "refused"),
    "bad-request": (ModelError, "image too large"),
    "unheard-of": (UnknownModelError, "no such model"),
}


@pytest.mark.parametrize("behaviour", DEAD)
def test_a_dead_end_is_one_readable_error(server: FakeServer, behaviour: str) -> None:
    kind, words = DEAD[behaviour]
    with pytest.raises(kind, match=words) as caught:
        ask(server, behaviour)
    assert "\n" not in str(caught.value)


def test_a_server_that_speaks_something_else_is_told(server: FakeServer) -> None:
    with pytest.raises(ModelError) as caught:
        ask(server, "html")
    assert "\n" not in str(caught.value)


def test_a_completion_without_choices_gives_no_angles(server: FakeServer) -> None:
    assert ask(server, "no-choices").parsed.failure == "unparsed"


def test_there_are_twenty_behaviours_and_all_are_tested() -> None:
    tested = {*ANSWERED, *FAILING, *DEAD, "html", "no-choices", "refuses-schema",
              "radians-stubborn", "beyond-limits"}  # fmt: skip
    assert set(BEHAVIOURS) <= tested
    assert len(BEHAVIOURS) >= 20


def test_a_server_without_schemas_is_asked_without_one(server: FakeServer) -> None:
    with pytest.raises(ModelError, match="response_format"):
        ask(server, "refuses-schema")
    answer = ask(server, "refuses-schema", ModelSettings(use_schema=False, max_retries=0))
    assert answer.usable


def test_radians_that_are_insisted_on_are_read_as_degrees_and_marked(server: FakeServer) -> None:
    answer = ask(server, "radians-stubborn")
    assert answer.repaired
    assert answer.parsed.doubtful
    largest = np.abs(np.degrees(answer.parsed.joint_positions)).max()
    assert largest < 7


def test_angles_beyond_the_limits_are_kept_and_named(server: FakeServer) -> None:
    answer = ask(server, "beyond-limits")
    assert answer.parsed.violated == ("panda_joint1",)
    assert np.degrees(answer.parsed.joint_positions[0]) == pytest.approx(500)


def test_the_question_reaches_the_server_whole(server: FakeServer) -> None:
    ask(server, "right")
    [request] = server.requests
    asked = question()
    # The reference comes before the target, each bit as it was prepared.
    assert request.images == [asked.references[0].picture.data, asked.target.data]
    with Image.open(io.BytesIO(request.images[1])) as image:
        assert image.size == (64, 48)
    whole = "\n".join(request.texts)
    for name, (low, high) in zip(ROBOT.joint_names, ROBOT.joint_limits, strict=True):
        assert f"{name}: range {np.degrees(low):.0f} to {np.degrees(high):.0f}" in whole
    schema = request.schema
    assert schema is not None
    assert schema["properties"]["joint_angles_deg"]["required"] == list(ROBOT.joint_names)
    # A server at an address without a key in the environment gets none.
    assert request.authorization == "Bearer none"


def test_the_repair_tells_what_was_wrong_and_shows_the_answer(server: FakeServer) -> None:
    ask(server, "too-few-joints")
    first, second = server.requests
    assert not first.repairing
    roles = [message["role"] for message in second.body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "joints are missing: panda_joint2" in second.texts[-1]


def test_tokens_and_time_are_counted_over_both_requests(server: FakeServer) -> None:
    answer = ask(server, "prose-only")
    assert [r.input_tokens for r in answer.replies] == [INPUT_TOKENS, INPUT_TOKENS]
    assert [r.output_tokens for r in answer.replies] == [OUTPUT_TOKENS, OUTPUT_TOKENS]
    assert answer.seconds > 0


def test_effort_temperature_and_tokens_are_passed_on(server: FakeServer) -> None:
    settings = ModelSettings(effort="low", temperature=0.7, max_tokens=321, max_retries=0)
    ask(server, "right", settings)
    body = server.requests[0].body
    assert body["reasoning_effort"] == "low"
    assert body["temperature"] == 0.7
    assert 321 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_one_dead_sample_of_many_is_a_failure_and_not_the_end(server: FakeServer) -> None:
    calls = iter(range(100))

    def fails_first(request, times):  # type: ignore[no-untyped-def]
        first = next(calls) == 0
        return BEHAVIOURS["bad-request" if first else "right"](request, times)

    server.behaviours["one-bad"] = fails_first
    model = engine.get_model("local/one-bad", server.url)
    answers = engine.run(model, ask_samples(model, question(), QUICK, 3))
    assert sorted(str(a.parsed.failure) for a in answers) == ["None", "None", "error"]


def test_no_answer_at_all_is_an_error(server: FakeServer) -> None:
    model = engine.get_model("local/500-always", server.url)
    with pytest.raises(ServerError):
        engine.run(model, ask_samples(model, question(), QUICK, 2))


def test_keys_from_the_environment_are_sent_and_never_told(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_API_KEY", "sk-very-secret-1234")
    server.behaviours["leaks"] = lambda request, times: BEHAVIOURS["prose-stubborn"](
        request, times
    ).__class__("bad key sk-very-secret-1234", 400)
    with pytest.raises(ModelError) as caught:
        ask(server, "leaks")
    assert server.requests[0].authorization == "Bearer sk-very-secret-1234"
    assert "sk-very" not in str(caught.value)
    assert "<LOCAL_API_KEY>" in str(caught.value)
