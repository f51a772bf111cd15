"""DREAM folders as training data, alone and mixed with shards."""

import json

import cv2
import numpy as np
import pytest

from armsight.errors import DatasetError
from armsight.geometry import intrinsics_from_fov, project, transform_points
from armsight.robots import load_robot
from armsight.train.pose.sources import CROP_SIZE, FrameTable, open_table
from tests.train.made_shards import make_shards

T = np.array([[0, 1.0, 0, 0], [0, 0, -1.0, 0.4], [-1.0, 0, 0, 1.6], [0, 0, 0, 1]])


@pytest.fixture
def dream_folder(tmp_path):
    """Two frames in DREAM's layout whose picture has a white dot on the hand."""
    robot, folder = load_robot("panda"), tmp_path / "dream"
    folder.mkdir()
    K = intrinsics_from_fov(640, 480, 60)
    intrinsics = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    size = {"width": 640, "height": 480}
    camera = {"camera_settings": [{"intrinsic_settings": intrinsics, "captured_image_size": size}]}
    (folder / "_camera_settings.json").write_text(json.dumps(camera))
    for i in range(2):
        q = robot.ready_positions + 0.1 * i
        points = transform_points(T, robot.keypoints(q))[:7]
        pixels = project(points, K)
        keypoints = [
            {"name": name, "location": p.tolist(), "projected_location": uv.tolist()}
            for name, p, uv in zip(robot.keypoint_names, points, pixels, strict=False)
        ]
        joints = [{"name": n, "position": v} for n, v in zip(robot.joint_names, q, strict=True)]
        arm = {"class": "panda", "visibility": 1, "location": points[0].tolist()}
        label = {"objects": [arm | {"keypoints": keypoints}], "sim_state": {"joints": joints}}
        (folder / f"{i:06d}.json").write_text(json.dumps(label))
        image = np.zeros((480, 640, 3), np.uint8)
        cv2.circle(image, tuple(np.round(pixels[6]).astype(int).tolist()), 4, (255, 255, 255), -1)
        cv2.imwrite(str(folder / f"{i:06d}.rgb.jpg"), image)
    return folder


def test_crop_labels_and_pixels_agree(dream_folder):
    table = FrameTable(dream_folder, load_robot("panda"))
    assert len(table) == 2
    for row in range(2):
        image, _ = table.picture(row)
        assert image.shape == (CROP_SIZE, CROP_SIZE, 3)
        bright = np.argwhere(image[..., 0] > 128)[:, ::-1].mean(0)
        np.testing.assert_allclose(bright, table.labels["keypoints_2d"][row][6], atol=1.0)
        again = project(table.labels["keypoints_3d_cam"][row], table.labels["K"][row])
        np.testing.assert_allclose(again, table.labels["keypoints_2d"][row], atol=1e-4)


def test_mixed_with_shards(dream_folder, tmp_path):
    shards = make_shards(tmp_path / "shards", rows=8)
    table = open_table((str(dream_folder), str(shards)), "panda")
    assert len(table) == 10
    assert [table.picture(i)[0].shape[0] for i in (0, 1, 2, 9)] == [256, 256, 64, 64]
    assert table.labels["robot_found"].tolist() == [1, 1] + [1] * 6 + [0] * 2


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="armsight render"):
        open_table((str(tmp_path),), "panda")
