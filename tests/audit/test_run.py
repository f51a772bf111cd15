"""Running an audit: nothing lost, nothing done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from armsight.audit.plan import AuditPlan, make_plan
from armsight.audit.run import FORMAT, ROWS, run_audit
from armsight.episodes.units import parse_episodes
from armsight.errors import ConfigError, DatasetError, OutputError
from armsight.reports.journal import Journal
from tests.audit.drawn_arm import CAMERA_KEY
from tests.audit.scripted import KilledAuditor, ScriptedAuditor, write_grey

COUNT = 5


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey(tmp_path_factory.mktemp("audited") / "grey", [4] * COUNT)


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary.txt"


def make(diary: Path, seconds: float = 0.0) -> Callable[[AuditPlan], ScriptedAuditor]:
    return partial(ScriptedAuditor, diary=diary, seconds=seconds)


def test_every_episode_has_a_row_and_a_bad_one_an_error(
    dataset: Path, tmp_path: Path, diary: Path
) -> None:
    plan = make_plan(dataset, "panda")
    rows = run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    assert [row["episode"] for row in rows] == list(range(COUNT))
    assert [row["error"] for row in rows] == [None, None, "this video is broken", None, None]
    assert rows[2]["overlay"] is None
    assert (tmp_path / "report" / rows[0]["overlay"]).read_bytes().startswith(b"\xff\xd8")
    lines = (tmp_path / "report" / ROWS).read_text().splitlines()
    assert [json.loads(line).get("episode") for line in lines] == [None, *range(COUNT)]


def test_a_second_run_does_nothing_again(dataset: Path, tmp_path: Path, diary: Path) -> None:
    plan = make_plan(dataset, "panda", episodes="0-1")
    first = run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    more = make_plan(dataset, "panda")
    rows = run_audit(more, tmp_path / "report", make_auditor=make(diary))
    assert rows[:2] == first
    assert diary.read_text().split() == ["0", "1", "2", "3", "4"]


def test_an_episode_that_changed_is_audited_again(tmp_path: Path, diary: Path) -> None:
    folder = write_grey(tmp_path / "grey", [4, 4])
    plan = make_plan(folder, "panda")
    run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    video = sorted((folder / "videos").rglob("*.mp4"))[1]
    video.write_bytes(video.read_bytes()[:-10])
    run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    assert diary.read_text().split() == ["0", "1", "1"]


def test_other_settings_want_another_folder(dataset: Path, tmp_path: Path, diary: Path) -> None:
    run_audit(make_plan(dataset, "panda"), tmp_path / "report", make_auditor=make(diary))
    with pytest.raises(ConfigError, match=r"other settings \(fov_deg None there, 60.0 now\)"):
        run_audit(make_plan(dataset, "panda", fov_deg=60.0), tmp_path / "report",
                  make_auditor=make(diary))  # fmt: skip


def test_several_processes_give_the_same_rows(dataset: Path, tmp_path: Path, diary: Path) -> None:
    plan = make_plan(dataset, "panda")
    one = run_audit(plan, tmp_path / "one", make_auditor=make(diary))
    two = run_audit(plan, tmp_path / "two", workers=2, make_auditor=make(diary))
    for row in one + two:
        del row["seconds"]
    assert one == two


def test_a_process_that_dies_costs_its_own_episode_only(
    dataset: Path, tmp_path: Path, diary: Path
) -> None:
    """Episode 3 kills its process each time; the others are finished, and it is tried again."""
    plan = make_plan(dataset, "panda")
    rows = run_audit(plan, tmp_path / "report", workers=2,
                     make_auditor=partial(KilledAuditor, diary=diary))  # fmt: skip
    assert [row["episode"] for row in rows] == list(range(COUNT))
    assert "ended unexpectedly" in rows[3]["error"]
    assert [row["calibration"] is not None for row in rows] == [True, True, False, False, True]
    done = diary.read_text().split()
    again = run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    assert diary.read_text().split()[len(done) :] == ["3"]
    assert again[3]["calibration"] is not None


def test_a_second_audit_on_one_folder_is_refused(
    dataset: Path, tmp_path: Path, diary: Path
) -> None:
    plan = make_plan(dataset, "panda")
    journal = Journal(tmp_path / "report" / ROWS, FORMAT, plan.settings(), "key")
    try:
        with pytest.raises(OutputError, match="writing|in use|another"):
            run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    finally:
        journal.close()
    assert not diary.exists()


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from armsight.audit.plan import make_plan
from armsight.audit.run import run_audit
from tests.audit.scripted import ScriptedAuditor
make = partial(ScriptedAuditor, diary=Path(sys.argv[3]), seconds=0.4)
run_audit(make_plan(Path(sys.argv[1]), "panda"), Path(sys.argv[2]), make_auditor=make)
"""


def test_killed_with_9_nothing_is_lost_or_done_twice(
    dataset: Path, tmp_path: Path, diary: Path
) -> None:
    report = tmp_path / "report"
    command = [sys.executable, "-c", SCRIPT, str(dataset), str(report), str(diary)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(command, env=environment)
    file = report / ROWS
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_bytes().count(b"\n") >= 3):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)
    # While it runs, the folder is its own.
    with pytest.raises(OutputError, match="another process is writing"):
        run_audit(make_plan(dataset, "panda"), report, make_auditor=make(diary))
    running.send_signal(signal.SIGKILL)
    running.wait()
    finished = file.read_bytes().count(b"\n") - 1
    begun = len(diary.read_text().split())
    rows = run_audit(make_plan(dataset, "panda"), report, make_auditor=make(diary))
    assert [row["episode"] for row in rows] == list(range(COUNT))
    assert len(diary.read_text().split()) - begun == COUNT - finished


def test_a_full_disk_is_a_clear_error(
    dataset: Path, tmp_path: Path, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    plan = make_plan(dataset, "panda")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"episodes.jsonl: No space left on device"):
            run_audit(plan, tmp_path / "report", make_auditor=make(diary))
    assert len(run_audit(plan, tmp_path / "report", make_auditor=make(diary))) == COUNT


def test_plans(dataset: Path, tmp_path: Path) -> None:
    assert parse_episodes("3, 0-1,1") == [0, 1, 3]
    for text in ("", "a", "3-1", "1,,2"):
        with pytest.raises(ConfigError, match="--episodes is"):
            parse_episodes(text)
    with pytest.raises(ConfigError, match=r"names 5, 6.*has episodes 0 to 4"):
        make_plan(dataset, "panda", episodes="4-6")
    with pytest.raises(DatasetError, match=rf"no video wrist; valid: {CAMERA_KEY}"):
        make_plan(dataset, "panda", camera_keys=["wrist"])
    with pytest.raises(DatasetError, match="no LeRobotDataset"):
        make_plan(tmp_path, "panda")


def test_older_data_sets_are_told_how_to_convert_them(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text('{"codebase_version": "v2.1"}')
    with pytest.raises(DatasetError, match="convert_dataset_v21_to_v30"):
        make_plan(tmp_path, "panda")
