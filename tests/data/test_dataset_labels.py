"""Units of labelled folders, and labels that cannot be right."""

import numpy as np
import pytest

from armsight.data.dataset import open_dataset
from armsight.errors import DatasetError
from armsight.geometry import transform_points
from armsight.robots import load_robot
from tests.labelled_folders import (
    SIZE,
    T_CAM_BASE,
    K,
    edit_json,
    labels,
    other_robot,
    poses,
    without_angles,
    write_json,
    write_ndds,
)

PANDA = load_robot("panda")


@pytest.mark.parametrize("scale, unit", [(1.0, "m"), (100.0, "cm")])
def test_units_are_told_by_the_kinematics(tmp_path, scale, unit):
    dataset = open_dataset(write_ndds(tmp_path, scale=scale))
    assert dataset.layout == "ndds"
    assert f"read as {unit}" in dataset.notes[0]
    for frame, q in zip(dataset.frames, poses(PANDA, 4), strict=True):
        expected = transform_points(T_CAM_BASE, PANDA.keypoints(q)[:7])
        assert frame.keypoints_3d_cam == pytest.approx(expected, abs=1e-9)
        assert frame.T_cam_base == pytest.approx(T_CAM_BASE, abs=1e-9)
        assert frame.joint_positions == pytest.approx(q)
        assert pytest.approx(K) == frame.K
        assert frame.image_size == SIZE
        assert frame.keypoint_names == PANDA.keypoint_names[:7]
        assert frame.load_image().shape == (SIZE[1], SIZE[0], 3)


def test_units_that_nothing_tells_must_be_passed(tmp_path):
    folder = without_angles(write_ndds(tmp_path, scale=100.0))
    with pytest.raises(DatasetError, match=r"--units m .*--units cm"):
        open_dataset(folder)
    frame = open_dataset(folder, units="cm").frames[0]
    assert frame.joint_positions is None
    assert frame.T_cam_base is None
    assert frame.keypoints_3d_cam[0] == pytest.approx(T_CAM_BASE[:3, 3])


def test_units_of_our_own_sets_are_stated(tmp_path):
    folder = without_angles(write_ndds(tmp_path))
    write_json(folder / "dataset.json", {"units": "m"})
    assert open_dataset(folder).notes == ("locations read as m: stated",)


@pytest.mark.parametrize("units, words", [("cm", "in 'm'"), ("mm", "valid: m, cm")])
def test_wrong_units_are_refused(tmp_path, units, words):
    with pytest.raises(DatasetError, match=words):
        open_dataset(write_ndds(tmp_path), units=units)


def test_mixed_units_are_refused(tmp_path):
    folder = write_ndds(tmp_path)
    write_json(folder / "000002.json", labels(PANDA, poses(PANDA, 1)[0], 100.0))
    with pytest.raises(DatasetError, match=r"mixes units.*000000.json is in m.*000002.json is in"):
        open_dataset(folder)


def _rename_keypoint(data):
    data["objects"][0]["keypoints"][2]["name"] = "panda_lnik3"


def _remove_keypoint(data):
    del data["objects"][0]["keypoints"][6]


def _two_robots(data):
    data["objects"] *= 2


def _degrees(data):
    for joint in data["sim_state"]["joints"]:
        joint["position"] = np.degrees(joint["position"])


def _bent(data):
    data["objects"][0]["keypoints"][6]["location"][0] += 0.1


def _lost_joint(data):
    del data["sim_state"]["joints"][3]


def _bad_point(data):
    data["objects"][0]["keypoints"][6]["location"] = [1.0, "x", 2.0]


def _unknown_surface_point(data):
    point = dict(data["objects"][0]["keypoints"][0], name="panda_link9_s7")
    data["objects"][0]["surface_keypoints"] = [point]


@pytest.mark.parametrize(
    "change, words",
    [
        (_rename_keypoint, r"missing: panda_link3; .*'panda_lnik3' \(did you mean 'panda_link3'"),
        (_remove_keypoint, "missing: panda_hand"),
        (other_robot, "shows 'kuka' .*--robot"),
        (_two_robots, "2 robots"),
        (_degrees, r"radians|contradict"),
        (_bent, r"contradict each other.* mm"),
        (_lost_joint, "joints of panda are missing: panda_joint4"),
        (_bad_point, "not a label file"),
        (_unknown_surface_point, "another version of the robot's data file"),
        (lambda data: data.pop("objects"), "not a label file"),
    ],
)
def test_labels_that_cannot_be_right(tmp_path, change, words):
    folder = write_ndds(tmp_path)
    edit_json(folder / "000001.json", change)
    with pytest.raises(DatasetError, match=words) as caught:
        open_dataset(folder)
    assert "000001.json" in str(caught.value)
