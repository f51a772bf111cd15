"""Bags as films and as recordings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="rosbags is not installed: pip install 'armsight[ros]'")
pytest.importorskip("mcap_ros2", reason="mcap-ros2-support is not installed")

from armsight.audit.episode import EpisodeAuditor
from armsight.audit.plan import make_plan, robot_of
from armsight.data.bags.film import BagFilm
from armsight.data.recordings import open_recordings
from armsight.data.recordings.episodes import open_episodes
from armsight.episodes.units import Unit
from armsight.errors import BadVideoError, ConfigError, DatasetError
from armsight.robots import load_robot
from tests.data.bags import made_bags as made

FRAMES = [np.full((64, 96, 3), (grey, 2 * grey, 100), np.uint8) for grey in (30, 60, 90, 120)]
PANDA = load_robot("panda")
ANGLES = [PANDA.ready_positions + 0.01 * i for i in range(8)]
KIND = "sensor_msgs/msg/JointState"


def with_joints() -> list[made.Message]:
    """Two joint states for each picture, 5 ms late, in another order and with a gripper's own."""
    found = made.camera_messages(FRAMES)
    for i, angles in enumerate(ANGLES):
        ns = made.START + i * made.STEP // 2 + 5_000_000
        state = made.joint_state(ns, made.NAMES[::-1], angles[::-1])
        found.append((made.STATES, KIND, ns, state))
        gripper = made.joint_state(ns, ["finger"], [0.02])
        found.append((made.STATES, KIND, ns, gripper))
    return sorted(found, key=lambda message: message[2])


@pytest.mark.parametrize("kind", made.WRITERS)
def test_a_film(tmp_path: Path, kind: str) -> None:
    path = made.WRITERS[kind](tmp_path / kind, made.camera_messages(FRAMES))
    with BagFilm(path, made.IMAGES) as film:
        assert (film.num_frames, film.fps) == (4, pytest.approx(25))
        for _ in range(2):  # it can be looked through again
            frames = list(film)
            assert [frame.index for frame in frames] == [0, 1, 2, 3]
            np.testing.assert_allclose([f.time for f in frames], np.arange(4) * 0.04, atol=1e-12)
            for frame, pixels in zip(frames, FRAMES, strict=True):
                np.testing.assert_array_equal(frame.pixels, pixels)


@pytest.mark.parametrize("kind", made.WRITERS)
def test_a_recording(tmp_path: Path, kind: str) -> None:
    path = made.WRITERS[kind](tmp_path / kind, with_joints())
    (recording,) = open_recordings(path, PANDA)
    assert (len(recording), recording.image_size) == (4, (96, 64))
    assert recording.K is not None
    np.testing.assert_array_equal(recording.K, made.K)
    np.testing.assert_array_equal(recording.frames([3, 1])[1], FRAMES[1])
    assert recording.log is not None
    assert recording.log.times is not None
    np.testing.assert_allclose(recording.log.joint_positions, ANGLES)
    np.testing.assert_allclose(recording.log.times, 0.005 + np.arange(8) * 0.02, atol=1e-9)
    # A quarter of the way between two states at 0.025 and 0.045 s:
    expected = ANGLES[1] + 0.75 * (ANGLES[2] - ANGLES[1])
    np.testing.assert_allclose(recording.joint_positions_at([1])[0], expected, atol=1e-9)


def test_the_lens_is_undone(tmp_path: Path) -> None:
    coefficients = np.array([-0.3, 0.1, 0, 0, 0])
    frame = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 96, 3)) * 1.0, None, 3)
    messages = made.camera_messages([frame.astype(np.uint8)])
    info = made.camera_info(made.START, (96, 64), d=coefficients)
    messages[1] = (*messages[1][:3], info)
    path = made.write_mcap(tmp_path / "bag.mcap", messages)
    (recording,) = open_recordings(path, PANDA)
    expected = cv2.undistort(frame.astype(np.uint8), made.K, coefficients)
    error = np.abs(recording.frames([0])[0].astype(int) - expected)[8:-8, 8:-8]
    assert error.mean() < 1
    assert "plumb bob" in " ".join(recording.notes)


def test_topics_are_chosen(tmp_path: Path) -> None:
    messages = with_joints()
    second = [("/two" + t, kind, ns, m) for t, kind, ns, m in made.camera_messages(FRAMES[:2])]
    path = made.write_mcap(tmp_path / "bag.mcap", messages + second)
    with pytest.raises(DatasetError, match=r"several image topics; choose one by --camera-key"):
        list(open_recordings(path, PANDA))
    (recording,) = open_recordings(path, PANDA, camera_key="/two/cam/image_raw")
    assert len(recording) == 2
    with pytest.raises(DatasetError, match=r"'/other' of joint states; valid: /joint_states"):
        list(open_recordings(path, PANDA, camera_key=made.IMAGES, state_key="/other"))
    with pytest.raises(DatasetError, match="one recording; leave --episodes out"):
        list(open_recordings(path, PANDA, episodes=[0]))


def test_a_bag_that_breaks_off(tmp_path: Path) -> None:
    """Its good frames come first; its damaged picture is left out of a recording, with a note."""
    messages = made.camera_messages(FRAMES)
    messages[4][3].data = messages[4][3].data[:100]
    path = made.write_mcap(tmp_path / "bag.mcap", messages)
    seen = []
    with BagFilm(path, made.IMAGES) as film, pytest.raises(BadVideoError, match="after 2 frames"):
        seen += [frame.index for frame in film]
    (recording,) = open_recordings(path, PANDA)
    read = recording.read_frames([0, 2, 3])
    assert read.indices == (0, 3)
    assert "frame 2" in read.notes[0]


def test_a_folder_of_bags_is_episodes(tmp_path: Path) -> None:
    made.write_mcap(tmp_path / "b.mcap", with_joints()[4:])
    made.write_sqlite(tmp_path / "a", with_joints())
    plan = make_plan(tmp_path, "panda", state_key=made.STATES)
    assert (plan.episodes, plan.camera_keys) == ((0, 1), (made.IMAGES,))
    episodes = open_episodes(tmp_path)
    assert [episodes.length(i, made.IMAGES) for i in (0, 1)] == [4, 3]
    assert episodes.image_size(made.IMAGES) == (96, 64)
    assert episodes.fps == pytest.approx(25)
    second = episodes.recording(PANDA, 1, made.IMAGES, None)
    np.testing.assert_array_equal(second.frames([0])[0], FRAMES[1])
    before = episodes.digest(1, made.IMAGES)
    made.write_mcap(tmp_path / "b.mcap", with_joints())
    assert open_episodes(tmp_path).digest(1, made.IMAGES) != before
    with pytest.raises(ConfigError, match="names no robot"):
        robot_of(tmp_path)
    with pytest.raises(DatasetError, match="is no LeRobotDataset"):
        open_episodes(tmp_path / "a" / "metadata.yaml")
    (tmp_path / "b.mcap").write_bytes(b"broken")
    assert open_episodes(tmp_path).length(1, made.IMAGES) == 0
    row = EpisodeAuditor(plan)(Unit(1, made.IMAGES))
    assert "no ROS 2 bag that can be read" in row["error"]
