"""`armsight extrinsics` on drawn recordings, against the camera that drew them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from armsight.cli import group
from armsight.errors import BadIntrinsicsError, ConfigError, DatasetError, OutputError
from armsight.robots.robot import DATA_FOLDER
from tests.fit.recorded_arm import ROBOT, Recorded, camera_at, record, working_poses


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record(working_poses(8, 0), camera_at(40, 25), 0)


@pytest.fixture(scope="module")
def folder(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("recording")
    for i, image in enumerate(recorded.images):
        Image.fromarray(image).save(place / f"{i}.png")
    np.savetxt(place / "joint_positions.csv", recorded.q, delimiter=",",
               header=",".join(ROBOT.joint_names), comments="")  # fmt: skip
    np.savetxt(place / "K.txt", recorded.K)
    return place


def test_the_camera_and_its_files(folder: Path, recorded: Recorded, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        group, ["extrinsics", str(folder), "--robot", "panda", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    assert "camera at x" in result.output
    document = json.loads((tmp_path / "extrinsics.json").read_text())
    T = np.array(document["T_cam_base"])
    metres, degrees = recorded.errors(T)
    assert metres < 0.01
    assert degrees < 0.5
    assert document["frame_names"] == [f"{i}.png" for i in range(8)]
    storage = cv2.FileStorage(str(tmp_path / "camera.yaml"), cv2.FILE_STORAGE_READ)
    np.testing.assert_allclose(storage.getNode("T_cam_base").mat(), T)
    np.testing.assert_allclose(storage.getNode("camera_matrix").mat(), document["K"])
    assert storage.getNode("image_width").real() == recorded.images[0].shape[1]
    line = (tmp_path / "static_transform_publisher.txt").read_text()
    numbers = {k: float(v) for k, v in re.findall(r"--(x|y|z|qx|qy|qz|qw) (-?[\d.]+)", line)}
    np.testing.assert_allclose([numbers[k] for k in "xyz"], np.linalg.inv(T)[:3, 3], atol=1e-6)
    x, y, z, w = (numbers[k] for k in ("qx", "qy", "qz", "qw"))
    # The quaternion turns the camera's z axis into the base frame.
    forward = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]
    np.testing.assert_allclose(forward, T[2, :3], atol=1e-5)
    with Image.open(tmp_path / "overlays.jpg") as sheet:
        assert sheet.size[0] == 4 * 400


def test_json_is_all_that_is_printed_and_zeros_can_be_held(folder: Path) -> None:
    result = CliRunner().invoke(
        group, ["extrinsics", str(folder), "--robot", "panda", "--json", "--zeros", "fixed"]
    )
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["verdict"] == "fine"
    assert not any(document["joint_zero_offsets_observable"])
    assert document["joint_zero_offsets_std"] == [None] * 7


def test_a_log_that_does_not_fit_has_its_own_exit_code(
    folder: Path, recorded: Recorded, tmp_path: Path
) -> None:
    shuffled = tmp_path / "log.csv"
    np.savetxt(shuffled, recorded.q[[3, 4, 5, 6, 7, 0, 1, 2]], delimiter=",",
               header=",".join(ROBOT.joint_names), comments="")  # fmt: skip
    result = CliRunner().invoke(
        group, ["extrinsics", str(folder), "--robot", "panda", "--joints", str(shuffled)]
    )
    assert result.exit_code == 1
    assert "camera at" not in result.output


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--K", "1,2,3"], BadIntrinsicsError, "--K is"),
        (["--K", "600,600,320,240", "--fov", "60"], BadIntrinsicsError, "only one"),
        (["--joints", "none.csv"], DatasetError, "there is no joint log none.csv"),
        (["--K", "20000,20000,320,240"], BadIntrinsicsError, "field of view"),
    ],
)
def test_bad_options(
    folder: Path, options: list[str], error: type[Exception], message: str
) -> None:
    result = CliRunner().invoke(group, ["extrinsics", str(folder), "--robot", "panda", *options])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_without_a_log_and_with_a_file_for_out(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "0.png").write_bytes((folder / "0.png").read_bytes())
    # A robot that comes without weights, so that its joints cannot be read from pictures.
    data = {**json.loads((DATA_FOLDER / "xarm7.json").read_text()), "name": "homemade"}
    (tmp_path / "homemade.json").write_text(json.dumps(data))
    shutil.copy(DATA_FOLDER / "xarm7.npz", tmp_path / "homemade.npz")
    robot = str(tmp_path / "homemade.json")
    result = CliRunner().invoke(group, ["extrinsics", str(alone), "--robot", robot])
    assert isinstance(result.exception, ConfigError)
    assert "give --joints FILE" in str(result.exception)
    (tmp_path / "out").write_text("x")
    result = CliRunner().invoke(
        group, ["extrinsics", str(folder), "--robot", "panda", "--out", str(tmp_path / "out")]
    )
    assert isinstance(result.exception, OutputError)


def test_photos_that_cannot_be_read_are_named(folder: Path, tmp_path: Path) -> None:
    """Those behind them keep their own names and rows of the log."""
    place = tmp_path / "photos"
    shutil.copytree(folder, place)
    (place / "1.png").write_bytes(b"broken")
    result = CliRunner().invoke(
        group, ["extrinsics", str(place), "--robot", "panda", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "left out: " in result.output
    assert "1.png is not an image" in result.output
    document = json.loads((tmp_path / "out" / "extrinsics.json").read_text())
    assert document["frame_names"] == [f"{i}.png" for i in (0, 2, 3, 4, 5, 6, 7)]
