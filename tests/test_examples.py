"""The examples run, and are short."""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight import Estimator
from armsight.data.video import VideoWriter
from armsight.estimate import pretrained
from tests.fake_action_weights import write_fake_action_weights
from tests.fake_weights import write_fake_weights

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake_weights(tmp_path / "weights" / "panda")
    write_fake_action_weights(tmp_path / "weights" / "libero_object")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "weights")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (320, 240), (120, 120, 120)).save(tmp_path / "photos" / name)
    return tmp_path / "photos" / "a.png"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str | Path) -> None:
    path = next(EXAMPLES.glob(f"{name}*.py"))
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
    runpy.run_path(str(path), run_name="__main__")


def test_one_image(
    monkeypatch: pytest.MonkeyPatch, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "01", photo)
    out = capsys.readouterr().out
    assert "panda_joint7" in out
    assert "hand seen from the camera [m]" in out


def test_folder_to_csv(monkeypatch: pytest.MonkeyPatch, photo: Path, tmp_path: Path) -> None:
    run(monkeypatch, "02", photo.parent, tmp_path / "out.csv", "60")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 3
    assert len(lines[1].split(",")) == 10


def test_video(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with VideoWriter(tmp_path / "v.mp4", 10) as writer:
        for i, grey in enumerate((120, 120, 5)):
            writer.write(np.full((96, 128, 3), grey, np.uint8), i / 10)
    run(monkeypatch, "03", tmp_path / "v.mp4")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].endswith("no panda found")


def test_camera_in_robot_frame(
    monkeypatch: pytest.MonkeyPatch, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo.parent / "K.txt").write_text("300 0 160 0 300 120 0 0 1")
    run(monkeypatch, "04", photo, photo.parent / "K.txt")
    assert "T_base_cam" in capsys.readouterr().out


def test_draw(monkeypatch: pytest.MonkeyPatch, photo: Path, tmp_path: Path) -> None:
    run(monkeypatch, "05", photo, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (4 * 640, 480)


def test_video_to_actions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with VideoWriter(tmp_path / "v.mp4", 10) as writer:
        for i, grey in enumerate((60, 90, 180, 240)):
            writer.write(np.full((96, 96, 3), grey, np.uint8), i / 10)
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "06", tmp_path / "v.mp4", "2")
    out = capsys.readouterr().out
    assert "7 actions of OSC_POSE at 20 Hz" in out
    assert "the gripper closes at" in out
    assert (tmp_path / "actions.npz").is_file()


def test_every_example_is_tested_and_short() -> None:
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name[:2]}"' in tested or f'"{path.name}"' in tested
        assert len(path.read_text().splitlines()) <= 60


class Bunch(types.SimpleNamespace):
    """A ROS message: what is not given is made when it is asked for."""

    def __getattr__(self, name: str) -> Any:
        setattr(self, name, Bunch())
        return getattr(self, name)


class FakeNode:
    """rclpy's Node: remembers who listens, and what is published."""

    def __init__(self, name: str) -> None:
        self.listeners: dict[str, Any] = {}
        self.published: list[Any] = []

    def declare_parameter(self, name: str, value: Any) -> Any:
        return Bunch(value=value)

    def create_subscription(self, kind: Any, topic: str, listener: Any, qos: Any) -> None:
        self.listeners[topic] = listener

    def create_publisher(self, kind: Any, topic: str, depth: int) -> Any:
        return Bunch(publish=self.published.append)


def test_ros2_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """ROS is not installed here: its classes are stand-ins, and messages are bare."""
    sent: list[Any] = []
    modules: dict[str, dict[str, Any]] = {
        "rclpy": {},
        "rclpy.node": {"Node": FakeNode},
        "rclpy.qos": {"QoSProfile": Bunch, "ReliabilityPolicy": Bunch()},
        "geometry_msgs.msg": {"TransformStamped": Bunch},
        "sensor_msgs.msg": {"CameraInfo": Bunch, "Image": Bunch, "JointState": Bunch},
        "tf2_ros": {"TransformBroadcaster": lambda node: Bunch(sendTransform=sent.append)},
    }
    for name in {name.partition(".")[0] for name in modules} | set(modules):
        module = types.ModuleType(name)
        vars(module).update(modules.get(name, {}))
        monkeypatch.setitem(sys.modules, name, module)
    node = runpy.run_path(str(EXAMPLES / "ros2_node.py"))["ArmsightNode"]()
    K = [300.0, 0, 159.5, 0, 300, 119.5, 0, 0, 1]
    roi = Bunch(x_offset=0, y_offset=0, width=0, height=0)
    node.listeners["camera_info"](
        Bunch(width=320, height=240, distortion_model="plumb_bob", d=[0.0] * 5, k=K, p=[0.0] * 12,
              binning_x=0, binning_y=0, roi=roi)
    )  # fmt: skip
    header = Bunch(stamp="now", frame_id="optical")
    grey = Bunch(encoding="mono8", height=240, width=320, step=320, is_bigendian=0, header=header,
                 data=bytes([120]) * 240 * 320)  # fmt: skip
    node.listeners["image"](grey)
    dark = Bunch(**{**vars(grey), "data": bytes(240 * 320)})
    node.listeners["image"](dark)
    (joints,), (transform,) = node.published, sent
    expected = Estimator.from_pretrained("panda")(
        np.full((240, 320, 3), 120, np.uint8), K=np.reshape(K, (3, 3))
    )
    assert joints.name == list(expected.joint_names)
    assert joints.header.stamp == transform.header.stamp == "now"
    assert (transform.header.frame_id, transform.child_frame_id) == ("panda_link0", "optical")
    place = transform.transform.translation
    assert expected.T_cam_base is not None
    at_base = expected.T_cam_base @ [place.x, place.y, place.z, 1]
    np.testing.assert_allclose(at_base[:3], 0, atol=0.02)  # where the camera's origin is
