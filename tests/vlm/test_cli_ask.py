"""`armsight ask` as a person meets it: one answer with its files, or one readable error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from armsight.cli.ask import command
from armsight.errors import ArmsightError
from armsight.state import Estimate
from armsight.vlm.prompt import prompt_version
from tests.labelled_folders import T_CAM_BASE, K
from tests.vlm.fake_server import ROBOT, TRUTH_DEG, FakeServer, Response, answer_text


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)).save(path)
    return path


def ask(photo: Path, *more: str) -> Result:
    return CliRunner().invoke(
        command, [str(photo), "--out", str(photo.parent / "out"), "--retries", "0", *more]
    )


def local(server: FakeServer, behaviour: str) -> list[str]:
    return ["--model", f"local/{behaviour}", "--base-url", server.url]


def error_of(result: Result) -> ArmsightError:
    assert isinstance(result.exception, ArmsightError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


def test_the_document_is_an_estimate_with_all_that_was_said(
    server: FakeServer, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(
        json.dumps({"openai-api/local/right": {"input": 2, "output": 10}})
    )
    result = ask(photo, *local(server, "right"), "--samples", "3", "--json",
                 "--prices", str(tmp_path / "p.json"))  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((photo.parent / "out" / "photo.ask.json").read_text())
    keys = Estimate("panda", False, 0.0, (), ()).to_json().keys()
    assert keys <= document.keys()
    np.testing.assert_allclose(np.degrees(document["joint_positions"]), TRUTH_DEG)
    np.testing.assert_allclose(document["joint_std"], 0, atol=1e-12)
    assert np.shape(document["samples"]) == (3, 7)
    vlm = document["vlm"]
    assert vlm["prompt_version"] == prompt_version()
    assert len(vlm["answers"]) == 3
    assert vlm["answers"][0]["replies"][0]["text"] == answer_text()
    assert vlm["tokens"] == {"input_tokens": 3000, "cached_tokens": 0, "output_tokens": 300,
                             "reasoning_tokens": 0}  # fmt: skip
    assert vlm["cost_usd"] == pytest.approx((3000 * 2 + 300 * 10) / 1e6)
    pictures = [part["image"] for part in vlm["prompt"] if "image" in part]
    assert (pictures[-1]["sent_width"], pictures[-1]["sent_height"]) == (160, 120)
    with Image.open(photo.parent / "out" / "photo.ask.overlay.png") as overlay:
        assert overlay.size == (640, 480)


def test_keypoints_come_with_a_camera(server: FakeServer, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "pose.json").write_text(json.dumps(T_CAM_BASE.tolist()))
    camera = f"{K[0, 0]},{K[1, 1]},{K[0, 2]},{K[1, 2]}"
    result = ask(photo, *local(server, "right"), "--json", "--K", camera,
                 "--camera-pose", str(tmp_path / "pose.json"))  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    points = ROBOT.keypoints(np.radians(TRUTH_DEG)) @ T_CAM_BASE[:3, :3].T + T_CAM_BASE[:3, 3]
    np.testing.assert_allclose(list(document["keypoints_3d_cam"].values()), points, atol=1e-9)
    uv = points @ K.T
    expected = uv[:, :2] / uv[:, 2:]
    np.testing.assert_allclose(list(document["keypoints_2d"].values()), expected, atol=1e-6)


def test_one_sample_has_no_spread(server: FakeServer, photo: Path) -> None:
    result = ask(photo, *local(server, "right"))
    assert result.exit_code == 0, result.output
    assert "nan" not in result.output
    [line] = [one for one in result.output.splitlines() if "panda_joint4" in one]
    assert line.split() == ["panda_joint4", "-111.1", "–"]
    assert "1 sample," in result.output


def test_given_references_are_shown_with_their_angles(
    server: FakeServer, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_text(" ".join(map(str, [*np.radians(TRUTH_DEG), 0.04, 0.04])))
    more = ["--reference", str(photo), "--reference-joints", str(tmp_path / "q.txt")]
    result = ask(photo, *local(server, "right"), *more, *more)
    assert result.exit_code == 0, result.output
    [request] = server.requests
    assert len(request.images) == 3
    assert "2 of 2" in "\n".join(request.texts)
    assert '"panda_joint4": -111.1' in "\n".join(request.texts)


ERRORS: dict[str, tuple[list[str], str]] = {
    "no key": (["--model", "openai/gpt-5"], "OPENAI_API_KEY"),
    "no such provider": (["--model", "nobody/x"], "unknown provider 'nobody'"),
    "no provider": (["--model", "gpt-5"], "PROVIDER/NAME"),
    "server down": (["--model", "a/b", "--base-url", "http://127.0.0.1:9/v1"], "is it running"),
    "no address": (["--model", "a/b", "--base-url", "localhost"], "http"),
    "no package": (["--model", "anthropic/claude"], "anthropic"),
    "vLLM's address": (["--model", "vllm/qwen"], "--base-url"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_missing_is_one_readable_error(
    photo: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "VLLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    options, words = ERRORS[case]
    assert words in str(error_of(ask(photo, *options)))


def test_an_unknown_model_is_told(server: FakeServer, photo: Path) -> None:
    assert "no such model" in str(error_of(ask(photo, *local(server, "gone"))))


def test_bad_images_are_told_before_anything_is_asked(
    server: FakeServer, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:200])
    (tmp_path / "text.png").write_text("hello")
    for name, words in (("broken.png", "damaged"), ("text.png", "not an image"),
                        ("none.png", "does not exist")):  # fmt: skip
        assert words in str(error_of(ask(tmp_path / name, *local(server, "right"))))
    assert server.served == 0


def test_degrees_given_as_radians_are_noticed(
    server: FakeServer, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_text(" ".join(map(str, TRUTH_DEG)))
    more = ["--reference", str(photo), "--reference-joints", str(tmp_path / "q.txt")]
    assert "in degrees" in str(error_of(ask(photo, *local(server, "right"), *more)))


def test_a_refusal_is_an_error_with_its_document_kept(server: FakeServer, photo: Path) -> None:
    result = ask(photo, *local(server, "refuses"), "--json")
    assert "can't help" in str(error_of(result))
    document = json.loads(result.stdout)
    assert document["robot_found"] is False
    assert document["messages"][0].startswith("1 of 1 samples refused: I'm sorry")


@pytest.mark.parametrize(("disagreement", "agrees"), [(5, True), (95, False)])
def test_claims_are_judged(
    server: FakeServer, photo: Path, tmp_path: Path, disagreement: int, agrees: bool
) -> None:
    (tmp_path / "q.txt").write_text(" ".join(map(str, np.radians(TRUTH_DEG))))
    text = json.dumps({"observations": "", "disagreement": disagreement})
    server.behaviours["judge"] = lambda request, times: Response(text)
    result = ask(photo, *local(server, "judge"), "--verify", str(tmp_path / "q.txt"), "--json")
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["agrees"] is agrees
    assert document["score"] == disagreement / 100
    assert result.exit_code == (0 if agrees else 1)
    assert "CLAIMS" in "\n".join(server.requests[0].texts)


def test_refining_draws_asks_again_and_takes_the_correction(
    server: FakeServer, photo: Path
) -> None:
    better = TRUTH_DEG + 5

    def behave(request: Any, times: int) -> Response:
        return Response(answer_text(better if request.repairing else TRUTH_DEG))

    server.behaviours["refiner"] = behave
    result = ask(photo, *local(server, "refiner"), "--refine", "1", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    np.testing.assert_allclose(np.degrees(document["joint_positions"]), better)
    [[step]] = document["vlm"]["refine"]
    assert step["kept"] == "after"
    # Reference, target, then the drawing and the target again.
    assert [len(request.images) for request in server.requests] == [2, 4]
