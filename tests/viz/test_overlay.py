"""What an overlay shows, and that it can draw any estimate on any picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.geometry import make_transform
from armsight.state import Estimate
from armsight.viz.overlay import LONGEST, OUTLINE, SHORTEST, draw_overlay
from armsight.viz.panel import panel_lines
from tests.charted_arm import ROBOT, Arm, make_arm

GREY = 90


def make_estimate(arm: Arm, **changes: Any) -> Estimate:
    values: dict[str, Any] = {
        "robot": "panda",
        "robot_found": True,
        "confidence": 0.87,
        "joint_names": ROBOT.joint_names,
        "keypoint_names": ROBOT.keypoint_names,
        "joint_positions": arm.q,
        "joint_std": np.full(7, 0.02),
        "keypoints_2d": arm.keypoints_2d,
        "keypoints_2d_std": np.full(len(ROBOT.keypoint_names), 3.0),
        "keypoints_3d_cam": arm.keypoints_3d_cam,
        "T_cam_base": arm.T_cam_base,
        "K": arm.K,
        "intrinsics_source": "given",
    }
    return Estimate(**{**values, **changes})


def blank(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, np.uint8)


def test_the_picture_itself_is_not_drawn_on() -> None:
    arm = make_arm()
    picture = blank(640, 480)
    drawn = draw_overlay(picture, make_estimate(arm))
    assert (picture == GREY).all()
    assert drawn.shape == picture.shape
    assert (drawn != GREY).any()


def test_keypoints_are_marked_where_they_are() -> None:
    arm = make_arm()
    drawn = draw_overlay(blank(640, 480), make_estimate(arm, keypoints_2d_std=None)).astype(int)
    for u, v in np.round(arm.keypoints_2d[: ROBOT.num_origin_keypoints]).astype(int):
        colourful = np.ptp(drawn[v - 1 : v + 2, u - 1 : u + 2], axis=2)
        assert colourful.mean() > 80
    far = drawn[240:, 560:]
    assert (far == GREY).all()


def test_outline_surrounds_the_arm() -> None:
    arm = make_arm()
    drawn = draw_overlay(blank(640, 480), make_estimate(arm))
    where = np.argwhere((drawn == OUTLINE).all(axis=2))
    low, high = arm.keypoints_2d.min(axis=0), arm.keypoints_2d.max(axis=0)
    assert len(where) > 200
    assert (where.min(axis=0)[::-1] < low + 3).all()
    assert (where.max(axis=0)[::-1] > high - 3).all()
    assert (where.min(axis=0)[::-1] > low - 80).all()


@pytest.mark.parametrize(
    ("size", "longer"), [((128, 96), SHORTEST), ((800, 600), 800), ((4000, 3000), LONGEST)]
)
def test_size_of_the_drawing(size: tuple[int, int], longer: int) -> None:
    arm = make_arm(*size)
    drawn = draw_overlay(blank(*size), make_estimate(arm))
    assert max(drawn.shape) == longer
    same = draw_overlay(blank(*size), make_estimate(arm), resize=False)
    assert same.shape[:2] == size[::-1]


def test_a_reduced_picture_is_drawn_on_in_the_same_places() -> None:
    arm = make_arm(2560, 1920)
    whole = draw_overlay(blank(2560, 1920), make_estimate(arm)).astype(int)
    reduced = draw_overlay(blank(1280, 960), make_estimate(arm), full_size=(2560, 1920))
    ratio = LONGEST / 1280
    drawn, drawn2 = (whole != GREY).any(axis=2), (reduced != GREY).any(axis=2)
    for mask in (drawn, drawn2):
        mask[: len(mask) // 3] = False  # the panel is there, and its letters have their own size
    for axis in (0, 1):
        places, places2 = np.flatnonzero(drawn.any(axis)), np.flatnonzero(drawn2.any(axis))
        for end in (0, -1):  # the drawn arm begins and ends in the same places
            assert places[end] == pytest.approx(places2[end] * ratio, abs=12)


def test_no_robot_says_so() -> None:
    estimate = Estimate("panda", False, 0.02, ROBOT.joint_names, ROBOT.keypoint_names)
    drawn = draw_overlay(blank(640, 480), estimate)
    assert (drawn[:100, :300] != GREY).any()
    assert (drawn[200:] == GREY).all()
    assert panel_lines(estimate) == ["no panda found"]


def test_found_without_a_camera_pose() -> None:
    arm = make_arm()
    estimate = make_estimate(arm, T_cam_base=None, keypoints_3d_cam=None)
    assert draw_overlay(blank(640, 480), estimate).shape == (480, 640, 3)
    assert panel_lines(estimate)[0] == "panda  confidence 0.87"


def test_points_behind_the_camera_and_far_away_are_left_out() -> None:
    arm = make_arm()
    wild = arm.keypoints_2d.copy()
    wild[0], wild[1], wild[2] = np.nan, 1e9, -1e9
    inside = make_transform(np.eye(3), [0, 0, -0.2])
    estimate = make_estimate(arm, keypoints_2d=wild, T_cam_base=inside)
    assert draw_overlay(blank(640, 480), estimate).shape == (480, 640, 3)
    std = np.full(len(wild), np.inf)
    assert draw_overlay(blank(64, 48), replace(estimate, keypoints_2d_std=std)).max() > 0


def test_panel_stays_off_the_arm() -> None:
    """An arm on the left pushes the panel to the right, and the other way round."""
    for x, empty in ((-0.6, slice(0, 200)), (0.6, slice(440, 640))):
        arm = make_arm(x=x)
        estimate = make_estimate(arm)
        drawn = draw_overlay(blank(640, 480), estimate).astype(int)
        dark = (drawn < 60).all(axis=2)
        corners = np.concatenate([dark[:100, empty], dark[-100:, empty]])
        assert dark.mean() > 0.03
        assert corners.mean() < 0.1


def test_panel_text() -> None:
    arm = replace(make_arm(), q=np.radians([10.0, -20, 30, -100, 50, 60, 70]))
    lines = panel_lines(make_estimate(arm, joint_std=np.radians([1.0] * 7)))
    assert lines[1] == "joint 1   10.0 ± 1.0°"
    assert len(lines) == 8
    assumed = panel_lines(make_estimate(arm, intrinsics_source="assumed"))
    assert assumed[-1] == "camera assumed: distances unreliable"
    assert panel_lines(make_estimate(arm, joint_std=None))[2] == "joint 2   -20.0°"
