"""`armsight doctor`: what works, what does not, and what is not asked for."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from armsight.bench import checkup
from armsight.bench.checkup import ADDS, Extra, extras
from armsight.cli import group


def test_extras_by_their_packages() -> None:
    found = extras(
        [
            "numpy<3,>=2.0",
            'pytest<10,>=8; extra == "dev"',
            'no-such-package>=1; extra == "live"',
            "click>=8; extra == 'live'",
            'numpy[x]>=2 ; python_version >= "3" and extra == "scale"',
        ]
    )
    assert [one.name for one in found] == ["dev", "live", "scale"]
    assert [one.installed for one in found] == [True, False, True]
    assert found[1].packages["no-such-package"] is None
    assert found[1].packages["click"]
    assert found[1].install == "pip install 'armsight[live]'"


def test_every_extra_has_a_purpose() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert set(ADDS) == set(project["project"]["optional-dependencies"])


def test_a_plain_install_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Extra("live", False, ADDS["live"], {"starlette": None, "uvicorn": None})
    monkeypatch.setattr("armsight.cli.doctor.extras", lambda: [absent])
    result = CliRunner().invoke(group, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.output
    assert f"--    extra live would add {ADDS['live']}: pip install" in result.output
    for name in ("packages", "processor", "weights: ", "video"):
        assert f"OK    {name}" in result.output
    assert "reads its example" in result.output


def test_what_is_broken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("no encoder")

    monkeypatch.setattr(checkup, "_video", broken)
    monkeypatch.setattr(checkup, "_version", lambda package: "1.0")
    result = CliRunner().invoke(group, ["doctor", "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert not document["ok"]
    bad = {one["name"]: one for one in document["checks"] if not one["ok"]}
    assert set(bad) == {"video", "opencv"}
    assert bad["video"]["detail"] == "RuntimeError: no encoder"
    assert "pip uninstall" in bad["opencv"]["fix"]
