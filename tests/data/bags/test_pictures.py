"""Pixels of image messages, against pictures that are put into every encoding by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="rosbags is not installed: pip install 'armsight[ros]'")
pytest.importorskip("mcap_ros2", reason="mcap-ros2-support is not installed")

from armsight.data.bags.bag import Bag
from armsight.data.bags.cameras import camera_of_topic, choose_topics
from armsight.data.bags.pictures import pixels_of
from armsight.errors import DatasetError
from tests.data.bags import made_bags as made

NS = made.START
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
GREY = PIXELS[..., 0]


def mosaic(pattern: str) -> Any:
    """What a sensor with that Bayer pattern sees of even colours."""
    colours = dict(zip("rgb", (200, 120, 40), strict=True))
    cell = np.array([[colours[c] for c in pattern[:2]], [colours[c] for c in pattern[2:]]])
    return np.tile(cell, (20, 24)).astype(np.uint8)


@pytest.mark.parametrize(
    "encoding, data, expected",
    [
        ("rgb8", PIXELS, PIXELS),
        ("bgr8", PIXELS[..., ::-1], PIXELS),
        ("8UC3", PIXELS[..., ::-1], PIXELS),
        ("rgba8", np.dstack([PIXELS, GREY]), PIXELS),
        ("bgra8", np.dstack([PIXELS[..., ::-1], GREY]), PIXELS),
        ("mono8", GREY, np.dstack([GREY] * 3)),
        ("rgb16", PIXELS.astype(np.uint16) * 257, PIXELS),
        ("mono16", GREY.astype(np.uint16) * 257, np.dstack([GREY] * 3)),
    ],
)
@pytest.mark.parametrize("pad", [0, 6])
def test_encodings(encoding: str, data: Any, expected: Any, pad: int) -> None:
    message = made.raw_image(NS, data, encoding, pad)
    np.testing.assert_array_equal(pixels_of(message, "here"), expected)


def test_byte_order() -> None:
    data = (GREY.astype(np.uint16) * 257).astype(">u2")
    message = made.raw_image(NS, data, "mono16", big=True)
    np.testing.assert_array_equal(pixels_of(message, "here")[..., 0], GREY)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(pattern: str) -> None:
    pixels = pixels_of(made.raw_image(NS, mosaic(pattern), f"bayer_{pattern}8"), "here")
    assert pixels[20, 20].tolist() == [200, 120, 40]


@pytest.mark.parametrize("encoding, order", [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_yuv(encoding: str, order: str) -> None:
    """ITU-R BT.601 of one red."""
    y, u, v = 82, 90, 240
    pair = [{"y": y, "u": u, "v": v}[letter] for letter in order]
    data = np.tile(np.array(pair, np.uint8), (40, 24)).reshape(40, 48, 2)
    pixels = pixels_of(made.raw_image(NS, data, encoding), "here")
    np.testing.assert_allclose(pixels[5, 5], [255, 0, 0], atol=3)


def test_compressed_pictures() -> None:
    expected = pixels_of(made.packed_image(NS, PIXELS, "rgb8; png compressed bgr8"), "here")
    np.testing.assert_array_equal(expected, PIXELS)
    decoded = cv2.imdecode(np.asarray(made.packed_image(NS, PIXELS).data), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], PIXELS)


@pytest.mark.parametrize(
    "message, words",
    [
        (made.raw_image(NS, GREY.astype(np.uint16), "16UC1"), "encoding '16UC1'; read: rgb8"),
        (made.packed_image(NS, PIXELS, "16UC1; compressedDepth png"), "JPEG and PNG are read"),
        (made.raw_image(NS, GREY[:, :20], "rgb8"), "pixels of rgb8 need 2400"),
    ],
)
def test_what_is_no_picture(message: Any, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        pixels_of(message, "here")


def test_depth_and_doubled_topics_are_left_out(tmp_path: Path) -> None:
    raw, packed = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
    depth = made.raw_image(NS, GREY.astype(np.uint16), "16UC1")
    bag = made.write_mcap(tmp_path / "bag.mcap", [
        ("/a/depth/image_raw", raw, NS, depth),
        ("/a/color/image_raw", raw, NS, made.raw_image(NS, PIXELS, "rgb8")),
        ("/a/color/image_raw/compressed", packed, NS, made.packed_image(NS, PIXELS)),
        ("/b/image/compressed", packed, NS, made.packed_image(NS, PIXELS)),
    ])  # fmt: skip
    assert choose_topics(bag) == ("/a/color/image_raw", "/b/image/compressed")
    wanted = ["/a/color/image_raw/compressed"]
    assert choose_topics(bag, wanted) == tuple(wanted)
    with pytest.raises(DatasetError, match="no image topic /c; valid: /a/color"):
        choose_topics(bag, ["/c"])
    only_depth = made.write_mcap(tmp_path / "depth.mcap", [("/a/depth", raw, NS, depth)])
    with pytest.raises(DatasetError, match=r"not of depth\); it has /a/depth"):
        choose_topics(only_depth)


INFO = "sensor_msgs/msg/CameraInfo"


@pytest.mark.parametrize("kind", made.WRITERS)
def test_the_camera_info_beside_a_topic(tmp_path: Path, kind: str) -> None:
    other = made.camera_info(NS, (48, 40), k=np.eye(3).ravel() * 77)
    lens = made.camera_info(NS, (96, 80), d=np.array([0.1, 0, 0, 0, 0]))
    zero = made.camera_info(NS, (48, 40), k=np.zeros(9))
    bag = made.WRITERS[kind](tmp_path / kind, [
        ("/a/image_raw", "sensor_msgs/msg/Image", NS, made.raw_image(NS, PIXELS, "rgb8")),
        ("/a/image_rect", "sensor_msgs/msg/Image", NS, made.raw_image(NS, PIXELS, "rgb8")),
        ("/a/camera_info", INFO, NS, lens),
        ("/b/camera_info", INFO, NS, other),
        ("/c/image_raw", "sensor_msgs/msg/Image", NS, made.raw_image(NS, PIXELS, "rgb8")),
        ("/c/camera_info", INFO, NS, zero),
    ])  # fmt: skip
    with Bag(bag) as opened:
        found = camera_of_topic(opened, "/a/image_raw")
        assert found is not None
        np.testing.assert_array_equal(found.K, made.K)
        assert found.size == (96, 80)
        assert found.distortion is not None
        assert found.distortion.coefficients[0] == 0.1
        rectified = camera_of_topic(opened, "/a/image_rect")
        assert rectified is not None
        assert rectified.distortion is None
        assert camera_of_topic(opened, "/c/image_raw") is None
        assert camera_of_topic(opened, "/d/image_raw") is None


def test_what_is_no_bag(tmp_path: Path) -> None:
    image = made.raw_image(NS, PIXELS, "rgb8")
    whole = made.write_mcap(tmp_path / "a.mcap", [("/a", "sensor_msgs/msg/Image", NS, image)])
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(DatasetError, match="recorder was killed, `mcap recover` mends"):
        Bag(whole)
    (tmp_path / "bag.mcap").write_bytes(b"hello")
    with pytest.raises(DatasetError, match="no ROS 2 bag that can be read"):
        Bag(tmp_path / "bag.mcap")
    with pytest.raises(DatasetError, match="does not exist"):
        Bag(tmp_path / "other.mcap")
