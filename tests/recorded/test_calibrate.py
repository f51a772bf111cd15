"""What a recording's camera is told, and what is read off it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.camera.distortion import Distortion
from armsight.camera.intrinsics import Intrinsics
from armsight.data.recordings import Recording, open_recordings
from armsight.data.recordings.recording import JointLog, ReadFrames
from armsight.data.recordings.sources import VideoFrames
from armsight.errors import BadIntrinsicsError
from armsight.fit.extrinsics.calibration import CameraCalibration
from armsight.recorded.calibrate import (
    MOST_READ,
    RecordedCamera,
    calibrate_recording,
    spread,
    with_intrinsics,
)
from armsight.robots import load_robot

ROBOT = load_robot("panda")
K = np.array([[400.0, 0, 159.5], [0, 400, 119.5], [0, 0, 1]])
TIMES = np.arange(5) / 10
Q = np.linspace(ROBOT.ready_positions, ROBOT.ready_positions + 0.2, 5)
RECORDING = Recording("a", VideoFrames(Path("a.mp4"), 5), (320, 240), TIMES, log=JointLog(Q, TIMES))


def test_the_focal_length_that_a_camera_wrote_is_used(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
    for i in range(3):
        Image.new("RGB", (360, 240)).save(tmp_path / f"{i}.jpg", exif=exif)
    (recording,) = open_recordings(tmp_path, ROBOT)
    assert recording.K is None
    assert recording.intrinsics_source == "exif"
    # 36 mm of film behind a 28 mm lens.
    assert recording.fov_deg == pytest.approx(np.degrees(2 * np.arctan(18 / 28)), abs=0.1)
    assert any("EXIF" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("source", "exact", "rough"),
    [("given", True, False), ("exif", False, True), ("assumed", False, False)],
)
def test_only_exact_intrinsics_are_taken_as_exact(source: str, exact: bool, rough: bool) -> None:
    """An earlier answer's assumed K must not come back as a known one."""
    told = with_intrinsics(RECORDING, Intrinsics(K, source, ("a word",)))
    assert (told.K is not None) == exact
    assert (told.fov_deg is not None) == rough
    assert "a word" in told.notes
    if told.fov_deg is not None:
        assert 160 / np.tan(np.radians(told.fov_deg / 2)) == pytest.approx(400)


def test_a_lens_that_distorts_is_refused() -> None:
    lens = Distortion("plumb_bob", np.array([0.1, 0, 0, 0, 0]))
    with pytest.raises(BadIntrinsicsError, match="undistort the frames first"):
        with_intrinsics(RECORDING, Intrinsics(K, "camera_file", (), lens))


def test_joints_are_those_at_the_frames_own_time_with_the_zeros_found() -> None:
    zeros = np.zeros(7)
    zeros[1] = 0.03
    found = CameraCalibration(
        "panda", "fine", (), ROBOT.joint_names, None, None, K, "given", zeros, np.zeros(7),
        np.zeros(7, bool), 0.05, (),
    )  # fmt: skip
    camera = RecordedCamera(RECORDING, (0, 1, 2, 3, 4), found)
    # The log runs 0.05 s ahead: frame 2 shows what the log has half a step before row 2.
    np.testing.assert_allclose(camera.joint_positions([2]), [(Q[1] + Q[2]) / 2 + zeros])
    unlogged = RecordedCamera(replace(RECORDING, log=None), (0,), found)
    assert np.isnan(unlogged.joint_positions([0, 1])).all()


def test_spread() -> None:
    assert spread(3, 10) == [0, 1, 2]
    assert spread(101, 3) == [0, 50, 100]


def test_without_a_log_frames_from_all_over_the_recording_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as the network is given; their numbers go with them."""
    seen: dict[str, Any] = {}

    def camera(estimator: object, images: Any, K: Any, *, fov_deg: Any, times: Any) -> str:
        seen.update(images=images, times=times)
        return "found"

    monkeypatch.setattr("armsight.estimate.clips.photographed_camera.camera_from_pictures", camera)
    monkeypatch.setattr(
        "armsight.estimate.estimator.Estimator.from_pretrained", lambda name: object()
    )
    found = calibrate_recording(Recording("b", Blank(), (4, 4), np.arange(200) / 10), ROBOT)
    assert found.found == "found"
    assert len(found.indices) == len(seen["images"]) == len(seen["times"]) == MOST_READ
    assert (found.indices[0], found.indices[-1]) == (0, 199)
    np.testing.assert_allclose(seen["times"], np.array(found.indices) / 10)


class Blank:
    """Two hundred frames of nothing."""

    def __len__(self) -> int:
        return 200

    def read(self, indices: Sequence[int]) -> ReadFrames:
        images = tuple(np.zeros((4, 4, 3), np.uint8) for _ in indices)
        return ReadFrames(tuple(indices), images)
