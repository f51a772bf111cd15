"""Camera files: each known kind with the same matrix, and files without one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from armsight.camera.camera_file import read_camera_file
from armsight.errors import BadIntrinsicsError

K = np.array([[611.5, 0, 321.25], [0, 612.5, 239.75], [0, 0, 1]])
FLAT = ", ".join(str(v) for v in K.ravel())
ROWS = "\n".join(" ".join(str(v) for v in row) for row in K)

DREAM = {
    "camera_settings": [
        {
            "name": "cam",
            "intrinsic_settings": {"fx": 611.5, "fy": 612.5, "cx": 321.25, "cy": 239.75, "s": 0.0},
            "captured_image_size": {"width": 640, "height": 480},
        }
    ]
}
ROS_YAML = f"""image_width: 640
image_height: 480
camera_name: wrist
camera_matrix:
  rows: 3
  cols: 3
  data: [{FLAT}]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 0, 0, 0]
"""
ROS_MESSAGE = f"height: 480\nwidth: 640\ndistortion_model: ''\nd: [0, 0, 0, 0, 0]\nk: [{FLAT}]\n"

GOOD = {
    "nine numbers": ("K.txt", ROWS, None, False),
    "with commas": ("K.csv", ROWS.replace(" ", ","), None, False),
    "DREAM": ("_camera_settings.json", json.dumps(DREAM), (640, 480), False),
    "JSON K": ("cam.json", json.dumps({"K": K.tolist()}), None, False),
    "JSON flat": (
        "c.json",
        json.dumps({"k": K.ravel().tolist(), "width": 8, "height": 6}),
        (8, 6),
        False,
    ),
    "JSON matrix": (
        "c.json",
        json.dumps({"camera_matrix": {"data": K.ravel().tolist()}, "D": [0.3, 0, 0, 0]}),
        None,
        True,
    ),
    "ROS file": ("camera.yaml", ROS_YAML, (640, 480), True),
    "ROS message": ("info.yaml", ROS_MESSAGE, (640, 480), False),
}


@pytest.mark.parametrize("case", GOOD)
def test_known_files(tmp_path: Path, case: str) -> None:
    name, content, size, distorted = GOOD[case]
    (tmp_path / name).write_text(content)
    camera = read_camera_file(tmp_path / name)
    np.testing.assert_allclose(camera.K, K)
    assert (camera.size, camera.distorted) == (size, distorted)


def test_opencv_yaml_as_opencv_writes_it(tmp_path: Path) -> None:
    path = str(tmp_path / "cv.yaml")
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", K)
    storage.write("distortion_coefficients", np.zeros((1, 5)))
    storage.release()
    camera = read_camera_file(path)
    np.testing.assert_allclose(camera.K, K)
    assert (camera.size, camera.distorted) == ((640, 480), False)


BAD = {
    "empty": ("K.txt", "", "no camera matrix"),
    "eight numbers": ("K.txt", "1 2 3 4 5 6 7 8", "no camera matrix"),
    "words": ("K.txt", "the camera is good", "no camera matrix"),
    "broken JSON": ("c.json", "{", "no camera matrix"),
    "JSON list": ("c.json", "[1, 2]", "no camera matrix"),
    "JSON without": ("c.json", "{}", "no camera matrix"),
    "YAML without": ("c.yaml", "a: 1\n", "no camera matrix"),
    "NaN": ("K.txt", ROWS.replace("611.5", "nan"), "NaN or infinity"),
    "negative": ("K.txt", ROWS.replace("611.5", "-611.5"), "focal lengths -611.5"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    (tmp_path / name).write_text(content)
    with pytest.raises(BadIntrinsicsError, match=message):
        read_camera_file(tmp_path / name)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(BadIntrinsicsError, match="No such file"):
        read_camera_file(tmp_path / "none.json")
    (tmp_path / "K.npy").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(BadIntrinsicsError, match="not text"):
        read_camera_file(tmp_path / "K.npy")


def test_real_files(shared_data: Path) -> None:
    dream = read_camera_file(shared_data / "dream_sample" / "_camera_settings.json")
    assert dream.K[0, 0] == pytest.approx(399.6578776)
    assert dream.size == (640, 480)
    easyhec = read_camera_file(shared_data / "franka_real" / "K.txt")
    np.testing.assert_allclose(easyhec.K, np.loadtxt(shared_data / "franka_real" / "K.txt"))
