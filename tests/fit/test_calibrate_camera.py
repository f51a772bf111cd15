"""The camera of drawn frames, against the one that they were drawn with."""

from __future__ import annotations

import numpy as np
import pytest

from armsight import calibrate_camera
from armsight.errors import BadImageError, BadShapeError
from tests.fit.recorded_arm import (
    ROBOT,
    SIZE,
    Recorded,
    camera_at,
    record,
    room,
    smooth_path,
    working_poses,
)


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


def test_columns_of_the_log_exchanged(eight: Recorded) -> None:
    found = calibrate_camera(ROBOT, eight.images, eight.q[:, [0, 1, 2, 4, 3, 5, 6]], K=eight.K)
    assert found.verdict == "wrong_joint_order"
    assert "columns 4 and 5" in str(found)


def test_mirrored_pictures(eight: Recorded) -> None:
    mirrored = [image[:, ::-1] for image in eight.images]
    found = calibrate_camera(ROBOT, mirrored, eight.q, K=eight.K)
    assert found.verdict == "cannot_tell"
    assert "mirrored" in str(found)


def test_a_zero_that_is_off() -> None:
    recorded = record(working_poses(14, 3), camera_at(-30, 20, 1.5), 3)
    q = recorded.q.copy()
    q[:, 1] -= np.radians(3)
    found = calibrate_camera(ROBOT, recorded.images, q, K=recorded.K)
    assert found.verdict == "zeros_off", str(found)
    np.testing.assert_allclose(np.degrees(found.joint_zero_offsets)[1], 3, atol=0.6)
    assert np.flatnonzero(found.joint_zero_offsets).tolist() == [1]
    assert not found.joint_zero_offsets_observable[0]


def test_pictures_without_the_arm(eight: Recorded) -> None:
    rng = np.random.default_rng(0)
    still = [
        np.clip(room(5) + rng.normal(0, 2, (*SIZE[::-1], 3)), 0, 255).astype(np.uint8)
        for _ in eight.q
    ]
    assert calibrate_camera(ROBOT, still, eight.q, K=eight.K).verdict == "arm_not_in_view"


def test_a_person_in_one_frame(eight: Recorded) -> None:
    images = [image.copy() for image in eight.images]
    images[3][:, 100:260] = np.random.default_rng(0).integers(0, 255, (SIZE[1], 160, 3))
    found = calibrate_camera(ROBOT, images, eight.q, K=eight.K)
    assert found.T_cam_base is not None
    assert not found.frames[3].used
    assert "frames 3" in str(found)
    assert eight.errors(found.T_cam_base)[0] < 0.015


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


@pytest.fixture(scope="module")
def clip() -> Recorded:
    return record(smooth_path(60, 1), camera_at(-50, 30), 3)


@pytest.mark.parametrize(("verdict", "offset"), [("log_ahead", 0.4), ("log_behind", -0.4)])
def test_a_log_that_runs_ahead_or_behind(clip: Recorded, verdict: str, offset: float) -> None:
    """The log has 10 rows a second, and each comes 0.4 s too early or too late."""
    times = 0.1 * np.arange(60)
    found = calibrate_camera(
        ROBOT, clip.images, clip.q, K=clip.K, image_times=times + offset, log_times=times
    )
    assert found.verdict == verdict, str(found)
    assert found.time_offset == pytest.approx(offset, abs=0.05)
    assert found.T_cam_base is not None
    assert clip.errors(found.T_cam_base)[0] < 0.02


def test_a_camera_that_moved(clip: Recorded) -> None:
    other = record(clip.q[35:], camera_at(-49, 30), 3)
    shifted = [np.roll(image, 4, axis=1) for image in other.images]
    times = 0.1 * np.arange(60)
    found = calibrate_camera(
        ROBOT, [*clip.images[:35], *shifted], clip.q, K=clip.K, image_times=times, log_times=times
    )
    assert found.verdict == "camera_moved", str(found)
    assert "frame 35" in str(found)
    assert found.T_cam_base is not None
    assert clip.errors(found.T_cam_base)[0] < 0.02
    assert all(not frame.used for frame in found.frames[35:])


def test_a_camera_that_moved_and_is_not_found(
    clip: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it moved is said before any other cause is looked for."""
    monkeypatch.setattr("armsight.fit.calibrate_camera.find_camera", lambda *args, **options: None)
    images = [*clip.images[:12], *(np.roll(image, 4, axis=1) for image in clip.images[12:24])]
    found = calibrate_camera(ROBOT, images, clip.q[:24], K=clip.K)
    assert found.verdict == "camera_moved", str(found)
    assert found.camera_moved_at == 12
    assert found.T_cam_base is None
