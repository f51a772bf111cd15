"""`armsight make-robot` from start to end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from armsight.cli import group
from armsight.errors import ConfigError, MissingExtraError, OutputError
from armsight.robots import load_robot
from tests.made_arms import write_arm
from tests.robots.description.test_from_file import write_urdf

pytest.importorskip("mujoco")


def test_writes_two_files_and_says_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arm(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(group, ["make-robot", "hard.recipe.json"])
    assert result.exit_code == 0, result.output
    assert "hard: 3 joints, 7 links, 25 keypoints (5 link origins, 20 on surfaces)" in result.output
    assert "note: joint slide is not listed and counts as fixed at zero" in result.output
    assert "wrote hard.json and hard.npz" in result.output
    assert load_robot(tmp_path / "hard.json").joint_names == ("turn", "bend", "twist")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "hard.json", "hard.npz", "hard.recipe.json", "model",
    ]  # fmt: skip


def test_made_again_after_a_change(tmp_path: Path) -> None:
    for count in (20, 26):
        recipe = write_arm(tmp_path, num_surface_keypoints=count)
        result = CliRunner().invoke(group, ["make-robot", str(recipe), "--out", str(tmp_path)])
        assert f"({5} link origins, {count} on surfaces)" in result.output


def test_a_recipe_that_would_be_overwritten_is_kept(tmp_path: Path) -> None:
    recipe = write_arm(tmp_path).rename(tmp_path / "hard.json")
    before = recipe.read_text()
    result = CliRunner().invoke(group, ["make-robot", str(recipe), "--out", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
    assert "choose another --out" in str(result.exception)
    assert recipe.read_text() == before


def test_errors_reach_the_user(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["make-robot", str(tmp_path / "none.json")])
    assert isinstance(result.exception, ConfigError)
    (tmp_path / "file").write_text("")
    recipe = write_arm(tmp_path)
    out = str(tmp_path / "file" / "out")
    result = CliRunner().invoke(group, ["make-robot", str(recipe), "--out", out])
    assert isinstance(result.exception, OutputError)


def test_without_mujoco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_arm(tmp_path)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    result = CliRunner().invoke(group, ["make-robot", str(recipe), "--out", str(tmp_path)])
    assert isinstance(result.exception, MissingExtraError)
    assert "pip install 'armsight[render]'" in str(result.exception)
    assert CliRunner().invoke(group, ["make-robot", "--help"]).exit_code == 0


def test_from_a_urdf_as_it_is(tmp_path: Path) -> None:
    path = write_urdf(tmp_path / "a", limit='<limit effort="1"/>')
    result = CliRunner().invoke(group, ["make-robot", f"{path}#l2", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "mine: 2 joints, 4 links, 27 keypoints (3 link origins" in result.output
    assert "note: without limits, so one turn around zero: j0, j1" in result.output
    robot = load_robot(tmp_path / "mine.json")
    assert robot.joint_names == ("j0", "j1")
