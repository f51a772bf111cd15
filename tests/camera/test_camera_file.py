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
    assert (camera.size, camera.distortion is not None) == (size, distorted)


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
    assert (camera.size, camera.distortion is not None) == ((640, 480), False)


BAD = {
    "empty": ("K.txt", "", "no camera matrix"),
    "eight numbers": ("K.txt", "1 2 3 4 5 6 7 8", "no camera matrix"),
    "words": ("K.txt", "the camera is good", "no camera matrix"),
    "broken JSON": ("c.json", "{", "cannot be read"),
    "broken YAML": ("c.yaml", "K: [1, 2", "cannot be read"),
    "JSON list": ("c.json", "[1, 2]", "no camera matrix"),
    "JSON without": ("c.json", "{}", "no camera matrix"),
    "other keys": ("c.json", '{"a": {"b": 1}}', "the keys a, b"),
    "identity": ("K.txt", "1 0 0 0 1 0 0 0 1", "focal length of 1, which is not in pixels"),
    "another key's list": ("c.yaml", "R: [1, 0, 0, 0, 1, 0, 0, 0, 1]", "no camera matrix"),
    "unknown lens": (
        "c.json",
        json.dumps({"K": K.tolist(), "D": [0.1, 0], "distortion_model": "fov"}),
        "distortion model 'fov'",
    ),
    "entities in XML": ("c.xml", "<!DOCTYPE x><x/>", "entities"),
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
    with pytest.raises(BadIntrinsicsError, match="cannot be read"):
        read_camera_file(tmp_path / "K.npy")
    (tmp_path / "K.txt").write_bytes(b"\x93\xff\x00")
    with pytest.raises(BadIntrinsicsError, match="not text"):
        read_camera_file(tmp_path / "K.txt")


def test_objects_in_numpy_files_are_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / "K.npy", np.array([{"fx": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadIntrinsicsError, match="cannot be read"):
        read_camera_file(tmp_path / "K.npy")


TWO = {"left": {"K": (K * [[0.5], [0.5], [1]]).tolist()}, "right": {"K": K.tolist()}}


def test_of_several_cameras_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    path.write_text(json.dumps(TWO))
    with pytest.raises(BadIntrinsicsError, match=r"2 cameras: left, right; say which"):
        read_camera_file(path)
    np.testing.assert_array_equal(read_camera_file(f"{path}#right").K, K)
    with pytest.raises(BadIntrinsicsError, match="no camera 'top'; it has left, right"):
        read_camera_file(f"{path}#top")
    path.write_text(json.dumps({"a": TWO["left"], "b": TWO["left"]}))
    assert read_camera_file(path).K[0, 0] == K[0, 0] / 2


def test_a_region_of_the_sensor_and_binning(tmp_path: Path) -> None:
    """Against the pixel that a point of the whole sensor's picture comes to lie in."""
    ray = np.array([0.1, -0.05, 1.0])
    u, v, _ = K @ ray
    info = f"width: 640\nheight: 480\nk: [{FLAT}]\nbinning_x: 2\nbinning_y: 2\n"
    roi = "roi: {x_offset: 100, y_offset: 60, width: 400, height: 300}\n"
    for text, x, y, size in ((info, 0, 0, (320, 240)), (info + roi, 100, 60, (200, 150))):
        (tmp_path / "info.yaml").write_text(text)
        camera = read_camera_file(tmp_path / "info.yaml")
        assert camera.size == size
        # Pixel centres are at integers: two pixels become one whose centre is between them.
        expected = [(u - x + 0.5) / 2 - 0.5, (v - y + 0.5) / 2 - 0.5]
        np.testing.assert_allclose((camera.K @ ray)[:2], expected)
        assert any("bins 2x2" in message for message in camera.messages)


def test_an_earlier_answer_keeps_its_doubt(tmp_path: Path) -> None:
    answer = {"K": K.tolist(), "intrinsics_source": "assumed", "robot": "panda"}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    assert read_camera_file(tmp_path / "answer.json").source == "assumed"


EXAMPLE = [782.8, 785.4, 314.6, 224.7]
DIFFERENT = {
    "binning2.yaml": (EXAMPLE, (640, 480)),
    "fisheye_zero_coefficients.yaml": ([300, 300, 320, 240], (640, 480)),
    "k_image_size.json": ([1565.6, 1570.8, 629.7, 449.9], (1280, 960)),
    "k_img_width.json": ([1565.6, 1570.8, 629.7, 449.9], (1280, 960)),
    "k_resolution_dict.json": ([1565.6, 1570.8, 629.7, 449.9], (1280, 960)),
    "own_answer_assumed.json": ([554.3, 554.3, 319.5, 239.5], None),
    "rectified_P_differs.yaml": ([900, 900, 330, 240], (640, 480)),
}
REFUSED = ("dream_two_cameras.json", "stereo_two_docs.yaml", "empty.txt", "identity.json",
           "normalised.json")  # fmt: skip


def test_files_that_people_really_have(shared_data: Path) -> None:
    files = sorted((shared_data / "odd_inputs" / "camera").iterdir())
    assert len(files) > 50
    for path in files:
        if path.name in REFUSED:
            with pytest.raises(BadIntrinsicsError, match=path.stem[:4] + "|pixels"):
                read_camera_file(path)
            continue
        camera = read_camera_file(path)
        numbers, size = DIFFERENT.get(path.name, (EXAMPLE, camera.size))
        found = camera.K[[0, 1, 0, 1], [0, 1, 2, 2]]
        np.testing.assert_allclose(found, numbers, atol=0.06, err_msg=path.name)
        assert camera.size == size, path.name
        bent = ("dist" in path.name or "fisheye" in path.name) or path.name in (
            "block_of_flow_rows.yaml", "kalibr.yaml", "nested_block.yaml", "nested_list.yaml",
            "opencv.yml", "opencv_old_names.yml", "opencv_python_names.yml",
            "rectified_P_differs.yaml", "zed.conf",
        )  # fmt: skip
        assert (camera.distortion is not None) == bent, path.name


def test_real_files(shared_data: Path) -> None:
    dream = read_camera_file(shared_data / "dream_sample" / "_camera_settings.json")
    assert dream.K[0, 0] == pytest.approx(399.6578776)
    assert dream.size == (640, 480)
    easyhec = read_camera_file(shared_data / "franka_real" / "K.txt")
    np.testing.assert_allclose(easyhec.K, np.loadtxt(shared_data / "franka_real" / "K.txt"))
