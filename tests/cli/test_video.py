"""`armsight estimate` on videos: rows, overlay, breaks, interrupts, and memory."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from armsight.cli.estimate import command
from armsight.data.video import VideoReader, VideoWriter
from tests.fake_weights import write_fake_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


def film(path: Path, greys: list[int], fps: float = 25.0, size: tuple[int, int] = (96, 64)) -> Path:
    """A video of even frames; the fake network sees an arm in the bright ones."""
    path.parent.mkdir(exist_ok=True, parents=True)
    with VideoWriter(path, fps) as writer:
        for i, grey in enumerate(greys):
            writer.write(np.full((size[1], size[0], 3), grey, np.uint8), i / fps)
    return path


def run(weights: Path, *arguments: str | Path) -> Result:
    options = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, [*options, "--robot", str(weights)])


def rows_of(folder: Path, name: str = "clip") -> list[dict[str, object]]:
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_one_row_for_each_frame(weights: Path, tmp_path: Path) -> None:
    clip = film(tmp_path / "in" / "clip.mp4", [120, 120, 5, 120, 120])
    result = run(weights, clip, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(tmp_path / "out")) == [
        "clip.csv", "clip.jsonl", "clip.overlay.mp4",
    ]  # fmt: skip
    rows = rows_of(tmp_path / "out")
    assert [row["frame"] for row in rows] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([row["time"] for row in rows], np.arange(5) / 25, atol=1e-3)
    assert [row["robot_found"] for row in rows] == [True, True, False, True, True]
    assert rows[2]["joint_positions"] is None
    with (tmp_path / "out" / "clip.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["robot_found"] for row in table] == ["1", "1", "0", "1", "1"]
    assert float(table[0]["panda_joint4_rad"]) == rows[0]["joint_positions"][3]  # type: ignore[index]
    assert float(table[1]["panda_joint2_std_rad"]) == rows[1]["joint_std"][1]  # type: ignore[index]
    assert table[2]["panda_joint1_rad"] == ""
    assert "5 frames, arm found in 4" in result.output
    with VideoReader(tmp_path / "out" / "clip.overlay.mp4") as reader:
        assert len(list(reader)) == 5


def test_json_is_one_document(weights: Path, tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", [120, 5, 120])
    result = run(weights, clip, "--out", tmp_path / "out", "--json", "--no-overlay")
    document = json.loads(result.stdout)
    assert document["video"] == str(clip)
    assert document["error"] is None
    assert document["frames"] == rows_of(tmp_path / "out")
    assert document["num_frames"] == 3
    assert document["num_robot_found"] == 2
    assert document["fps"] == 25
    assert document["robot"] == "panda"
    assert document["joint_names"] == [f"panda_joint{i}" for i in range(1, 8)]
    assert list(document["frames"][0]["keypoints_2d"]) == document["keypoint_names"]
    assert document["units"]["joint_positions"] == "rad"
    assert document["units"]["time"] == "s"
    assert document["intrinsics_source"] == document["frames"][0]["intrinsics_source"] == "assumed"
    assert document["outputs"] == {
        "rows": str(tmp_path / "out" / "clip.jsonl"),
        "csv": str(tmp_path / "out" / "clip.csv"),
    }
    assert all(Path(path).exists() for path in document["outputs"].values())
    assert document["interrupted"] is False
    assert any("60" in message for message in document["messages"])
    both = run(weights, clip, clip, "--out", tmp_path / "out", "--json", "--no-overlay")
    assert [len(one["frames"]) for one in json.loads(both.stdout)] == [3, 3]


def test_frames_before_a_break_are_kept(weights: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, 25) as writer:
        for i in range(400):
            writer.write(rng.integers(80, 200, (64, 96, 3), np.uint8), i / 25)
    content = bytearray(clip.read_bytes())
    half = len(content) // 2
    content[half : half + 20_000] = b"\0" * 20_000
    clip.write_bytes(content)
    result = run(weights, clip, "--out", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert 20 < len(rows) < 300
    assert result.exit_code == 3
    assert f"damaged after {len(rows)} frames" in result.stderr
    with VideoReader(tmp_path / "out" / "clip.overlay.mp4") as reader:
        assert len(list(reader)) == len(rows)


def test_a_file_that_is_no_video(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("hello")
    result = run(weights, tmp_path / "clip.mp4", "--out", tmp_path / "out", "--json")
    document = json.loads(result.stdout)
    assert document["frames"] == []
    assert "not a video" in document["error"]
    assert document["num_frames"] == 0
    assert document["fps"] is None
    assert document["outputs"] == {}
    assert result.exit_code == 3
    assert not (tmp_path / "out" / "clip.jsonl").exists()


def test_bad_frames_size(weights: Path, tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", [120] * 3, size=(16, 16))
    result = run(weights, clip, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "16x16" in result.stderr
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_video_keeps_what_was_done(
    weights: Path, tmp_path: Path, how: signal.Signals
) -> None:
    clip = film(tmp_path / "clip.mp4", [120] * 3000)
    program = [sys.executable, "-m", "armsight", "estimate"]
    options = [str(clip), "--robot", str(weights), "--out", str(tmp_path / "out")]
    running = subprocess.Popen([*program, *options], stderr=subprocess.PIPE, text=True)
    growing = tmp_path / "out" / ".clip.partial.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if growing.exists() and growing.read_text().count("\n") > 20:
            break
        time.sleep(0.05)
    running.send_signal(how)
    _, errors = running.communicate(timeout=60)
    rows = rows_of(tmp_path / "out")
    assert running.returncode == 130
    assert 20 < len(rows) < 3000
    assert f"interrupted; the first {len(rows)} frames are kept" in errors
    assert "Traceback" not in errors
    with VideoReader(tmp_path / "out" / "clip.overlay.mp4") as reader:
        assert len(list(reader)) == len(rows)
    assert sorted(os.listdir(tmp_path / "out")) == [
        "clip.csv", "clip.jsonl", "clip.overlay.mp4",
    ]  # fmt: skip


def test_a_foreign_csv_is_not_overwritten(weights: Path, tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", [120] * 2)
    (tmp_path / "clip.csv").write_text("my,notes\n")
    result = run(weights, clip, "--out", tmp_path)
    assert result.exit_code == 8
    assert (tmp_path / "clip.csv").read_text() == "my,notes\n"


MEMORY = """
import resource, sys
import numpy as np
from functools import partial
from armsight.data.video import VideoReader
from armsight.estimate.clips.film import follow
from armsight.estimate.estimator import Estimator
from armsight.estimate.track import Tracker
from armsight.outputs.film import estimate_film
from armsight.outputs.files import video_files
from armsight.outputs.sink import Sinks
from pathlib import Path

estimator = Estimator.from_pretrained(sys.argv[1])
peaks = []

class Noted(Sinks):
    def write(self, shot, estimate):
        super().write(shot, estimate)
        if shot.index % 100 == 50:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

folder = Path(sys.argv[3])
targets = {"rows": folder / "a.jsonl", "csv": folder / "a.csv", "overlay": folder / "a.overlay.mp4"}
open_sink = lambda fps: Noted([video_files(targets, fps, estimator.robot)])
estimate_film(partial(VideoReader, sys.argv[2]), follow(Tracker(estimator)), open_sink)
print(peaks[1], peaks[-1])
"""


def test_memory_is_flat(weights: Path, tmp_path: Path) -> None:
    """Peak memory after 150 and after 450 frames; 300 frames that stay would be 276 MB."""
    clip = film(tmp_path / "clip.mp4", [120] * 450, size=(640, 480))
    script = [sys.executable, "-c", MEMORY, str(weights), str(clip), str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    early, late = (int(value) for value in done.stdout.split())
    assert late - early < 40_000  # kB
