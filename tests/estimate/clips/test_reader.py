"""Videos of a camera that stands still, end to end but for the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.errors import BadVideoError
from armsight.estimate.clips import reader as clip
from armsight.estimate.clips.answer import HIDDEN
from armsight.estimate.clips.reader import ClipReader, clip_reader
from armsight.estimate.estimator import Estimator
from tests.camera.test_still_camera import room, seen
from tests.charted_arm import ABSENT, ROBOT, StubSession, chart, make_arm

ARM = make_arm()


@dataclass(frozen=True)
class Shot:
    """A frame of a video."""

    index: int
    time: float
    pixels: NDArray[np.uint8]


def film(count: int, hidden: range = range(0)) -> Iterator[Shot]:
    """A still arm at 10 Hz, which is not to be seen in some frames."""
    pictures = chart(), chart(blue=ABSENT)
    return (Shot(n, n / 10, pictures[n in hidden]) for n in range(count))


def reader_of(count: int, hidden: range = range(0), **options: bool) -> ClipReader:
    estimator = Estimator(StubSession([ARM], keypoint_std=0.5), ROBOT)  # type: ignore[arg-type]
    found, message = clip_reader(
        estimator, film(count, hidden), ARM.K, outline=False, still=True, **options
    )
    assert found is not None, message
    assert message == "camera stands still: one pose for all frames"
    return found


def test_hidden_frames_learn_from_their_neighbours() -> None:
    hidden = range(8, 14)
    estimates = list(reader_of(22, hidden)(film(22, hidden)))
    assert all(one.robot_found for one in estimates)
    assert [HIDDEN in one.messages for one in estimates] == [n in hidden for n in range(22)]
    errors = [np.degrees(np.abs(one.joint_positions - ARM.q)).max() for one in estimates]
    assert max(errors) < 3
    stds = np.array([one.joint_std for one in estimates])
    assert (stds[10] > 1.5 * stds[3]).all()
    assert (stds[10] > stds[8]).all()
    poses = np.stack([one.T_cam_base for one in estimates])
    np.testing.assert_array_equal(poses, np.broadcast_to(poses[0], poses.shape))
    np.testing.assert_allclose(poses[0], ARM.T_cam_base, atol=0.02)
    assert estimates[10].samples is None


def test_an_arm_that_stays_away_is_not_made_up() -> None:
    hidden = range(10, 60)
    estimates = list(reader_of(60, hidden)(film(60, hidden)))
    found = [one.robot_found for one in estimates]
    assert all(found[:10])
    assert not any(found[30:])
    assert "no panda found (presence 0.02)" in estimates[-1].messages


def test_windows_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame once, in order, and no step where one window ends and the next begins."""
    reader = reader_of(40)
    whole = np.stack([one.joint_positions for one in reader(film(40))])
    monkeypatch.setattr(clip, "WINDOW", 9)
    monkeypatch.setattr(clip, "LOOK_AHEAD", 4)
    parts = list(reader(film(40)))
    assert len(parts) == 40
    joined = np.stack([one.joint_positions for one in parts])
    assert np.degrees(np.abs(np.diff(joined, axis=0))).max() < 1
    assert np.degrees(np.abs(joined - whole)).max() < 2


def test_reading_ahead_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "WINDOW", 9)
    monkeypatch.setattr(clip, "LOOK_AHEAD", 4)
    in_turn, ahead = (list(reader_of(30, read_ahead=on)(film(30))) for on in (False, True))
    assert [one.to_json() for one in ahead] == [one.to_json() for one in in_turn]


def test_what_was_read_before_a_break_is_answered() -> None:
    def broken() -> Iterator[Shot]:
        yield from film(12)
        raise BadVideoError("breaks off")

    for read_ahead in (False, True):
        answers = reader_of(20, read_ahead=read_ahead)(broken())
        assert sum(one.robot_found for one in (next(answers) for _ in range(12))) == 12
        with pytest.raises(BadVideoError, match="breaks off"):
            next(answers)


def test_a_moving_camera_is_said() -> None:
    wall = room()
    shots = [Shot(n, n / 10, seen(wall, 50.0 * n, 100, None)) for n in range(8)]
    estimator = Estimator(StubSession([ARM]), ROBOT)  # type: ignore[arg-type]
    reader, message = clip_reader(estimator, shots, ARM.K)
    assert reader is None
    assert message == "camera moves: every frame is read by itself"


def test_a_clip_without_an_arm_has_no_camera() -> None:
    estimator = Estimator(StubSession([ARM]), ROBOT)  # type: ignore[arg-type]
    reader, message = clip_reader(estimator, film(10, range(10)), ARM.K, still=True)
    assert reader is None
    assert "too few frames" in message
    assert clip_reader(estimator, [], ARM.K)[0] is None
