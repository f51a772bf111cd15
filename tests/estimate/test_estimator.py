"""The whole pipeline with a stand-in for the network that knows the truth (charted_arm.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight.camera.crops import camera_token
from armsight.camera.image import load_image
from armsight.camera.intrinsics import Intrinsics
from armsight.errors import BadImageError, BadIntrinsicsError, ConfigError, WeightsError
from armsight.estimate.estimator import Estimator
from tests.charted_arm import ABSENT, ROBOT, Arm, StubSession, chart, make_arm


def make_estimator(*arms: Arm, **options: object) -> Estimator:
    return Estimator(StubSession(list(arms), **options), ROBOT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "height", "distance"),
    [(640, 480, 1.6), (1920, 1080, 3.0), (400, 900, 1.5), (7000, 5000, 2.0)],
)
def test_the_truth_is_found(width: int, height: int, distance: float) -> None:
    arm = make_arm(width, height, distance=distance)
    estimate = make_estimator(arm)(chart(width, height), K=arm.K)
    assert estimate.robot_found
    assert estimate.joint_positions is not None
    assert estimate.joint_std is not None
    assert estimate.keypoints_2d is not None
    assert estimate.keypoints_3d_cam is not None
    assert estimate.samples is not None
    size = max(width, height) / 640
    assert np.degrees(np.abs(estimate.joint_positions - arm.q)).max() < 0.5
    assert np.abs(estimate.keypoints_2d - arm.keypoints_2d).max() < size
    errors = np.linalg.norm(estimate.keypoints_3d_cam - arm.keypoints_3d_cam, axis=1)
    assert errors.max() < 0.01
    np.testing.assert_allclose(estimate.T_cam_base, arm.T_cam_base, atol=0.01)
    assert estimate.samples.shape == (16, 7)
    assert (estimate.joint_std > 0).all()
    assert (estimate.joint_std < 0.2).all()
    assert estimate.keypoints_2d_std is not None
    assert (estimate.keypoints_2d_std > 0).all()
    assert estimate.confidence > 0.5
    assert estimate.intrinsics_source == "given"
    assert estimate.metric_depth_reliable


def test_two_looks_the_second_at_a_box_around_the_keypoints() -> None:
    arm = make_arm()
    estimator = make_estimator(arm)
    estimator(chart(), K=arm.K)
    session = estimator.session
    assert isinstance(session, StubSession)
    frame, box = session.boxes[:2]
    np.testing.assert_allclose(frame, [-0.5, -80.5, 639.5, 559.5], atol=1)
    low, high = arm.keypoints_2d.min(axis=0), arm.keypoints_2d.max(axis=0)
    side = 1.25 * (high - low).max()
    np.testing.assert_allclose(box[2:] - box[:2], side, rtol=0.02)
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, (low + high) / 2, atol=3)
    # The network is told the camera of the crop, not that of the image.
    x0, y0, x1, y1 = box
    expected = camera_token(arm.K, (x0, y0, x1, y1), session.input_size)
    np.testing.assert_allclose(session.cameras[1], expected, atol=0.02)


def test_a_badly_aimed_second_look_is_followed_by_a_third() -> None:
    arm = make_arm(1280, 960, distance=3.0)
    estimator = make_estimator(arm, first_guess=2.5)
    estimate = estimator(chart(1280, 960), K=arm.K)
    session = estimator.session
    assert isinstance(session, StubSession)
    sides = [box[2] - box[0] for box in session.boxes[:3]]
    low, high = arm.keypoints_2d.min(axis=0), arm.keypoints_2d.max(axis=0)
    assert sides[1] == pytest.approx(2.5 * 1.25 * (high - low).max(), rel=0.05)
    assert sides[2] == pytest.approx(1.25 * (high - low).max(), rel=0.05)
    assert estimate.joint_positions is not None
    assert np.degrees(np.abs(estimate.joint_positions - arm.q)).max() < 0.5


def test_looks_are_in_pixels_of_the_image() -> None:
    arm = make_arm()
    estimator = make_estimator(arm)
    image, camera = load_image(chart()), Intrinsics(arm.K, "given")
    seen = estimator.find([image], [camera], 5, [()])[0]
    scale = (seen.box[2] - seen.box[0]) / estimator.session.input_size
    assert scale > 1.5
    np.testing.assert_allclose(seen.keypoints_std, 0.3 * scale)
    # Averaging 8-bit colours rounds up: the picture tells its place to half a pixel.
    np.testing.assert_allclose(seen.keypoints_2d, arm.keypoints_2d, atol=0.6)
    assert seen.hypotheses.shape == (5, 7)


def test_half_of_the_arm_out_of_frame() -> None:
    arm = make_arm(x=-0.55, distance=1.3)
    outside = (arm.keypoints_2d[:, 0] < 0).sum()
    assert outside >= 5
    estimate = make_estimator(arm)(chart(), K=arm.K)
    assert estimate.robot_found
    assert estimate.keypoints_2d is not None
    assert np.abs(estimate.keypoints_2d - arm.keypoints_2d).max() < 10


def test_no_robot() -> None:
    estimate = make_estimator(make_arm())(chart(blue=ABSENT))
    assert not estimate.robot_found
    assert estimate.joint_positions is None
    assert estimate.T_cam_base is None
    assert estimate.samples is None
    assert estimate.confidence < 0.1
    assert "no panda found (presence 0.02)" in estimate.messages


@pytest.mark.parametrize("count", [2, 3])
def test_all_arms_in_view_are_read(count: int) -> None:
    outer = {2: 0.9, 3: 1.25}[count]
    places = np.linspace(-outer, outer, count)
    arms = [
        make_arm(640 * count, 480, x=x, distance=2.0, seed=i, focal=0.9 / count * 2)
        for i, x in enumerate(places, 1)
    ]
    estimate = make_estimator(*arms)(chart(640 * count, 480), K=arms[0].K)
    assert any(f"{count} panda arms" in message for message in estimate.messages)
    answers = [estimate, *estimate.others]
    assert len(answers) == count
    assert all(not other.others for other in estimate.others)
    assert [a.confidence for a in answers] == sorted((a.confidence for a in answers), reverse=True)
    # Each arm is answered once.
    errors = np.array([
        [np.degrees(np.abs(a.joint_positions - arm.q).max()) for arm in arms]  # type: ignore[operator]
        for a in answers
    ])  # fmt: skip
    assert sorted(errors.argmin(axis=1)) == list(range(count))
    assert errors.min(axis=1).max() < 1
    document = estimate.to_json()
    assert len(document["others"]) == count - 1
    assert "others" not in document["others"][0]


def test_a_box_restricts_the_search() -> None:
    left, right = (make_arm(1280, 480, x=x, distance=2.0, seed=i) for i, x in ((1, -0.9), (2, 0.9)))
    estimator = make_estimator(left, right)
    for arm in (left, right):
        low, high = arm.keypoints_2d.min(axis=0) - 10, arm.keypoints_2d.max(axis=0) + 10
        estimate = estimator(chart(1280, 480), K=left.K, box=(*low, *high))
        assert estimate.joint_positions is not None
        assert np.degrees(np.abs(estimate.joint_positions - arm.q).max()) < 1
        assert estimate.others == ()


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 5, 100), "5x100 pixels"),
        ((100, 100, 50, 50), "top left"),
        ((700, 0, 900, 100), "outside of the 640x480 image"),
        ((0, 0, float("nan"), 9), "four numbers"),
    ],
)
def test_boxes_that_make_no_sense(box: tuple[float, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_estimator(make_arm())(chart(), box=box)  # type: ignore[call-overload]


def test_a_tiny_arm_is_found_in_a_part_of_the_frame() -> None:
    """The stand-in sees no arm in a look that is much wider than the arm."""
    arm = make_arm(1600, 1200, distance=6.0)
    estimator = make_estimator(arm, widest=1200)
    estimate = estimator(chart(1600, 1200), K=arm.K)
    assert estimate.joint_positions is not None
    assert np.degrees(np.abs(estimate.joint_positions - arm.q)).max() < 0.5


def test_an_arm_that_fills_the_frame_is_found_with_a_border() -> None:
    """The stand-in sees no arm in a look that it fills."""
    arm = make_arm(distance=1.1)
    estimator = make_estimator(arm, narrowest=700)
    assert estimator(chart(), K=arm.K).robot_found


def test_one_arm_is_not_two() -> None:
    arm = make_arm()
    estimate = make_estimator(arm)(chart(), K=arm.K)
    assert not any("two" in message for message in estimate.messages)


def test_the_same_arm_found_again_is_not_a_second_one() -> None:
    """Where blanking missed the arm, the second find lies over the first."""
    arm = make_arm()
    estimate = make_estimator(arm, ignores_black=True)(chart(), K=arm.K)
    assert not any("two" in message for message in estimate.messages)


def test_a_batch_gives_what_each_image_gives_alone() -> None:
    arm = make_arm()
    images = [chart(), chart(blue=ABSENT), Image.fromarray(chart())]
    estimator = make_estimator(arm)
    together = estimator(images, K=arm.K)
    for image, estimate in zip(images, together, strict=True):
        alone = estimator(image, K=arm.K)
        assert alone.robot_found == estimate.robot_found
        if alone.robot_found:
            np.testing.assert_array_equal(alone.joint_positions, estimate.joint_positions)
    assert estimator([]) == []


def test_batches_take_one_K_or_one_for_each() -> None:
    arm = make_arm()
    wide = replace(arm, K=arm.K * [[1.1], [1.1], [1]])
    estimator = make_estimator(arm)
    first, second = estimator([chart()] * 2, K=np.stack([arm.K, wide.K]))
    np.testing.assert_array_equal(first.K, arm.K)
    np.testing.assert_array_equal(second.K, wide.K)
    with pytest.raises(BadIntrinsicsError, match="2 matrices K for 3 images"):
        estimator([chart()] * 3, K=np.stack([arm.K] * 2))


def test_same_image_same_answer() -> None:
    arm = make_arm()
    one, two = (make_estimator(arm, keypoint_std=0.5)(chart(), K=arm.K) for _ in range(2))
    np.testing.assert_array_equal(one.joint_positions, two.joint_positions)
    np.testing.assert_array_equal(one.T_cam_base, two.T_cam_base)


def test_assumed_camera_is_marked() -> None:
    estimate = make_estimator(make_arm())(chart())
    assert estimate.intrinsics_source == "assumed"
    assert not estimate.metric_depth_reliable
    assert any("assumed" in message for message in estimate.messages)
    assert estimate.to_json()["metric_depth_reliable"] is False


def test_photo_stored_on_its_side(tmp_path: Path) -> None:
    """EXIF rotation with K of the upright picture: the answer is in the upright picture."""
    arm = make_arm(480, 640)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(chart(480, 640), 1)))
    stored.save(tmp_path / "side.png", exif=exif)
    estimate = make_estimator(arm)(tmp_path / "side.png", K=arm.K)
    assert estimate.keypoints_2d is not None
    assert np.abs(estimate.keypoints_2d - arm.keypoints_2d).max() < 1
    assert estimate.image == str(tmp_path / "side.png")


def test_transparent_and_deep_pictures_give_the_same_answer(tmp_path: Path) -> None:
    arm = make_arm()
    estimator = make_estimator(arm)
    plain = estimator(chart(), K=arm.K)
    rgba = np.concatenate([chart(), np.full((480, 640, 1), 255, np.uint8)], axis=2)
    deep = chart().astype(np.uint16) * 257
    for image in (rgba, deep, Image.fromarray(rgba)):
        np.testing.assert_allclose(
            estimator(image, K=arm.K).joint_positions, plain.joint_positions, atol=1e-9
        )


@pytest.mark.parametrize("count", [0, -3, 5000])
def test_impossible_number_of_hypotheses(count: int) -> None:
    with pytest.raises(ConfigError, match=f"num_hypotheses is {count}"):
        make_estimator(make_arm())(chart(), num_hypotheses=count)


def test_one_hypothesis_is_enough() -> None:
    arm = make_arm()
    estimate = make_estimator(arm)(chart(), K=arm.K, num_hypotheses=1)
    assert estimate.joint_positions is not None
    assert np.degrees(np.abs(estimate.joint_positions - arm.q)).max() < 2


def test_bad_image_in_a_batch_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match=r"gone\.png"):
        make_estimator(make_arm())([chart(), tmp_path / "gone.png"])


def test_weights_for_another_robot_are_refused() -> None:
    session = StubSession([make_arm()], entries={"joint_names": ["a", "b"]})
    with pytest.raises(WeightsError, match="joint_names differ"):
        Estimator(session, ROBOT)  # type: ignore[arg-type]
