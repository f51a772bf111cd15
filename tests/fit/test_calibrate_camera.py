"""The camera of drawn frames, against the one that they were drawn with."""

from __future__ import annotations

import numpy as np
import pytest

from armsight import calibrate_camera
from armsight.errors import BadImageError, BadShapeError
from tests.fit.recorded_arm import ROBOT, Recorded, camera_at, record, working_poses


@pytest.fixture(scope="module")
def eight() -> Recorded:
    return record(working_poses(8, 0), camera_at(40, 25), 0)


def test_finds_the_camera(eight: Recorded) -> None:
    found = calibrate_camera(ROBOT, eight.images, eight.q, K=eight.K)
    assert found.verdict == "fine", str(found)
    assert found.T_cam_base is not None
    metres, degrees = eight.errors(found.T_cam_base)
    assert metres < 0.01
    assert degrees < 0.5
    assert all(frame.used for frame in found.frames)
    assert found.to_json()["verdict"] == "fine"


def test_a_shuffled_log_is_no_answer(eight: Recorded) -> None:
    found = calibrate_camera(ROBOT, eight.images, eight.q[[3, 4, 5, 6, 7, 0, 1, 2]], K=eight.K)
    assert found.verdict != "fine"
    assert found.T_cam_base is None


def test_too_few_frames(eight: Recorded) -> None:
    q = eight.q.copy()
    q[2:, 3] = np.nan
    found = calibrate_camera(ROBOT, eight.images, q, K=eight.K)
    assert found.verdict == "too_few_frames"
    assert "2 of 8" in str(found)
    assert [frame.reason != "" for frame in found.frames] == [False] * 2 + [True] * 6


def test_an_arm_that_stands_still(eight: Recorded) -> None:
    q = np.repeat(eight.q[:1], 8, axis=0) + 1e-3 * np.arange(8)[:, None]
    assert calibrate_camera(ROBOT, eight.images, q, K=eight.K).verdict == "arm_hardly_moves"


def test_degrees(eight: Recorded) -> None:
    found = calibrate_camera(ROBOT, eight.images, np.degrees(eight.q), K=eight.K)
    assert found.verdict == "wrong_units"


def test_bad_inputs(eight: Recorded) -> None:
    images, q, K = eight.images, eight.q, eight.K
    with pytest.raises(BadShapeError, match="panda_joint7"):
        calibrate_camera(ROBOT, images, q[:, :6], K=K)
    with pytest.raises(BadShapeError, match="7 rows for 8 frames"):
        calibrate_camera(ROBOT, images, q[:7], K=K)
    with pytest.raises(BadShapeError, match="or neither"):
        calibrate_camera(ROBOT, images, q, K=K, image_times=np.arange(8))
    with pytest.raises(BadShapeError, match="must increase"):
        calibrate_camera(ROBOT, images, q, K=K, image_times=np.arange(8), log_times=np.zeros(8))
    half = [i[::2, ::2] if n == 3 else i for n, i in enumerate(images)]
    with pytest.raises(BadImageError, match="frame 3 is 160x120"):
        calibrate_camera(ROBOT, half, q, K=K)
    with pytest.raises(BadImageError, match="no images"):
        calibrate_camera(ROBOT, [], q[:0], K=K)
