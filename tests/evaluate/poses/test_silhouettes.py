"""The outline of an answer over a robot mask."""

import cv2
import numpy as np
import pytest
from PIL import Image

from armsight.data.dataset import open_dataset
from armsight.errors import DatasetError
from armsight.evaluate.poses.pose import evaluate_pose
from armsight.viz.silhouette import silhouette
from tests.labelled_folders import SIZE, T_CAM_BASE, K, poses, write_joint_folder

from .scripted import PANDA


def _mask(q, T=T_CAM_BASE):
    """The arm as one blob, without the cracks of its light meshes."""
    drawn = silhouette(PANDA, q, T, K, *SIZE)
    return cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))


@pytest.fixture
def folder(tmp_path):
    folder = write_joint_folder(tmp_path / "set", 3)
    (folder / "mask").mkdir()
    for i, q in enumerate(poses(PANDA, 3)):
        Image.fromarray(_mask(q)).save(folder / "mask" / f"{i:06d}.png")
    return folder


def _answers(T=T_CAM_BASE):
    return {
        f"{i:06d}": {"robot_found": True, "joint_positions": q.tolist(), "T_cam_base": T.tolist()}
        for i, q in enumerate(poses(PANDA, 3))
    }


def test_a_true_pose_covers_its_mask(folder):
    result = evaluate_pose(open_dataset(folder), _answers()).to_json()
    assert result["silhouette"]["mean_iou"]["value"] == 1.0
    assert result["silhouette"]["images"] == 3


def test_a_wrong_camera_covers_less_and_a_failure_nothing(folder):
    moved = T_CAM_BASE.copy()
    moved[0, 3] += 0.1
    answers = _answers(moved)
    answers["000002"] = {"robot_found": False}
    scores = evaluate_pose(open_dataset(folder), answers).scores
    for i, q in enumerate(poses(PANDA, 2)):
        true, drawn = _mask(q) > 0, _mask(q, moved) > 0
        both = sum(a and b for a, b in zip(true.flat, drawn.flat, strict=True))
        either = sum(a or b for a, b in zip(true.flat, drawn.flat, strict=True))
        assert scores.silhouette_iou[i] == pytest.approx(both / either)
        assert 0.1 < scores.silhouette_iou[i] < 0.9
    assert scores.silhouette_iou[2] == 0


def test_sets_without_masks_have_no_such_figure(tmp_path):
    dataset = open_dataset(write_joint_folder(tmp_path / "set", 3))
    assert evaluate_pose(dataset, _answers()).to_json()["silhouette"] is None


def test_broken_masks(folder):
    Image.new("L", (20, 10)).save(folder / "mask" / "000001.png")
    with pytest.raises(DatasetError, match="20x10, but its picture is 160x120"):
        evaluate_pose(open_dataset(folder), _answers())
    (folder / "mask" / "000001.png").write_text("nothing")
    with pytest.raises(DatasetError, match="cannot read mask"):
        evaluate_pose(open_dataset(folder), _answers())
