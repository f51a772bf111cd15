"""A study that is cut short: killed, out of money, a dead model; and what it must not keep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armsight.errors import ArmsightError
from armsight.vlm.study import collect as study
from armsight.vlm.study.pairs import PairSet
from armsight.vlm.study.run import run_study
from tests.vlm.fake_server import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    FakeServer,
    Response,
    answer_text,
)
from tests.vlm.scripted_study import (
    COST,
    PRICE,
    SIZE,
    plan,
    prices,
    scripted,
)

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_run_goes_on_without_asking_again(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    server.behaviours["scripted"] = scripted(
        pairs, lambda i, p, d: Response(answer_text(d), delay=0.1)
    )
    command = [
        sys.executable, "-m", "armsight", "evaluate", "vlm", str(pairs.path), "--models",
        "local/scripted", "--base-url", server.url, "--image-size", str(SIZE), "--concurrency",
        "4", "--report", str(tmp_path / "r"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "r" / "answers.jsonl"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and (
        not file.exists() or len(file.read_bytes().splitlines()) < 15
    ):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {json.loads(line)["frame"] for line in file.read_bytes().split(b"\n")[1:-1]}
    assert 14 <= len(kept) < 60
    asked_before = server.served
    result = run_study(plan(pairs, server, tmp_path / "r"))
    row = next(r for r in result["table"] if r["model"])
    assert row["asked"] == 60
    assert row["mean_deg"]["value"] == pytest.approx(0, abs=1e-6)
    # Only what was under way when the kill came (4 at most) is asked a second time.
    assert server.served - asked_before == 60 - len(kept)
    assert 60 <= server.served <= 64


@pytest.mark.parametrize("concurrency", [1, 8])
def test_max_cost_stops_before_it_is_passed(
    server: FakeServer, pairs: PairSet, tmp_path: Path, concurrency: int
) -> None:
    server.behaviours["scripted"] = scripted(pairs, lambda i, p, d: Response(answer_text(d)))
    limit = 12.5 * COST
    result = run_study(
        plan(
            pairs, server, tmp_path / "r", max_cost=limit, max_tokens=100,
            prices=prices(tmp_path, scripted=PRICE | {"input": 0.02, "output": 29.8}),
            concurrency=concurrency,
        )
    )  # fmt: skip
    spent = server.served * (INPUT_TOKENS * 0.02 + OUTPUT_TOKENS * 29.8) / 1e6
    assert result["spent_usd"] == pytest.approx(spent)
    assert spent <= limit
    assert server.served >= 8  # the reserve for a request and its repair is not kept for good
    assert any("left out of the table" in note for note in result["notes"])
    assert not any(row["model"] for row in result["table"])
    # What was spent before counts: the same command does not spend it again.
    before = server.served
    run_study(
        plan(
            pairs, server, tmp_path / "r", max_cost=limit, max_tokens=100,
            prices=prices(tmp_path, scripted=PRICE | {"input": 0.02, "output": 29.8}),
            concurrency=concurrency,
        )
    )  # fmt: skip
    assert (server.served * COST) <= limit + 1e-12 or server.served == before


def test_max_cost_without_a_price_is_an_error(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    with pytest.raises(ArmsightError, match="price of openai-api/local/scripted"):
        run_study(plan(pairs, server, tmp_path, max_cost=1.0))
    assert server.served == 0


def test_a_dead_model_ends_the_study_and_does_not_hide_a_living_one(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    with pytest.raises(ArmsightError, match="no such model"):
        run_study(plan(pairs, server, tmp_path / "a", models=("local/gone",)))
    server.behaviours["scripted"] = scripted(pairs, lambda i, p, d: Response(answer_text(d)))
    result = run_study(
        plan(pairs, server, tmp_path / "b", models=("local/gone", "local/scripted"), limit=5)
    )
    assert [r["model"] for r in result["table"] if r["model"]] == ["openai-api/local/scripted"]
    assert any("local/gone was given up" in note for note in result["notes"])


def test_keys_are_in_no_file(
    server: FakeServer, pairs: PairSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-do-not-write-me-0123456789"
    monkeypatch.setenv("LOCAL_API_KEY", key)
    server.behaviours["scripted"] = scripted(
        pairs,
        lambda i, p, d: Response(f"key {key}", 400) if i else Response(answer_text(d) + key),
    )
    run_study(plan(pairs, server, tmp_path, limit=4))
    assert server.requests[0].authorization == f"Bearer {key}"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        data = file.read_bytes()
        if file.suffix == ".eval":
            import zipfile

            with zipfile.ZipFile(file) as archive:
                data = b"".join(archive.read(name) for name in archive.namelist())
        assert key.encode() not in data, file


def test_traces_go_to_a_file_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """inspect_ai deletes its trace file on exit: a device such as /dev/null must never be it."""
    monkeypatch.delenv("INSPECT_TRACE_FILE", raising=False)
    study._keep_traces_away()
    path = Path(os.environ["INSPECT_TRACE_FILE"])
    assert path.parent.is_dir()
    assert not path.exists()
