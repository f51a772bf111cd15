"""`--refine K` inside a study: which answer is kept, and what it costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.vlm.drawing import Camera, shaded
from armsight.vlm.study.items import REFINE
from armsight.vlm.study.pair_maker import make_pairs
from armsight.vlm.study.pairs import PairSet
from armsight.vlm.study.run import StudyPlan, run_study
from tests.labelled_folders import SIZE as FRAME
from tests.labelled_folders import T_CAM_BASE, K, poses, write_ndds
from tests.vlm import scripted_study
from tests.vlm.fake_server import ROBOT, FakeServer, Request, Response, answer_text
from tests.vlm.scripted_study import COST, PRICE, prices, targets_by_bytes
from tests.vlm.scripted_study import SIZE as SENT

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]

TARGETS = 6
OFF = np.array([0.0, 20.0, 0.0, -20.0, 0.0, 0.0, 0.0])
"""[deg] by which the model is wrong before it corrects itself, and worse after a bad correction"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """Pairs whose pictures show the arm, with their cameras."""
    base = tmp_path_factory.mktemp("drawn")
    folder = write_ndds(base / "frames", TARGETS + 2, suffix=".rgb.png")
    for i, q in enumerate(poses(ROBOT, TARGETS + 2)):
        picture = shaded(ROBOT, q, Camera(K, T_CAM_BASE, *FRAME))
        picture[0, 0] = i
        Image.fromarray(picture).save(folder / f"{i:06d}.rgb.png")
    return make_pairs(base / "set", "panda", [(folder, TARGETS)], references=2)


def corrects(
    pairs: PairSet, correct: Callable[[int, np.ndarray], Response], delay: float = 0.0
) -> Callable[[Request, int], Response]:
    """Off by OFF at first, then whatever `correct` makes of the number and the truth [deg]."""
    known = targets_by_bytes(pairs)
    order = {pair.name: i for i, pair in enumerate(pairs.pairs)}

    def behave(request: Request, times: int) -> Response:
        pair = known[request.images[-1]]
        true = np.degrees(pair.target.joint_positions)
        if request.repairing:  # a talk that goes on
            return correct(order[pair.name], true)
        return Response(answer_text(true + OFF), delay=delay)

    return behave


def plan(pairs: PairSet, server: FakeServer, report: Path, **more: Any) -> StudyPlan:
    """Without armsight's own estimator, which is not what is tested."""
    return scripted_study.plan(pairs, server, report, weights="none", refine=1, **more)


def rows_of(result: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    plain, refined = (row for row in result["table"] if row["model"])
    assert (plain["refine"], refined["refine"]) == (0, 1)
    return plain, refined


def test_the_better_answer_by_the_image_is_kept(
    server: FakeServer, drawn: PairSet, tmp_path: Path
) -> None:
    """Even targets are corrected rightly, odd ones made worse: the truth is told to nobody."""
    server.behaviours["scripted"] = corrects(
        drawn, lambda i, true: Response(answer_text(true + (2 * OFF if i % 2 else 0)))
    )
    money = prices(tmp_path, scripted=PRICE)
    study = plan(drawn, server, tmp_path / "r", prices=money)
    result = run_study(study)
    plain, refined = rows_of(result)
    off = np.abs(OFF).mean()
    assert plain["mean_deg"]["value"] == pytest.approx(off, abs=1e-6)
    assert refined["mean_deg"]["value"] == pytest.approx(off / 2, abs=1e-6)
    # Each question once; a refined answer costs its first sample too, which was paid already.
    assert server.served == 2 * TARGETS
    assert plain["cost_usd"] == pytest.approx(TARGETS * COST)
    assert refined["cost_usd"] == pytest.approx(2 * TARGETS * COST)
    assert result["spent_usd"] == pytest.approx(2 * TARGETS * COST)
    assert (refined["asked"], refined["repairs"]) == (TARGETS, 0)
    lines = [json.loads(x) for x in (tmp_path / "r" / "answers.jsonl").read_text().splitlines()[1:]]
    tokens = [
        r["input_tokens"] for x in lines if x["kind"] == REFINE for r in x["answer"]["replies"]
    ]
    assert len(tokens) == 2 * TARGETS
    # What refining brings is a paired difference of its own.
    [paired] = [
        d for d in result["paired"] if d["a"] == refined["name"] and d["b"] == plain["name"]
    ]
    assert paired["difference_deg"]["value"] == pytest.approx(-off / 2, abs=1e-6)
    # Reference, target, then the drawing and the target again.
    assert sorted(len(request.images) for request in server.requests) == [2] * 6 + [4] * 6
    assert rows_of(run_study(study)) == (plain, refined)
    assert server.served == 2 * TARGETS


def test_a_killed_refinement_goes_on_without_asking_again(
    server: FakeServer, drawn: PairSet, tmp_path: Path
) -> None:
    slow = 0.5

    def correct(i: int, true: np.ndarray) -> Response:
        return Response(answer_text(true), delay=slow)

    server.behaviours["scripted"] = corrects(drawn, correct)
    command = [
        sys.executable, "-m", "armsight", "evaluate", "vlm", str(drawn.path), "--models",
        "local/scripted", "--base-url", server.url, "--image-size", str(SENT), "--concurrency",
        "2", "--refine", "1", "--weights", "none", "--report", str(tmp_path / "r"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "r" / "answers.jsonl"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and (
        not file.exists() or file.read_text().count(f'"{REFINE}"') < 2
    ):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {json.loads(line)["frame"] for line in file.read_bytes().split(b"\n")[1:-1]}
    assert TARGETS + 2 <= len(kept) < 2 * TARGETS
    slow, asked_before = 0.0, server.served
    _, refined = rows_of(run_study(plan(drawn, server, tmp_path / "r")))
    assert refined["mean_deg"]["value"] == pytest.approx(0, abs=1e-6)
    assert server.served - asked_before == 2 * TARGETS - len(kept)


def test_max_cost_holds_for_refinements(server: FakeServer, drawn: PairSet, tmp_path: Path) -> None:
    server.behaviours["scripted"] = corrects(drawn, lambda i, true: Response(answer_text(true)))
    cheap = PRICE | {"input": 0.02, "output": 29.8}
    limit = (TARGETS + 4.5) * COST
    study = plan(
        drawn, server, tmp_path / "r", max_cost=limit, max_tokens=100, concurrency=1,
        prices=prices(tmp_path, scripted=cheap),
    )  # fmt: skip
    result = run_study(study)
    assert TARGETS < server.served < 2 * TARGETS
    spent = server.served * (1000 * cheap["input"] + 100 * cheap["output"]) / 1e6
    assert result["spent_usd"] == pytest.approx(spent)
    assert spent <= limit
    assert [row["refine"] for row in result["table"] if row["model"]] == [0]
    assert any("questions were not asked" in note for note in result["notes"])
    assert any("refine 1" in note and "left out" in note for note in result["notes"])


def test_a_refinement_that_the_server_failed_is_paid_and_asked_again(
    server: FakeServer, drawn: PairSet, tmp_path: Path
) -> None:
    """A time-out may have been charged: all that was set aside counts, also in later runs."""
    late = True

    def correct(i: int, true: np.ndarray) -> Response:
        return Response(answer_text(true), delay=2.5 if late and i == 0 else 0.0)

    server.behaviours["scripted"] = corrects(drawn, correct)
    study = plan(
        drawn, server, tmp_path / "r", max_cost=5.0, max_tokens=100, retries=0,
        timeout=1, prices=prices(tmp_path, scripted=PRICE),
    )  # fmt: skip
    first = run_study(study)
    plain, refined = rows_of(first)
    assert plain["failures"]["error"] == 0
    assert refined["failures"]["error"] == 1
    sure = (2 * TARGETS - 1) * COST
    assert first["spent_usd"] > sure + COST
    late, before = False, server.served
    second = run_study(study)
    assert server.served == before + 1
    assert rows_of(second)[1]["failures"]["error"] == 0
    assert second["spent_usd"] == pytest.approx(first["spent_usd"] + COST)
    assert run_study(study)["spent_usd"] == pytest.approx(second["spent_usd"])
