"""Estimates as ROS 2 messages, read back by mcap-ros2-support, and by rosbags."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("rosbags", reason="rosbags is not installed: pip install 'armsight[ros]'")
pytest.importorskip("mcap_ros2", reason="mcap-ros2-support is not installed")

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader

from armsight.cli.estimate import command
from tests.data.bags import made_bags as made
from tests.fake_weights import write_fake_weights

BRIGHT, DARK = 120, 5
GREYS = [BRIGHT, BRIGHT, DARK, BRIGHT]
FRAMES = [np.full((64, 96, 3), grey, np.uint8) for grey in GREYS]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


def run(weights: Path, *arguments: str | Path) -> Any:
    options = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, [*options, "--robot", str(weights)])


def read(path: Path) -> dict[str, dict[int, Any]]:
    """Messages of an MCAP file by topic and log time [ns]."""
    found: dict[str, dict[int, Any]] = {}
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        for _, channel, message, decoded in reader.iter_decoded_messages():
            found.setdefault(channel.topic, {})[message.log_time] = decoded
    return found


@pytest.fixture(scope="module")
def answered(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what a bag of four pictures led to."""
    folder = tmp_path_factory.mktemp("answered")
    bag = made.write_mcap(folder / "take.mcap", made.camera_messages(FRAMES))
    result = run(weights, bag, "--out", folder)
    assert result.exit_code == 0, result.output
    assert "take.estimate.mcap" in result.output
    return folder


def test_messages_are_the_rows(answered: Path) -> None:
    topics = read(answered / "take.estimate.mcap")
    rows = [json.loads(line) for line in (answered / "take.jsonl").read_text().splitlines()]
    assert rows[0]["intrinsics_source"] == "camera_file"  # from the bag's camera_info
    np.testing.assert_array_equal(rows[0]["K"], made.K)
    stamps = [made.START + i * made.STEP for i in range(4)]
    assert sorted(topics["/armsight/confidence"]) == stamps
    assert sorted(topics["/armsight/joint_states"]) == [stamps[0], stamps[1], stamps[3]]
    for stamp, row in zip(stamps, rows, strict=True):
        confidence = topics["/armsight/confidence"][stamp].data
        assert confidence == pytest.approx(row["confidence"], abs=1e-6)
        if not row["robot_found"]:
            continue
        state = topics["/armsight/joint_states"][stamp]
        assert state.header.stamp.sec * 10**9 + state.header.stamp.nanosec == stamp
        assert state.name == row["joint_names"]
        np.testing.assert_allclose(state.position, row["joint_positions"], atol=1e-6)
        std = topics["/armsight/joint_std"][stamp]
        np.testing.assert_allclose(std.position, row["joint_std"], atol=1e-6)


def test_the_transform_is_the_camera_in_the_base(answered: Path) -> None:
    topics = read(answered / "take.estimate.mcap")
    row = json.loads((answered / "take.jsonl").read_text().splitlines()[0])
    (one,) = topics["/tf"][made.START].transforms
    assert (one.header.frame_id, one.child_frame_id) == ("panda_link0", made.FRAME)
    t, q = one.transform.translation, one.transform.rotation
    # p_base = R(q) p_cam + t, by the formula of a unit quaternion's rotation.
    v = np.array([q.x, q.y, q.z])
    p_cam = np.array([0.3, -0.2, 1.1])
    p_base = p_cam + 2 * np.cross(v, np.cross(v, p_cam) + q.w * p_cam) + [t.x, t.y, t.z]
    back = np.array(row["T_cam_base"]) @ [*p_base, 1]
    np.testing.assert_allclose(back[:3], p_cam, atol=1e-5)


def test_pictures_with_overlays(answered: Path) -> None:
    pictures = read(answered / "take.estimate.mcap")["/armsight/image/compressed"]
    assert len(pictures) == 4
    first = pictures[made.START]
    assert (first.format, first.header.frame_id) == ("jpeg", made.FRAME)
    pixels = np.asarray(Image.open(io.BytesIO(first.data)))
    assert pixels.shape == (64, 96, 3)
    assert np.ptp(pixels) > 50  # something is drawn on the grey


def test_rosbags_reads_the_file(answered: Path) -> None:
    with AnyReader([answered / "take.estimate.mcap"]) as reader:
        kinds = {one.topic: (one.msgtype, one.msgcount) for one in reader.connections}
        states = [one for one in reader.connections if one.topic == "/armsight/joint_states"]
        raw = [reader.deserialize(data, one.msgtype)
               for one, _, data in reader.messages(connections=states)]  # fmt: skip
    assert kinds["/tf"] == ("tf2_msgs/msg/TFMessage", 3)
    assert kinds["/armsight/image/compressed"] == ("sensor_msgs/msg/CompressedImage", 4)
    assert len(raw) == 3
    assert all(len(one.position) == 7 for one in raw)


def test_several_cameras_and_no_overlays(weights: Path, tmp_path: Path) -> None:
    second = [("/two" + topic, *rest) for topic, *rest in made.camera_messages(FRAMES[:2])]
    bag = made.write_sqlite(tmp_path / "bag", made.camera_messages(FRAMES) + second)  # type: ignore[arg-type]
    result = run(weights, bag, "--out", tmp_path / "out", "--no-overlay", "--json")
    documents = json.loads(result.stdout)
    assert [one["num_frames"] for one in documents] == [4, 2]
    names = sorted(path.name for path in (tmp_path / "out").glob("*.mcap"))
    assert names == ["bag_cam_image_raw.estimate.mcap", "bag_two_cam_image_raw.estimate.mcap"]
    topics = read(tmp_path / "out" / names[0])
    assert "/armsight/image/compressed" not in topics
    again = run(weights, bag, "--out", tmp_path / "out", "--camera-key", "/two/cam/image_raw",
                "--json")  # fmt: skip
    assert json.loads(again.stdout)["num_frames"] == 2


def test_a_foreign_bag_is_not_overwritten(weights: Path, tmp_path: Path) -> None:
    bag = made.write_mcap(tmp_path / "take.mcap", made.camera_messages(FRAMES[:1]))
    foreign = tmp_path / "take.estimate.mcap"
    foreign.write_bytes(bag.read_bytes())
    assert run(weights, bag, "--out", tmp_path).exit_code == 8
    assert foreign.read_bytes() == bag.read_bytes()
