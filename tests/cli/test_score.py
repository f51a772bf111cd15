"""`armsight actions score`: one number a video, a page, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from armsight.cli.actions import command
from armsight.data.video import VideoWriter
from tests.fake_action_weights import pictures, write_fake_action_weights

GREYS = [60, 64, 70, 76, 80, 84, 90, 96, 100, 104]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_action_weights(tmp_path_factory.mktemp("weights"))


def film(path: Path, greys: list[int]) -> Path:
    with VideoWriter(path, 20 / 3) as video:
        for i, frame in enumerate(pictures(greys, 64, 64)):
            video.write(frame, i * 3 / 20)
    return path


def score(*arguments: Any) -> Result:
    return CliRunner().invoke(command, ["score", *map(str, arguments)])


def test_json_and_a_page(tmp_path: Path, weights: Path) -> None:
    pytest.importorskip("jinja2")
    film(tmp_path / "a.mp4", GREYS)
    film(tmp_path / "short.mp4", GREYS[:3])
    result = score(tmp_path, "--weights", weights, "--stride", 3, "--json", "--report",
                   tmp_path / "page.html")  # fmt: skip
    assert result.exit_code == 3  # one was too short
    document = json.loads(result.stdout)
    (one,) = document["videos"]
    assert one["source"].endswith("a.mp4")
    assert 0 <= one["score"] <= 1
    assert set(one["parts"]) == {"arm", "motion", "gripper", "scenery", "task"}
    assert one["parts"]["scenery"] == 1  # grey pictures: nothing moves by itself
    assert one["read_by"] == "scene"
    assert "has 3 frames; 8 or more" in document["not_judged"][0]["error"]
    page = (tmp_path / "page.html").read_text()
    assert "a.mp4" in page
    assert "short.mp4" in page
    assert "data:image/jpeg;base64," in page


def test_text(tmp_path: Path, weights: Path) -> None:
    result = score(film(tmp_path / "a.mp4", GREYS), "--weights", weights, "--stride", 3)
    assert result.exit_code == 0, result.output
    assert "a.mp4: 0." in result.stdout
    assert "arm 0." in result.stdout


def test_what_is_refused(tmp_path: Path, weights: Path) -> None:
    video = film(tmp_path / "a.mp4", GREYS)
    both = score(video, "--robot", "panda", "--scene", "milk")
    assert "leave --scene" in str(both.exception)
    (tmp_path / "mine.html").write_text("mine")
    pytest.importorskip("jinja2")
    mine = score(video, "--weights", weights, "--report", tmp_path / "mine.html")
    assert "is no page of scores" in str(mine.exception)
