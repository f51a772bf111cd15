"""Camera poses in the forms that people give by mistake, against an arm that was seen."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from armsight.state import Estimate
from armsight.verify.pose_doubt import pose_doubt
from armsight.vlm.drawing import default_camera

ROBOT = load_robot("panda")
Q = ROBOT.ready_positions
VIEW = default_camera(ROBOT, Q, 40, 25)
T = VIEW.T_cam_base
SEEN = Estimate(
    "panda", True, 1.0, ROBOT.joint_names, ROBOT.keypoint_names, joint_positions=Q, K=VIEW.K,
    keypoints_2d=project(transform_points(T, ROBOT.keypoints(Q)), VIEW.K),
)  # fmt: skip
NOT_SEEN = Estimate("panda", False, 0.1, ROBOT.joint_names, ROBOT.keypoint_names)
INVERSE = np.linalg.inv(T)
Y_AND_Z = np.diag([1.0, -1, -1, 1])
MILLIMETRES = np.array([[1, 1, 1, 1000]] * 3 + [[1, 1, 1, 1]])

FORMS = {
    "inverse": (INVERSE, "is it the inverse, T_base_cam"),
    "millimetres": (T * MILLIMETRES, "in millimetres"),
    "OpenGL": (Y_AND_Z @ T, "camera axes OpenGL's"),
    "inverse, OpenGL": (INVERSE @ Y_AND_Z, "the inverse, T_base_cam, with OpenGL's"),
    "inverse, millimetres": (INVERSE * MILLIMETRES, "the inverse, T_base_cam, in millimetres"),
    "another camera": (default_camera(ROBOT, Q, -100, 25).T_cam_base, "of another camera"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pose_in_another_form_is_named(form: str) -> None:
    pose, words = FORMS[form]
    doubt = pose_doubt(ROBOT, pose, SEEN)
    assert doubt is not None
    assert words in doubt


def test_a_good_pose_and_one_that_is_a_bit_off_are_not_doubted() -> None:
    near = T.copy()
    near[:3, 3] += 0.03
    assert pose_doubt(ROBOT, T, SEEN) is None
    assert pose_doubt(ROBOT, near, SEEN) is None


def test_without_an_arm_only_a_pose_with_the_arm_behind_the_camera_is_doubted() -> None:
    assert pose_doubt(ROBOT, T, NOT_SEEN) is None
    assert "behind the camera" in str(pose_doubt(ROBOT, Y_AND_Z @ T, NOT_SEEN))
