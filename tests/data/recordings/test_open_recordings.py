"""What a person names becomes a recording; what does not fit together is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.data.recordings import Recording, open_recordings
from armsight.data.video import VideoWriter
from armsight.errors import BadImageError, DatasetError
from armsight.robots import load_robot

ROBOT = load_robot("panda")
Q = ROBOT.ready_positions + 0.01 * np.arange(5)[:, None]
HEAD = ",".join(ROBOT.joint_names)


def grey(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def photos(folder: Path, count: int = 5) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(grey(10 * i)).save(folder / f"{i:03d}.png")
    return folder


def log_file(path: Path, q: np.ndarray = Q) -> Path:
    np.savetxt(path, q, delimiter=",", header=HEAD, comments="")
    return path


def only(source: Path, **options: object) -> Recording:
    (recording,) = open_recordings(source, ROBOT, **options)  # type: ignore[arg-type]
    return recording


def test_photos_with_a_log_beside_them(tmp_path: Path) -> None:
    log_file(photos(tmp_path) / "joint_positions.csv")
    recording = only(tmp_path)
    assert len(recording) == 5
    assert recording.log is not None
    assert recording.log.times is None
    np.testing.assert_allclose(recording.joint_positions_at([1, 4]), Q[[1, 4]])
    first, last = recording.frames([3, 0])
    assert (int(first[0, 0, 0]), int(last[0, 0, 0])) == (30, 0)
    assert recording.K is None


def test_easyhecs_layout(tmp_path: Path) -> None:
    photos(tmp_path / "color")
    (tmp_path / "qpos").mkdir()
    for i, q in enumerate(Q):
        np.savetxt(tmp_path / "qpos" / f"{i:03d}.txt", np.append(q, [0.04, 0.04]))
    np.savetxt(tmp_path / "K.txt", [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
    recording = only(tmp_path)
    assert recording.log is not None
    np.testing.assert_allclose(recording.log.joint_positions, Q)
    assert recording.K is not None
    assert recording.K[0, 0] == 60


def test_real_layouts(shared_data: Path) -> None:
    franka = only(shared_data / "franka_real")
    assert (len(franka), franka.image_size) == (10, (640, 480))
    xarm = load_robot("xarm7")
    (recording,) = open_recordings(shared_data / "xarm7_known_joints", xarm)
    assert recording.log is not None
    table = np.loadtxt(
        shared_data / "xarm7_known_joints" / "joint_positions.csv", delimiter=",", skiprows=1
    )
    np.testing.assert_allclose(recording.log.joint_positions, table)


@pytest.mark.parametrize("timed", [True, False])
def test_a_video_and_its_log(tmp_path: Path, timed: bool) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for i in range(5):
            writer.write(grey(40 * i), i / 10)
    if timed:  # a log of its own rate, on a clock that began long ago
        t = np.arange(20) * 0.03
        q = ROBOT.ready_positions + 0.1 * t[:, None]
        table = np.column_stack([1.7e9 + t, q])
        np.savetxt(tmp_path / "log.csv", table, delimiter=",", header=f"timestamp,{HEAD}",
                   comments="", fmt="%.9f")  # fmt: skip
    else:
        log_file(tmp_path / "log.csv")
    recording = only(tmp_path / "clip.mp4", joints=tmp_path / "log.csv")
    np.testing.assert_allclose(recording.frame_times, np.arange(5) / 10, atol=1e-3)
    expected = ROBOT.ready_positions + 0.1 * 0.2 if timed else Q[2]
    np.testing.assert_allclose(recording.joint_positions_at([2])[0], expected, atol=1e-3)
    assert abs(int(recording.frames([3])[0].mean()) - 120) < 4
    assert any("start together" in note for note in recording.notes) == timed


def test_what_does_not_fit_together(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        only(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no photo"):
        only(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match="is no video"):
        only(tmp_path / "notes.txt")
    folder = photos(tmp_path / "photos")
    with pytest.raises(DatasetError, match="4 rows, and there are 5 photos"):
        only(folder, joints=log_file(tmp_path / "short.csv", Q[:4]))
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for i in range(6):
            writer.write(grey(i), i / 10)
    with pytest.raises(DatasetError, match="5 rows without time stamps, and the video has 6"):
        only(tmp_path / "clip.mp4", joints=log_file(tmp_path / "long.csv"))


def test_broken_and_odd_photos_are_left_out_with_a_note(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    (folder / "001.png").write_bytes(b"\x89PNG broken")
    Image.fromarray(grey(9, 80, 60)).save(folder / "003.png")
    recording = only(folder)
    read = recording.read_frames(range(5))
    assert read.indices == (0, 2, 4)
    assert any("001.png" in note for note in read.notes)
    assert any("003.png has 80x60 pixels, the others 64x48" in note for note in read.notes)
    with pytest.raises(DatasetError, match=r"frame 001\.png cannot be read"):
        recording.frames([1])
    for path in folder.iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(BadImageError, match="none of 5 photos can be read"):
        only(folder)


def test_data_sets(shared_data: Path) -> None:
    folder = shared_data / "odd_inputs" / "lerobot_v3"
    robot = load_robot("so101")
    recordings = list(open_recordings(folder, robot))
    assert [r.episode for r in recordings] == [0, 1]
    assert recordings[1].camera_key == "observation.images.front"
    assert recordings[1].frames([0])[0].shape[1::-1] == recordings[1].image_size
    assert [r.episode for r in open_recordings(folder, robot, episodes=[1])] == [1]
    for options, message in (
        ({"camera_key": "wrist"}, "no video 'wrist'; valid: observation.images.front"),
        ({"state_key": "q"}, "no column 'q'; valid: .*observation.state"),
        ({"episodes": [7]}, "no episode 7; it has episodes 0 to 1"),
        ({"joints": folder}, "leave --joints out"),
    ):
        with pytest.raises(DatasetError, match=message):
            list(open_recordings(folder, robot, **options))  # type: ignore[arg-type]


def test_the_K_beside_photos_is_checked(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    np.savetxt(folder / "K.txt", [[600, 0, 320], [0, 600, 240], [0, 0, 1.0]])
    assert any("principal point" in note for note in only(folder).notes)


def test_photos_that_are_reduced_while_loading_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their K would belong to another size."""
    from armsight.camera import image

    recording = only(photos(tmp_path))
    monkeypatch.setattr(image, "WORKING_PIXELS", 64 * 48 // 2)
    read = recording.read_frames(range(5))
    assert read.indices == ()
    assert "000.png is too large" in read.notes[0]


@pytest.mark.parametrize("option", ["camera_key", "state_key", "episodes"])
def test_options_of_data_sets_are_refused_elsewhere(tmp_path: Path, option: str) -> None:
    value: Any = [0] if option == "episodes" else "x"
    with pytest.raises(DatasetError, match=f"leave --{option.replace('_', '-')} out"):
        list(open_recordings(tmp_path, ROBOT, **{option: value}))
