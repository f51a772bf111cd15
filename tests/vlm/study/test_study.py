"""The bars of a study, against a server whose every error was scripted."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.errors import ArmsightError
from armsight.vlm.study.pairs import Pair, PairSet, read_pairs
from armsight.vlm.study.run import run_study
from tests.vlm.fake_server import (
    ROBOT,
    FakeServer,
    Request,
    Response,
    answer_text,
)
from tests.vlm.scripted_study import (
    COST,
    ERRORS_DEG,
    PRICE,
    plan,
    prices,
    scripted,
    targets_by_bytes,
)

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]


def test_the_report_says_what_was_scripted(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    """Every 7th target refused, every 11th unreadable, the others off by a known error times k."""

    def reply(i: int, pair: Pair, degrees: np.ndarray) -> Response:
        if i % 7 == 3:
            return Response("I'm sorry, I can't help with that.")
        if i % 11 == 5:
            return Response("somewhere around zero")
        return Response(answer_text(degrees + ERRORS_DEG * (1 + i % 3)))

    server.behaviours["scripted"] = scripted(pairs, reply)
    result = run_study(plan(pairs, server, tmp_path / "r", prices=prices(tmp_path, scripted=PRICE)))
    row = next(r for r in result["table"] if r["model"] == "openai-api/local/scripted")

    # The same, worked out apart from the package.
    n = len(pairs.pairs)
    assert n == 60
    refused = [i for i in range(n) if i % 7 == 3]
    unread = [i for i in range(n) if i % 11 == 5 and i not in refused]
    true = np.degrees([p.target.joint_positions for p in pairs.pairs])
    ready = np.degrees(ROBOT.ready_positions)
    errors = np.array(
        [
            np.abs(ready - true[i]) if i in refused + unread else np.abs(ERRORS_DEG) * (1 + i % 3)
            for i in range(n)
        ]
    )
    answered = np.array([i not in refused + unread for i in range(n)])
    assert row["failures"] == {"refused": len(refused), "unparsed": len(unread), "error": 0}
    assert row["unanswered"] == len(refused) + len(unread)
    assert row["asked"] == n
    assert row["repairs"] == len(unread)
    assert row["violations"] == 0
    assert row["mean_deg"]["value"] == pytest.approx(errors.mean())
    assert row["mean_rad"]["value"] == pytest.approx(np.radians(errors.mean()))
    assert row["mean_answered_deg"]["value"] == pytest.approx(errors[answered].mean())
    for j, name in enumerate(ROBOT.joint_names):
        assert row["per_joint_deg"][name]["value"] == pytest.approx(errors[:, j].mean())
    for limit in (5, 10, 20):
        right = ((errors <= limit) & answered[:, None]).mean()
        assert row[f"within_{limit}"]["value"] == pytest.approx(right)
    # A repair is a second request.
    assert row["cost_usd"] == pytest.approx(COST * (n + len(unread)))
    assert result["spent_usd"] == pytest.approx(row["cost_usd"])
    assert server.served == n + len(unread)
    # The interval: bootstrap over the first references, by a plain loop of our own.
    low, high = _interval(errors.mean(axis=1), [p.references[0].name for p in pairs.pairs])
    assert row["mean_deg"]["low"] == pytest.approx(low, rel=0.06)
    assert row["mean_deg"]["high"] == pytest.approx(high, rel=0.06)
    for group, rows in (("drawn", slice(0, 50)), ("photos", slice(50, 60))):
        assert row["groups"][group]["mean_deg"]["value"] == pytest.approx(errors[rows].mean())
    # Baselines stand in the same table, and the paired difference is the difference of means.
    copied = next(r for r in result["table"] if "reference" in r["name"] and r["baseline"])
    refs = np.degrees([p.references[0].joint_positions for p in pairs.pairs])
    assert copied["mean_deg"]["value"] == pytest.approx(np.abs(refs - true).mean())
    mean_pose = next(r for r in result["table"] if "mean pose" in r["name"])
    loo = [np.delete(true, i, axis=0).mean(axis=0) for i in range(n)]
    assert mean_pose["mean_deg"]["value"] == pytest.approx(np.abs(np.array(loo) - true).mean())
    paired = next(d for d in result["paired"] if d["b"] == copied["name"])
    assert paired["difference_deg"]["value"] == pytest.approx(
        errors.mean() - np.abs(refs - true).mean()
    )
    _check_files(tmp_path / "r", result, errors)


def _interval(values: np.ndarray, owners: list[str]) -> tuple[float, float]:
    rng = np.random.default_rng(123)
    names = sorted(set(owners))
    means = []
    for _ in range(4000):
        drawn = rng.choice(names, len(names))
        picked = [v for name in drawn for v, o in zip(values, owners, strict=True) if o == name]
        means.append(np.mean(picked))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _check_files(folder: Path, result: dict[str, Any], errors: np.ndarray) -> None:
    assert json.loads((folder / "results.json").read_text())["table"] == result["table"]
    with (folder / "results.csv").open(newline="") as file:
        lines = [x for x in csv.DictReader(file) if x["model"] == "openai-api/local/scripted"]
    assert len(lines) == 60
    written = [float(x["mean_error_deg"]) for x in lines]
    np.testing.assert_allclose(written, errors.mean(axis=1), atol=1e-3)
    assert {x["prompt_version"] for x in lines} == {result["prompt_version"]}
    page = (folder / "report.html").read_text()
    row = next(r for r in result["table"] if r["model"])
    assert f"{row['mean_deg']['value']:.1f} [{row['mean_deg']['low']:.1f}" in page
    assert "<script" not in page
    assert list((folder / "logs").glob("*.eval"))


def test_samples_references_and_efforts_are_lines_of_the_scaling_study(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    def behave(request: Request, times: int) -> Response:
        """Off by +12, -3 and +3 in turn: the median of three is off by 3, whatever the order."""
        pair = known[request.images[-1]]
        off = (12.0, -3.0, 3.0)[times % 3]
        return Response(answer_text(np.degrees(pair.target.joint_positions) + off))

    known = targets_by_bytes(pairs)
    for name in ("net-3b", "net-30b"):
        server.behaviours[name] = behave
    result = run_study(
        plan(
            pairs, server, tmp_path, models=("local/net-3b", "local/net-30b"), samples=(1, 3),
            references=(1, 2), efforts=("low", "high"), limit=3,
        )
    )  # fmt: skip
    rows = [r for r in result["table"] if r["model"]]
    assert len(rows) == 2 * 2 * 2 * 3  # models, efforts, references; 1 sample, median, medoid
    assert server.served == 2 * 2 * 2 * 3 * 3
    for row in rows:
        if row["samples"] == 3:
            assert row["mean_deg"]["value"] == pytest.approx(3, abs=1e-6)
    assert set(result["scaling"]) == {"samples", "effort", "references", "model size"}
    [family, *_] = result["scaling"]["model size"]
    assert [point["x"] for point in family["points"]] == [3, 30]
    bodies = Counter(r.body["reasoning_effort"] for r in server.requests)
    assert bodies == {"low": 36, "high": 36}
    assert Counter(len(r.images) for r in server.requests) == {2: 36, 3: 36}


def test_a_finished_study_asks_nothing_and_a_longer_one_only_what_is_new(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    server.behaviours["scripted"] = scripted(pairs, lambda i, p, d: Response(answer_text(d)))
    first = run_study(plan(pairs, server, tmp_path, samples=(1,)))
    assert server.served == 60
    again = run_study(plan(pairs, server, tmp_path, samples=(1,)))
    assert server.served == 60
    for a, b in zip(first["table"], again["table"], strict=True):
        assert a.get("mean_deg") == b.get("mean_deg")
    run_study(plan(pairs, server, tmp_path, samples=(2,)))
    assert server.served == 120


def test_what_the_server_failed_is_asked_again_and_what_was_refused_is_not(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    broken = True

    def reply(i: int, pair: Pair, degrees: np.ndarray) -> Response:
        if i == 1 and broken:
            return Response("oops", 500)
        return Response("I'm sorry, I cannot help." if i == 2 else answer_text(degrees))

    server.behaviours["scripted"] = scripted(pairs, reply)
    result = run_study(plan(pairs, server, tmp_path, limit=5, retries=0))
    row = next(r for r in result["table"] if r["model"])
    assert row["failures"] == {"refused": 1, "unparsed": 0, "error": 1}
    before, broken = server.served, False
    result = run_study(plan(pairs, server, tmp_path, limit=5, retries=0))
    row = next(r for r in result["table"] if r["model"])
    assert row["failures"] == {"refused": 1, "unparsed": 0, "error": 0}
    assert server.served == before + 1


def test_other_pairs_do_not_mix_with_old_answers(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    server.behaviours["scripted"] = scripted(pairs, lambda i, p, d: Response(answer_text(d)))
    run_study(plan(pairs, server, tmp_path, limit=3))
    with pytest.raises(ArmsightError, match="other settings"):
        run_study(plan(pairs, server, tmp_path, limit=4))


def test_verdicts_of_a_model_become_an_auc(
    server: FakeServer, pairs: PairSet, tmp_path: Path
) -> None:
    """A model that says 90 for wrong claims of joints 1 to 4 and 10 for everything else."""
    known = targets_by_bytes(pairs)
    import re

    def behave(request: Request, times: int) -> Response:
        if "CLAIMS" not in "\n".join(request.texts):
            return Response(answer_text())
        claimed = json.loads(re.findall(r"\{[^{}]*panda_joint1[^{}]*\}", request.texts[-1])[0])
        true = np.degrees(known[request.images[-1]].target.joint_positions)
        off = np.abs(np.array(list(claimed.values())) - true) > 1
        return Response(
            json.dumps({"observations": "", "disagreement": 90 if off[:4].any() else 10})
        )

    server.behaviours["scripted"] = behave
    result = run_study(plan(pairs, server, tmp_path, limit=14, verify=True))
    verifier = next(v for v in result["verifiers"] if v["judge"] == "openai-api/local/scripted")
    assert verifier["true_claims"] == 14
    for degrees in ("5", "10", "15", "30"):
        part = verifier["shift_deg"][degrees]
        assert part["claims"] == 14
        assert part["per_joint"]["panda_joint2"]["value"] == 1.0
        assert part["per_joint"]["panda_joint6"]["value"] == 0.5
        assert part["auc"]["value"] == pytest.approx((8 * 1 + 6 * 0.5) / 14)
    assert server.served == 14 + 14 * 5


def test_the_pairs_of_the_fixture_read_back(pairs: PairSet) -> None:
    again = read_pairs(pairs.path)
    assert again.fingerprint == pairs.fingerprint
    for pair in again.pairs:
        names = [reference.name for reference in pair.references]
        assert len(names) == 2
        assert pair.target.name not in names
