"""`armsight actions`: files, JSON, notes, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from armsight.actions.files import read_actions
from armsight.cli.actions import command
from armsight.data.video import VideoWriter
from tests.fake_action_weights import DARK, pictures
from tests.fake_weights import write_fake_weights

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.usefixtures("action_weights")
GREYS = [60, 90, 150, 120, 180, 240]


def write_video(path: Path, greys: list[int] = GREYS, fps: float = 20 / 3) -> Path:
    with VideoWriter(path, fps) as video:
        for i, frame in enumerate(pictures(greys, 64, 64)):
            video.write(frame, i / fps)
    return path


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_video(tmp_path: Path) -> None:
    result = run(write_video(tmp_path / "clip.mp4"), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "6 keyframes -> 16 actions at 20 Hz (0.75 s), route direct" in result.stdout
    assert "note: --stride was not given: 3 control steps between frames" in result.stderr
    assert "OSC_POSE, robot base frame, -1 opens, +1 closes" in result.stdout
    assert "gripper: starts open, closes at" in result.stdout
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["clip.actions.svg", "clip.npz", "clip.parquet"]
    one, other = (read_actions(tmp_path / "out" / f"clip{s}") for s in (".parquet", ".npz"))
    np.testing.assert_array_equal(one.actions, other.actions)
    assert one.metadata() == other.metadata()
    assert "written by armsight" in (tmp_path / "out" / "clip.actions.svg").read_text()
    again = run(tmp_path / "clip.mp4", "--out", tmp_path / "out", "--stride", 3)
    assert again.exit_code == 0
    assert again.stderr == ""


def test_json_is_one_document(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4")
    result = run(video, "--out", tmp_path, "--stride", 2, "--json")
    document = json.loads(result.stdout)
    assert result.stderr.splitlines() == [f"note: {text}" for text in document["messages"]]
    assert document["error"] is None
    assert document["horizon"] == 11 == len(document["actions"])
    assert len(document["actions"][0]) == len(document["action_names"]) == 7
    assert (document["stride"], document["control_hz"], document["route"]) == (2, 20, "direct")
    assert document["source"] == str(video)
    assert len(document["presence"]) == 6
    # Neighbours, and where there is one, the pair with a keyframe between: three steps are bridged.
    assert [len(chunk) for chunk in document["pair_actions"]] == [3, 5] * 4 + [3]
    assert set(document["files"]) == {"parquet", "npz", "plot"}
    assert all(Path(path).is_file() for path in document["files"].values())
    np.testing.assert_array_equal(read_actions(tmp_path / "clip.npz").actions, document["actions"])


def test_a_folder_of_frames(tmp_path: Path) -> None:
    folder = tmp_path / "my.frames"
    folder.mkdir()
    for i, frame in enumerate(pictures(GREYS)):
        Image.fromarray(frame).save(folder / f"{i}.png")
    result = run(folder, "--out", tmp_path / "out", "--every", 2, "--stride", 4, "--json")
    assert json.loads(result.stdout)["horizon"] == 9
    assert (tmp_path / "out" / "my.frames.parquet").is_file()


def test_a_video_in_real_time_tells_its_stride(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", fps=20)
    said = run(video, "--out", tmp_path, "--stride", 3).stderr
    assert "in real time (20 frames/s), its stride is 1 control steps, not 3" in said
    assert run(video, "--out", tmp_path, "--stride", 3, "--every", 3).stderr == ""


def test_a_plain_install_writes_the_actions_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from armsight.cli.actions import read as actions

    real = actions.importlib.util.find_spec
    monkeypatch.setattr(
        actions.importlib.util,
        "find_spec",
        lambda name: None if name in ("pyarrow", "matplotlib") else real(name),
    )
    result = run(write_video(tmp_path / "clip.mp4"), "--out", tmp_path)
    assert result.exit_code == 0
    assert "no Parquet file was written" in result.stderr
    assert "pip install 'armsight[actions]'" in result.stderr
    assert "no plot was written, for that needs: pip install 'armsight[viz]'" in result.stderr
    assert sorted(path.name for path in tmp_path.glob("clip.*")) == ["clip.mp4", "clip.npz"]


def test_route_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track = SimpleNamespace(
        track_path=lambda path, gripper: SimpleNamespace(actions=np.full((len(path), 7), 0.5))
    )
    monkeypatch.setitem(sys.modules, "armsight.path_tracking.track_path", track)
    result = run(write_video(tmp_path / "c.mp4"), "--out", tmp_path, "--route", "track", "--json")
    document = json.loads(result.stdout)
    assert document["route"] == "track"
    assert document["actions"][3] == [0.5] * 7


def test_what_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4")
    for name in ("clip.npz", "clip.parquet", "clip.actions.svg"):
        (tmp_path / name).write_bytes(b"precious")
        result = run(video, "--out", tmp_path)
        assert result.exit_code == 8
        assert f"{name} exists and was not written by armsight" in result.stderr
        assert (tmp_path / name).read_bytes() == b"precious"
        (tmp_path / name).unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("kind", "arguments", "code", "message"),
    [
        ("one", (), 3, "1 keyframe gives no action"),
        ("dark", (), 3, "no panda in view in 6 of 6 frames"),
        ("missing", (), 3, "missing.mp4 does not exist"),
        ("text", (), 3, "text.mp4 is not a video"),
        ("mixed", (), 3, "frame 1.png is 48x64 pixels"),
        ("good", ("--stride", 9), 2, "stride 9 is out of range"),
        ("good", ("--stride", 0), 2, "stride 0 is out of range"),
        ("good", ("--every", 0), 2, "--every is 0"),
        ("good", ("--hypotheses", 0), 2, "num_hypotheses is 0"),
        ("good", ("--task", "libero_goal"), 2, "known tasks: libero_object"),
        ("good", ("--weights", "nowhere"), 2, "no weights for 'nowhere'"),
        ("good", ("--weights", "pose"), 6, "use `armsight estimate`"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    arguments: tuple[Any, ...],
    code: int,
    message: str,
    as_json: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path(f"{kind}.mp4")
    if kind == "text":
        source.write_text("no video")
    elif kind == "mixed":
        source = Path("mixed")
        source.mkdir()
        Image.new("RGB", (64, 64), (99, 99, 99)).save(source / "0.png")
        Image.new("RGB", (48, 64), (99, 99, 99)).save(source / "1.png")
    elif kind != "missing":
        write_video(source, {"one": [99], "dark": [int(DARK) - 10] * 6}.get(kind, GREYS))
    write_fake_weights(Path("pose"))
    result = run(source, *arguments, *["--json"] * as_json)
    assert (result.exit_code, result.exception.__class__) == (code, SystemExit), result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    if as_json:
        assert message in json.loads(result.stdout)["error"]
    else:
        assert result.stdout == ""
    assert not list(Path().glob(f"{kind}.[npa]*"))


def test_a_video_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", GREYS * 20)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    result = run(video, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "clip.mp4" in result.stderr


def test_through_the_entry_point(tmp_path: Path, action_weights: Path) -> None:
    video = write_video(tmp_path / "clip.mp4")
    folder = action_weights / "libero_object"
    done = subprocess.run(
        [sys.executable, "-m", "armsight", "actions", str(video), "--weights", str(folder),
         "--out", str(tmp_path), "--json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["horizon"] == 16
