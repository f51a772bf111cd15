"""Progress is said on standard error, on terminals and elsewhere."""

from __future__ import annotations

import sys

import pytest

from armsight.cli import _progress
from armsight.cli._progress import bar_on_terminal, progress


def test_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(progress(iter("abc"), 3, "looking")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "looking ...\n")  # the rest would come too fast
    monkeypatch.setattr(_progress, "SECONDS", 0.0)
    assert list(progress("ab", 2, "looking")) == ["a", "b"]
    said = capsys.readouterr().err.splitlines()
    assert said == ["looking ...", "looking: 0 of 2", "looking: 1 of 2", "looking: 2 of 2"]
    assert list(bar_on_terminal("ab", 2)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress("abcd", 4, "looking")) == list("abcd")
    out, err = capsys.readouterr()
    assert out == ""
    assert "looking" in err
    assert "4/4" in err
    assert list(bar_on_terminal("abcd", None)) == list("abcd")
