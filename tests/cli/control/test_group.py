"""`armsight control demos`: wrong arguments are refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.actions.first_pictures import FirstPictures, read_first_pictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.cli import group
from armsight.control import demos
from armsight.errors import ArmsightError, ConfigError, UnknownTaskError
from tests.control.conftest import needs_libero

pytestmark = needs_libero


@pytest.mark.parametrize("options,error,says", [
    (["--split", "val"], UnknownTaskError, r"validation \(30 to 39\)"),
    (["--suite", "libero"], UnknownTaskError, "libero_object"),
    (["--tasks", "milk,beer"], UnknownTaskError, r"'beer'(.|\n)*7  pick_up_the_milk"),
    (["--frames-every", "often"], ConfigError, "whole number"),
    (["--frames-every", "0"], ConfigError, "whole number"),
])  # fmt: skip
def test_wrong_arguments(
    tmp_path: Path, options: list[str], error: type[ArmsightError], says: str
) -> None:
    arguments = ["control", "demos", "--count", "1", "--out", str(tmp_path / "out"), *options]
    result = CliRunner().invoke(group, arguments)
    assert isinstance(result.exception, error)
    assert result.exception.exit_code == 2
    with pytest.raises(error, match=says):
        raise result.exception
    assert not (tmp_path / "out").exists()


def test_arguments_reach_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def make(
        folder: Path, jobs: list[demos.DemonstrationJob], workers: int, progress: object
    ) -> tuple[int, int]:
        asked.append((folder, jobs, workers))
        return len(jobs), 0

    monkeypatch.setattr(demos, "make_demos", make)
    arguments = ["--count", "4", "--tasks", "milk,1", "--split", "test", "--seed", "6"]
    arguments += ["--frames-every", "3", "--image-size", "64", "--workers", "2"]
    result = CliRunner().invoke(group, ["control", "demos", *arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    ((folder, jobs, workers),) = asked
    assert (folder, workers) == (tmp_path, 2)
    assert [job.task for job in jobs] == [7, 1, 7, 1]
    assert {(job.split, job.seed, job.frames_every, job.image_size) for job in jobs} == {
        ("test", 6, 3, 64)
    }


def test_first_pictures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = np.zeros((1, 8, 8, 3), np.uint8)
    asked = []

    def look_at(suite: str, states: range, progress: object) -> FirstPictures:
        asked.append((suite, list(states)))
        return FirstPictures(("milk",), looks, ToneHistogram.of(looks))

    monkeypatch.setattr("armsight.control.task_recognition.look_at", look_at)
    result = CliRunner().invoke(group, ["control", "first-pictures", "--out", str(tmp_path / "w")])
    assert result.exit_code == 0, result.output
    assert asked == [("libero_object", [0, 3, 6, 9, 12, 15, 18, 21, 24, 27])]  # none is tested on
    read = read_first_pictures(tmp_path / "w")
    assert read is not None
    assert read.tasks == ("milk",)
