"""An audit on a local Ray cluster gives the rows of one process."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from armsight.audit.plan import make_plan
from armsight.audit.run import run_audit
from tests.audit.scripted import ScriptedAuditor, write_grey

pytest.importorskip("ray", reason="ray is not installed: pip install 'armsight[scale]'")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_two_actors_give_the_rows_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{Path(__file__).parents[2]}/src")
    plan = make_plan(write_grey(tmp_path / "grey", [4] * 5), "panda")
    make = partial(ScriptedAuditor, diary=tmp_path / "diary.txt")
    one = run_audit(plan, tmp_path / "one", make_auditor=make)
    two = run_audit(plan, tmp_path / "two", engine="ray", workers=2, make_auditor=make)
    for row in one + two:
        del row["seconds"]
    assert one == two
    for row in two:
        assert row["overlay"] is None or (tmp_path / "two" / row["overlay"]).is_file()
