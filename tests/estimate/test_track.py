"""Following an arm through frames: one look a frame, and recovery when it is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import armsight
from armsight.estimate.estimator import Estimator
from armsight.estimate.track import Tracker
from tests.charted_arm import ABSENT, ROBOT, Arm, StubSession, chart, make_arm


def moving(steps: int, step_rad: float = 0.02) -> list[Arm]:
    """An arm whose joints all turn a little from frame to frame."""
    arm = make_arm()
    return [replace(arm, q=ROBOT.clip(arm.q + step_rad * i)) for i in range(steps)]


def run(arms: list[Arm], pictures: list[np.ndarray]) -> tuple[list[float], list[int]]:
    """Largest joint error [deg] and number of looks of each frame."""
    session = StubSession([arms[0]])
    tracker = Tracker(Estimator(session, ROBOT), K=arms[0].K)  # type: ignore[arg-type]
    errors, looks = [], []
    for arm, picture in zip(arms, pictures, strict=True):
        session.arms = [arm]
        before = len(session.boxes)
        estimate = tracker(picture)
        looks.append(len(session.boxes) - before)
        found = estimate.joint_positions
        errors.append(np.nan if found is None else np.degrees(np.abs(found - arm.q)).max())
    return errors, looks


def test_one_look_a_frame_after_the_first() -> None:
    arms = moving(8)
    errors, looks = run(arms, [chart()] * 8)
    assert max(errors) < 1
    assert looks[0] >= 2
    assert looks[1:] == [1] * 7


def test_a_lost_arm_is_found_again() -> None:
    arms = moving(6)
    pictures = [chart()] * 2 + [chart(blue=ABSENT)] * 2 + [chart()] * 2
    errors, looks = run(arms, pictures)
    assert np.isnan(errors).tolist() == [False, False, True, True, False, False]
    assert max(errors[4:]) < 1
    assert looks[2] == 3  # the box, the whole frame, and that with a border
    assert looks[3] == 2  # no box any more
    assert looks[4] >= 2


def test_a_jump_is_followed() -> None:
    """A cut to another view: the old box does not show the arm, the frame is searched."""
    there, gone = (
        make_arm(1280, 480, x=-0.9, distance=2.0),
        make_arm(1280, 480, x=0.9, distance=2.0),
    )
    errors, looks = run([there, there, gone], [chart(1280, 480)] * 3)
    assert max(errors) < 1
    assert looks[1] == 1
    assert looks[2] >= 3


def test_camera_is_settled_by_the_first_frame() -> None:
    session = StubSession([make_arm()])
    tracker = Tracker(Estimator(session, ROBOT), fov_deg=60)  # type: ignore[arg-type]
    first, second = tracker(chart()), tracker(chart())
    assert first.intrinsics_source == second.intrinsics_source == "field_of_view"
    assert first.K is not None
    assert second.K is not None
    np.testing.assert_array_equal(first.K[:, 2], second.K[:, 2])
    # Each frame tells the focal length by itself, within what a field of view leaves open.
    assert abs(np.log(first.K[0, 0] / second.K[0, 0])) < 0.01


def test_outlines_in_video_give_the_answer_of_an_image() -> None:
    """The package's example, as the second frame of a still video."""
    estimator = Estimator.from_pretrained("panda")
    folder = Path(armsight.__file__).parent / "weights" / "panda"
    pixels = np.asarray(Image.open(folder / "example.jpg").convert("RGB"))
    K = np.array([[782.8, 0, 314.6], [0, 785.4, 224.7], [0, 0, 1]])
    single = estimator(pixels, K=K)
    with_outline = Tracker(estimator, K, outline=True)
    with_outline(pixels)
    exact, plain = with_outline(pixels), Tracker(estimator, K)(pixels)
    assert single.joint_positions is not None
    assert exact.joint_positions is not None
    assert plain.joint_positions is not None
    assert exact.joint_std is not None
    off = np.degrees(np.abs(exact.joint_positions - single.joint_positions)[:6])
    assert off.max() < 2
    assert off.sum() < np.degrees(np.abs(plain.joint_positions - single.joint_positions)[:6]).sum()
    assert (exact.joint_std > 0).all()


@pytest.mark.parametrize("fov", [0.0])
def test_bad_camera_is_an_error_at_the_first_frame(fov: float) -> None:
    from armsight.errors import BadIntrinsicsError

    tracker = Tracker(Estimator(StubSession([make_arm()]), ROBOT), fov_deg=fov)  # type: ignore[arg-type]
    with pytest.raises(BadIntrinsicsError):
        tracker(chart())
