"""The Estimate and its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from armsight.state import INTRINSICS_SOURCES, UNITS, Estimate

FOUND = Estimate(
    robot="panda",
    robot_found=True,
    confidence=0.9,
    joint_names=("a", "b"),
    keypoint_names=("p", "q", "r"),
    joint_positions=np.array([0.1, -0.2]),
    joint_std=np.array([0.01, np.nan]),
    keypoints_2d=np.array([[1.0, 2], [3, 4], [np.nan, np.inf]]),
    keypoints_2d_std=np.array([1.0, 2, 3]),
    keypoints_3d_cam=np.arange(9.0).reshape(3, 3),
    T_cam_base=np.eye(4),
    samples=np.zeros((4, 2)),
    K=np.eye(3),
    intrinsics_source="given",
    messages=("note",),
    image="a.png",
)
NOT_FOUND = Estimate("panda", False, 0.01, ("a", "b"), ("p", "q", "r"))

PROMISED = """image robot robot_found confidence joint_names joint_positions joint_std
keypoint_names keypoints_2d keypoints_3d_cam T_cam_base samples intrinsics_source
metric_depth_reliable units"""


@pytest.mark.parametrize("estimate", [FOUND, NOT_FOUND])
def test_json_has_all_keys_and_is_strict(estimate: Estimate) -> None:
    document = estimate.to_json()
    assert set(PROMISED.split()) <= set(document)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    names = {field.name for field in dataclasses.fields(estimate)}
    assert names <= set(document)


def test_values() -> None:
    document = FOUND.to_json()
    assert document["robot_found"] is True
    assert document["joint_positions"] == [0.1, -0.2]
    assert document["joint_std"] == [0.01, None]
    assert document["keypoints_2d"] == {"p": [1, 2], "q": [3, 4], "r": [None, None]}
    assert document["keypoints_3d_cam"]["q"] == [3, 4, 5]
    assert document["keypoints_2d_std"] == {"p": 1, "q": 2, "r": 3}
    assert np.shape(document["T_cam_base"]) == (4, 4)
    assert np.shape(document["samples"]) == (4, 2)
    assert document["messages"] == ["note"]


def test_without_an_answer_all_is_null() -> None:
    document = NOT_FOUND.to_json()
    for key in ("joint_positions", "joint_std", "keypoints_2d", "keypoints_3d_cam", "T_cam_base"):
        assert document[key] is None
    assert document["robot_found"] is False
    assert document["metric_depth_reliable"] is None


def test_units_are_of_fields() -> None:
    assert set(UNITS) <= set(FOUND.to_json())


@pytest.mark.parametrize("source", INTRINSICS_SOURCES)
def test_guessed_focal_lengths_make_depth_unreliable(source: str) -> None:
    estimate = dataclasses.replace(FOUND, intrinsics_source=source)
    assert estimate.metric_depth_reliable == (source not in ("assumed", "exif"))


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FOUND.confidence = 1.0  # type: ignore[misc]
    assert math.isclose(FOUND.confidence, 0.9)


def test_supervision() -> None:
    supervision = pytest.importorskip("supervision", reason="pip install 'armsight[viz]'")
    points = np.array([[1.0, 2.0], [3.5, 4.0], [-5.0, 6.0]])
    angles = np.array([0.1, 0.2])

    def arm(shift: float, confidence: float, robot: str = "arm", **more: Any) -> Estimate:
        return Estimate(
            robot, True, confidence, ("a", "b"), ("x", "y", "z"), joint_positions=angles + shift,
            keypoints_2d=points + shift, **more,
        )  # fmt: skip

    std = np.array([0.5, 1, 2])
    others = (arm(10, 0.6), arm(20, 0.5, robot="another"))
    found = arm(0, 0.9, keypoints_2d_std=std, others=others).to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    np.testing.assert_array_equal(found.xy, np.float32([points, points + 10]))
    np.testing.assert_allclose(found.detection_confidence, [0.9, 0.6])
    np.testing.assert_array_equal(found.data["keypoints_2d_std"][0], std)
    np.testing.assert_array_equal(found.data["joint_positions"], [angles, angles + 10])
    drawn = supervision.VertexAnnotator(radius=1).annotate(np.zeros((30, 30, 3), np.uint8), found)
    assert drawn[4, 3:5].any()  # at (3.5, 4)
    assert len(Estimate("arm", False, 0.1, (), ()).to_supervision()) == 0
