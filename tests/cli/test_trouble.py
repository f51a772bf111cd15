"""`armsight estimate` where the folder, the disk or the user make trouble."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from armsight import cli
from armsight.cli._inputs import find_inputs, fitting
from armsight.cli.estimate import command
from armsight.cli.estimate._job import Job
from armsight.data.lerobot.video import encode
from armsight.data.video import VideoReader, VideoWriter
from armsight.errors import OutputError
from armsight.files import claimed
from tests.fake_weights import write_fake_weights

LIMIT = 60_000
"""[bytes] that a file may have where the disk counts as full"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Files end at LIMIT, as they do on a disk without more room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(weights: Path, *arguments: str | Path) -> Result:
    options = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, [*options, "--robot", str(weights)])


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 64), (120, 120, 120)).save(path)
    return path


def noise(path: Path, frames: int) -> Path:
    rng = np.random.default_rng(0)
    with VideoWriter(path, 25) as writer:
        for i in range(frames):
            writer.write(rng.integers(80, 200, (64, 96, 3), np.uint8), i / 25)
    return path


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_what_a_folder_holds_beside_pictures_is_said(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "sub/c.png", "sub/deep/d.png"):
        photo(tmp_path / name)
    for name in ("a.json", "a.overlay.png", "x.heic", "y.HEIC", "notes.txt", "raw", "other.json"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing.png")
    said: list[str] = []
    found = find_inputs([str(tmp_path)], say=said.append)
    assert [one.path.name for one in found] == ["a.png", "b.jpg"]
    (note,) = said
    assert note.startswith(f"{tmp_path}: skipped 7: .heic 2, ")
    for kind in (".txt 1", "without suffix 1", ".json 1", "broken links 1", "--recursive) 1"):
        assert kind in note
    said.clear()
    found = find_inputs([str(tmp_path)], recursive=True, say=said.append)
    assert [one.name for one in found] == ["a", "b", "c", "d"]
    assert "folders" not in said[0]


def test_long_names_are_cut_and_stay_apart(weights: Path, tmp_path: Path) -> None:
    assert fitting("é" * 100) == "é" * 100
    names = ["x" * 240 + end for end in ("1", "2")] + ["é" * 120]
    for name in names:
        photo(tmp_path / "in" / f"{name}.png")
    result = run(weights, tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written = sorted(os.listdir(tmp_path / "out"))
    assert len(written) == 6
    assert all(len(os.fsencode(name)) < 230 for name in written)


def test_a_full_disk_keeps_the_rows_that_are_whole(
    weights: Path, tmp_path: Path, full_disk: None
) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    with VideoWriter(clip, 25) as writer:
        for i in range(60):
            writer.write(np.full((64, 96, 3), 120, np.uint8), i / 25)
    result = run(weights, clip, "--out", out, "--json", "--no-overlay")
    assert result.exit_code == 8
    document = json.loads(result.stdout)
    assert "clip.jsonl: File too large" in document["error"]
    rows = [json.loads(line) for line in (out / "clip.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(document["num_frames"]))
    assert 5 < len(rows) < 60
    assert hidden(tmp_path) == []


def test_a_full_disk_is_told_of_videos(tmp_path: Path, full_disk: None) -> None:
    """FFmpeg itself would leave the end out, and say nothing."""
    with pytest.raises(OutputError, match="clip.mp4: File too large"):
        noise(tmp_path / "clip.mp4", 60)
    with VideoReader(tmp_path / "clip.mp4") as reader:
        assert next(iter(reader)).index == 0
    frames = np.random.default_rng(0).integers(0, 255, (40, 64, 96, 3), np.uint8)
    with pytest.raises(OutputError, match="File too large"):
        encode(tmp_path / "episode.mp4", frames, 20, (64, 96))


def test_a_second_run_on_one_output_is_refused(weights: Path, tmp_path: Path) -> None:
    clip, out = noise(tmp_path / "clip.mp4", 2), tmp_path / "out"
    out.mkdir()
    with claimed(out / "clip"):
        result = run(weights, clip, "--out", out)
        assert result.exit_code == 8
        assert "another process is writing to" in result.stderr
    assert run(weights, clip, "--out", out).exit_code == 0
    assert hidden(out) == []


def test_an_output_that_is_a_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path / "no weights", photo(tmp_path / "a.png"), "--out", tmp_path / "file")
    assert isinstance(result.exception, OutputError)
    assert "is a file; name a folder" in str(result.exception)


@pytest.mark.parametrize("kind", ["folder", "photo", "clip"])
def test_ctrl_c_while_weights_are_loaded(
    weights: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Job.load

    def interrupted(self: Job) -> object:
        signal.raise_signal(signal.SIGINT)
        return load(self)

    monkeypatch.setattr(Job, "load", interrupted)
    source = {
        "folder": lambda: photo(photo(tmp_path / "in" / "a.png").with_name("b.png")).parent,
        "photo": lambda: photo(tmp_path / "a.png"),
        "clip": lambda: noise(tmp_path / "clip.mp4", 5),
    }[kind]()
    result = run(weights, source, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 130
    document = json.loads(result.stdout)
    if kind == "folder":
        assert document == []
    elif kind == "clip":
        assert (document["interrupted"], document["frames"]) == (True, [])
    assert "interrupted" in result.stderr


def test_ctrl_c_elsewhere_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "module_of", interrupted)
    result = CliRunner().invoke(cli.group, ["doctor"])
    assert (result.exit_code, result.stderr) == (130, "armsight: interrupted\n")
