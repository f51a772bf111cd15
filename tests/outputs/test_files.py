"""Files as sinks: their names, what is kept, two runs at once, and what cannot be written."""

from __future__ import annotations

import csv
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight.camera.image import load_image
from armsight.data.video import VideoReader
from armsight.errors import OutputError
from armsight.outputs.files import OverlayPicture, PictureDocument, Rows, Table, video_files
from armsight.outputs.sink import Shot, Sinks
from armsight.state import Estimate
from tests.charted_arm import ROBOT

NOTHING = Estimate(ROBOT.name, False, 0.25, ROBOT.joint_names, ROBOT.keypoint_names)


def shot(index: int) -> Shot:
    return Shot(load_image(np.full((240, 320, 3), 50 + index, np.uint8)), index, index / 10)


def test_a_videos_files(tmp_path: Path) -> None:
    targets = {kind: tmp_path / f"clip.{end}" for kind, end in
               (("rows", "jsonl"), ("csv", "csv"), ("overlay", "overlay.mp4"))}  # fmt: skip
    sinks = video_files(targets, 10.0, ROBOT)
    for i in range(5):
        sinks.write(shot(i), NOTHING)
        assert not any(path.exists() for path in targets.values())
        hidden = next(path for path in tmp_path.iterdir() if path.suffix == ".jsonl")
        assert len(hidden.read_text().splitlines()) == i + 1  # a killed run leaves these
    sinks.close(keep=True)
    assert sorted(tmp_path.iterdir()) == sorted(targets.values())
    rows = [json.loads(line) for line in targets["rows"].read_text().splitlines()]
    assert [(row["frame"], row["time"]) for row in rows] == [(i, i / 10) for i in range(5)]
    with targets["csv"].open(newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == list("01234")
    with VideoReader(targets["overlay"]) as reader:
        assert len(list(reader)) == 5
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in targets.values()} == {0o666 & ~umask}


def test_what_is_not_kept_leaves_older_files_alone(tmp_path: Path) -> None:
    target = tmp_path / "clip.jsonl"
    target.write_text("older\n")
    rows = Rows(target)
    rows.write(shot(0), NOTHING)
    rows.close(keep=False)
    assert target.read_text() == "older\n"
    assert list(tmp_path.iterdir()) == [target]


def test_two_runs_on_one_name_do_not_mix(tmp_path: Path) -> None:
    first, second = Rows(tmp_path / "clip.jsonl"), Rows(tmp_path / "clip.jsonl")
    for i in range(3):
        first.write(shot(i), NOTHING)
        second.write(shot(10 + i), NOTHING)
    first.close(keep=True)
    second.close(keep=True)
    rows = [json.loads(line) for line in (tmp_path / "clip.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in rows] == [10, 11, 12]


def test_a_picture(tmp_path: Path) -> None:
    sinks = Sinks([PictureDocument(tmp_path / "a.json"), OverlayPicture(tmp_path / "a.png")])
    sinks.write(shot(0), NOTHING)
    sinks.close(keep=True)
    assert json.loads((tmp_path / "a.json").read_text()) == NOTHING.to_json()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 640


def test_what_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    targets = {"rows": tmp_path / "clip.jsonl", "csv": tmp_path / "taken" / "clip.csv"}
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken"):
        video_files(targets, 10.0, ROBOT)
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


@pytest.mark.parametrize("kind", [Rows, Table])
@pytest.mark.parametrize("keep", [True, False])
def test_a_full_disk_keeps_whole_lines(
    tmp_path: Path, keep: bool, kind: type[Rows] | type[Table]
) -> None:
    """The limit of a file's size stands for the disk; emptied, it does not go on with a gap."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = kind(tmp_path / "clip.txt")
    sink.write(shot(0), NOTHING)
    (growing,) = tmp_path.iterdir()
    size = growing.stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        with pytest.raises(OutputError, match=r"cannot write .*clip.txt.*File too large"):
            sink.write(shot(1), NOTHING)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(OutputError, match="File too large"):
        sink.write(shot(2), NOTHING)
    sink.close(keep)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert list(written) == ["clip.txt"] * keep
    assert all(len(text) == size and text.endswith("\n") for text in written.values())


def test_all_sinks_are_closed_when_one_fails() -> None:
    closed = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def write(self, shot: Shot, estimate: Estimate) -> None: ...

        def close(self, keep: bool) -> None:
            closed.append((self.name, keep))
            if self.name == "b":
                raise OutputError("b")

    with pytest.raises(OutputError, match="b"):
        Sinks([Named(name) for name in "abc"]).close(keep=True)
    assert closed == [("a", True), ("b", True), ("c", True)]
