"""From rows of episodes to cameras, verdicts, a table and a page."""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from armsight.audit.cameras import find_cameras, reprojection_difference
from armsight.audit.copy_dataset import column_name, write_copy
from armsight.audit.judge import Audit, judge
from armsight.audit.page import write_page
from armsight.audit.table import audit_table, ranges
from armsight.data.lerobot import LeRobotReader
from armsight.errors import DatasetError
from armsight.geometry import invert_transform, make_transform, rotation_from_rotvec
from tests.audit.drawn_arm import CAMERA_KEY, FPS, ROBOT, T_CAM_BASE, K
from tests.audit.scripted import JOINTS, calibration, row, write_grey


def nudged(seed: int, degrees: float = 0.05, metres: float = 0.002) -> Any:
    rng = np.random.default_rng(seed)
    R = rotation_from_rotvec(np.radians(degrees) * rng.standard_normal(3)) @ T_CAM_BASE[:3, :3]
    return make_transform(R, T_CAM_BASE[:3, 3] + metres * rng.standard_normal(3))


def judged(rows: list[dict[str, Any]], dataset: Path = Path("set")) -> Audit:
    return judge(rows, dataset, ROBOT, FPS)


def test_episodes_that_agree_are_one_camera() -> None:
    rows = [row(i, calibration(T=nudged(i))) for i in range(8)]
    (camera,) = find_cameras(rows, ROBOT)
    assert camera.episodes == tuple(range(8))
    single = [np.linalg.norm(nudged(i)[:3, 3] - T_CAM_BASE[:3, 3]) for i in range(8)]
    assert np.linalg.norm(camera.T_cam_base[:3, 3] - T_CAM_BASE[:3, 3]) < np.median(single)
    np.testing.assert_allclose(camera.T_cam_base @ camera.T_base_cam, np.eye(4), atol=1e-12)
    # Eight of the same doubt: a mean's std is that of one over the root of eight.
    expected = math.sqrt((0.001**2 + 0.002**2) / 8)
    assert camera.std is not None
    np.testing.assert_allclose(camera.std[:3], expected, rtol=1e-6)


def test_surer_episodes_count_for_more() -> None:
    sure, unsure = calibration(T=nudged(1)), calibration(T=nudged(2))
    unsure["covariance"] = (np.array(unsure["covariance"]) * 10_000).tolist()
    (camera,) = find_cameras([row(0, unsure), row(1, sure)], ROBOT)
    distance = [np.linalg.norm(camera.T_cam_base - nudged(i)) for i in (1, 2)]
    assert distance[0] < 0.05 * distance[1]


@pytest.mark.parametrize("turn_deg, shift", [(1.5, 0.0), (0.0, 0.04)])
def test_a_camera_that_was_moved_between_episodes_has_two_places(
    turn_deg: float, shift: float
) -> None:
    step = make_transform(rotation_from_rotvec([0, np.radians(turn_deg), 0]), [shift, 0, 0])
    rows = [row(i, calibration(T=nudged(i) if i < 4 else step @ nudged(i))) for i in range(6)]
    assert [c.episodes for c in find_cameras(rows, ROBOT)] == [(0, 1, 2, 3), (4, 5)]


def test_reprojection_difference_against_a_shift_in_the_picture() -> None:
    """A principal point that is 5 px to the right moves every point by 5 px."""
    shifted = K.copy()
    shifted[0, 2] += 5
    assert reprojection_difference(T_CAM_BASE, K, T_CAM_BASE, shifted, ROBOT) == pytest.approx(5)
    behind = T_CAM_BASE.copy()
    behind[2, 3] -= 10
    assert reprojection_difference(T_CAM_BASE, K, behind, K, ROBOT) == math.inf


def various() -> list[dict[str, Any]]:
    zeros = [0.0] * JOINTS
    zeros[1] = math.radians(2.1)
    seen = [False, True, *[False] * (JOINTS - 2)]
    frames = calibration()["frames"]
    frames[2] = {"index": 2, "edge_alignment": 0.2, "used": False, "reason": "far off"}
    return [
        row(0, calibration(frames=frames)),
        row(1, calibration("log_ahead", time_offset=0.2)),
        row(2, calibration("zeros_off", joint_zero_offsets=zeros,
                           joint_zero_offsets_observable=seen,
                           joint_zero_offsets_std=[None, 0.003, *[None] * (JOINTS - 2)])),
        row(3, calibration("other_robot", T=None, messages=["it moves <otherwise> & fast"])),
        row(4, None, "video.mp4 cannot be read"),
    ]  # fmt: skip


def test_verdicts_in_words() -> None:
    audit = judged(various())
    assert [one.verdict for one in audit.judgements] == [
        "fine", "log_ahead", "zeros_off", "other_robot", "unreadable"
    ]  # fmt: skip
    reasons = [one.reason for one in audit.judgements]
    assert reasons[1] == "log runs ahead by 0.200 s (2.0 frames)"
    assert reasons[2] == f"joint zeros off: {ROBOT.joint_names[1]} +2.1°"
    assert reasons[3] == "other robot: it moves <otherwise> & fast"
    assert reasons[4] == "video.mp4 cannot be read"
    assert audit.judgements[0].unexplained_frames == [13]
    assert [one.camera for one in audit.judgements] == [0, 0, 0, None, None]
    assert audit.counts() == {
        "fine": 1, "log_ahead": 1, "zeros_off": 1, "other_robot": 1, "unreadable": 1
    }  # fmt: skip
    json.dumps(audit.to_json(), allow_nan=False)


def test_the_frame_at_which_the_camera_moved_is_one_of_the_episode() -> None:
    (one,) = judged([row(0, calibration("camera_moved", camera_moved_at=2))]).judgements
    assert one.camera_moved_at == 13
    assert one.reason == "camera moved at frame 13"


def test_an_episode_in_which_nothing_moves_has_the_camera_of_those_around_it() -> None:
    elsewhere = make_transform(rotation_from_rotvec([0, 0.1, 0]), [0.2, 0, 0]) @ T_CAM_BASE
    still = calibration("arm_hardly_moves", T=None)
    rows = [
        row(0, calibration()), row(1, still), row(2, calibration()),
        row(3, still), row(4, calibration(T=elsewhere)), row(5, still),
        row(6, calibration("other_robot", T=None)),
    ]  # fmt: skip
    audit = judged(rows)
    assert [one.camera for one in audit.judgements] == [0, 0, 0, None, 1, 1, None]
    assert audit.judgements[1].verdict == "arm_hardly_moves"
    assert "episodes around it" in audit.judgements[1].reason
    assert audit.cameras[0].episodes == (0, 2)


def test_table() -> None:
    text = audit_table(judged(various()))
    lines = text.splitlines()
    assert lines[0].startswith("set: 5 episodes and cameras of panda: 1 fine, 1 log runs ahead")
    centre = invert_transform(T_CAM_BASE)[:3, 3]
    assert f"{centre[0]:.3f}, {centre[1]:.3f}, {centre[2]:.3f}" in text
    assert "1 of 4 (13)" in text
    assert "+0.200 ± 0.010" in text
    assert ranges([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"
    assert ranges(range(0, 20, 2), 2) == "0, 2, …"


def test_page_shows_everything_and_escapes_it(tmp_path: Path) -> None:
    page = write_page(tmp_path, judged(various(), Path("a <set>")), ROBOT).read_text()
    assert "a &lt;set&gt;" in page
    assert html.escape("it moves <otherwise> & fast") in page
    assert "<otherwise>" not in page
    assert page.count("<svg") == 2 + 4  # cameras, lags, and the alignment of four episodes
    assert "&lt;svg" not in page
    assert "+2.10" in page


def test_page_of_many_fine_episodes_stays_small(tmp_path: Path) -> None:
    rows = [row(i, calibration()) for i in range(40)]
    page = write_page(tmp_path, judged(rows), ROBOT).read_text()
    assert page.count('<section class="episode"') == 12
    assert "28 more fine ones" in page


def test_copy_has_the_cameras_as_columns(tmp_path: Path) -> None:
    source = write_grey(tmp_path / "grey", [4, 4, 4, 4, 4])
    audit = judged(various(), source)
    reader = LeRobotReader(write_copy(audit, tmp_path / "copy"))
    name = column_name(CAMERA_KEY)
    assert name == "observation.cameras.front.T_cam_base"
    for episode in range(3):
        poses = reader.rows(episode)[name].reshape(-1, 4, 4)
        np.testing.assert_allclose(poses, np.tile(T_CAM_BASE, (4, 1, 1)), atol=1e-5)
    assert np.isnan(reader.rows(3)[name]).all()
    assert reader.info["armsight"]["audit"]["verdicts"] == audit.counts()
    assert [e[f"verdict.{CAMERA_KEY}"] for e in reader.episodes] == [
        "fine", "log_ahead", "zeros_off", "other_robot", "unreadable"
    ]  # fmt: skip
    table = pq.read_table(next((tmp_path / "copy/data").rglob("*.parquet")))
    assert str(table.schema.field(name).type) == "fixed_size_list<element: float>[16]"


def test_no_copy_without_a_camera(tmp_path: Path) -> None:
    source = write_grey(tmp_path / "grey", [4])
    with pytest.raises(DatasetError, match="no camera"):
        write_copy(judged([row(0, None, "broken")], source), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
