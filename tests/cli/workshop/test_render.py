"""`armsight render` from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from armsight.cli.workshop.render import command
from armsight.errors import ConfigError


def test_help_names_every_preset() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for word in ("train", "held-out", "no-robot", "other-arm", "--backgrounds", "--seed"):
        assert word in text


@pytest.mark.parametrize(
    "arguments",
    [["--count", "0"], ["--preset", "test"], ["--format", "zip"], ["--backgrounds", "/none"]],
)
def test_bad_arguments_are_refused(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "x"), *arguments])
    assert result.exit_code == 2
    assert not (tmp_path / "x").exists()


def test_a_folder_of_another_set_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"format": "armsight-shards/1", "count": 3}')
    result = CliRunner().invoke(command, ["--out", str(tmp_path), "--count", "3"])
    assert isinstance(result.exception, ConfigError)
    assert "another set" in str(result.exception)
