"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from armsight.errors import OutputError
from armsight.files import atomic_write, exclusive


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    with atomic_write(target) as path:
        path.write_text("half")
        assert not target.exists()
        assert path.suffix == ".json"
        assert path.parent == target.parent
    assert target.read_text() == "half"
    assert os.listdir(target.parent) == ["a.json"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_write(target) as path:
            path.write_text("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_others_may_read_it_as_they_may_read_any_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "ours") as path:
        path.write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"cannot write .*file/a\.txt"),
        atomic_write(tmp_path / "file" / "a.txt"),
    ):
        pass


def test_folders_and_devices_are_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OutputError, match=f"{name}: it is a"), atomic_write(tmp_path / name):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


HOLDING = """
import sys, time
from armsight.files import exclusive
with exclusive(sys.argv[1]):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    command = [sys.executable, "-c", HOLDING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"holding\n"
        with pytest.raises(OutputError, match="another process is writing to .*new; wait"):
            exclusive(folder).__enter__()
        with exclusive(tmp_path / "elsewhere"):
            pass
        other.kill()  # a lock does not outlive its holder, however that ends
    for _ in range(2):
        with exclusive(folder):
            assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write to"), exclusive(tmp_path / "file" / "new"):
        pass
