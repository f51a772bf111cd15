"""1,000 requests, 32 at a time, 5 % of them faulty: every sample is answered exactly once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from armsight.vlm.study.pair_maker import make_pairs
from armsight.vlm.study.pairs import read_pairs
from armsight.vlm.study.run import StudyPlan, run_study
from tests.vlm.fake_server import FakeServer, Request, Response, answer_text
from tests.vlm.scripted_study import make_folder

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]

SAMPLES, TARGETS = 50, 20
FAULTS = (
    Response("slow down", 429),
    Response("oops", 500),
    Response(drop=True),
    Response(raw=b'{"id": "x", "choi'),
    Response("overloaded", 503),
)


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def test_a_thousand_requests(server: FakeServer, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 26, 3)
    pairs = make_pairs(tmp_path / "mini", "panda", [(folder, TARGETS)], references=1)
    server.keep = False
    count = 0
    peaks: list[int] = []

    def behave(request: Request, times: int) -> Response:
        nonlocal count
        count += 1
        if count in (200, 950):
            peaks.append(resident())
        # Every twentieth request meets a fault; so does none of its next nineteen.
        if count % 20 == 7:
            return FAULTS[count // 20 % len(FAULTS)]
        return Response(answer_text(), delay=0.2)

    server.behaviours["flaky"] = behave
    result = run_study(
        StudyPlan(
            pairs.path, tmp_path / "r", models=("local/flaky",), base_url=server.url,
            samples=(SAMPLES,), image_size=64, concurrency=32, retries=8, timeout=60,
        )
    )  # fmt: skip
    [row, *_] = [r for r in result["table"] if r["model"]]
    assert row["asked"] == SAMPLES * TARGETS == 1000
    assert row["failures"] == {"refused": 0, "unparsed": 0, "error": 0}
    lines = (tmp_path / "r" / "answers.jsonl").read_text().splitlines()[1:]
    answers = [json.loads(line) for line in lines]
    asked = Counter((a["pair"], a["sample"]) for a in answers)
    assert len(asked) == 1000
    assert set(asked.values()) == {1}
    assert {a["pair"] for a in answers} == {p.name for p in read_pairs(pairs.path).pairs}
    # Nothing was asked again that had been answered: faults alone make for more requests.
    assert sum(server.answered.values()) - server.served // 100 <= 1000
    assert 1000 + 50 <= server.served <= 1000 + 60
    # On a busy machine fewer than 32 are under way at once, never more.
    assert 12 <= server.most_at_once <= 32
    # Memory: 750 further answers, their logs and transcripts, in tens of megabytes at most.
    assert peaks[1] - peaks[0] < 60e6, [round(p / 1e6) for p in peaks]
