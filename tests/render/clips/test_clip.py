"""Clips: a camera that stands still, arms that move as arms do, logs with known faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli.workshop.render_clips import FAULTS, command
from armsight.data.joint_folder import read_joint_folder
from armsight.data.lerobot.reader import LeRobotReader
from armsight.errors import ArmsightError, ConfigError
from armsight.render.clips.clip import ClipMaker, ClipSettings
from armsight.render.clips.faults import KINDS, Faults, sample_faults
from armsight.render.clips.joint_path import joint_path
from armsight.robots import load_robot

PANDA = load_robot("panda")
SIZE = (160, 120)


@pytest.fixture(scope="module")
def films() -> Iterator[ClipMaker]:
    settings = ClipSettings(frames=6, fps=10.0, size=SIZE)
    try:
        maker = ClipMaker(PANDA, settings)
    except ArmsightError as error:
        pytest.skip(f"nothing can be drawn here: {error}")
    yield maker
    maker.close()


def test_same_seed_same_clip_whatever_was_made_between(films: ClipMaker) -> None:
    first, other, again = films.make(3), films.make(4), films.make(3)
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.log, again.log)
    assert not np.array_equal(first.joint_positions, other.joint_positions)


def test_what_is_not_the_arm_stands_still(films: ClipMaker) -> None:
    for seed in range(3):
        clip = films.make(seed)
        assert (clip.T_cam_base == clip.T_cam_base[0]).all()
        images, masks = np.array(clip.images, dtype=float), np.array(clip.masks)
        still = (masks == 0).all(0)
        assert still.mean() > 0.3
        # Noise and shadows change single pixels, not most of them.
        change = np.abs(images[0] - images[-1]).mean(-1)
        assert np.median(change[still]) < 12
        assert (masks > 128).any((1, 2)).all()


def test_keypoints_project_onto_the_mask(films: ClipMaker) -> None:
    on, total = 0, 0
    for seed in range(6):
        clip = films.make(seed)
        for i, mask in enumerate(clip.masks):
            T = clip.T_cam_base[i]
            points = PANDA.keypoints(clip.joint_positions[i])[PANDA.num_origin_keypoints :]
            seen = (points @ T[:3, :3].T + T[:3, 3]) @ clip.K.T
            uv = (seen[:, :2] / seen[:, 2:]).round().astype(int)
            inside = ((uv >= 2) & (uv < np.array(SIZE) - 2)).all(1)
            for u, v in uv[inside]:
                on += int(mask[v - 2 : v + 3, u - 2 : u + 3].max() > 0)
                total += 1
    # The others are hidden by furniture and things.
    assert total > 300
    assert on / total > 0.8


def test_a_lagging_log_has_the_joints_of_other_frames(films: ClipMaker) -> None:
    clip = films.make(5, Faults(lag_frames=2.0))
    np.testing.assert_allclose(clip.log[:-2], clip.joint_positions[2:], atol=1e-12)
    behind = films.make(5, Faults(lag_frames=-1.0))
    np.testing.assert_allclose(behind.log[1:], behind.joint_positions[:-1], atol=1e-12)


def test_zero_offset_and_moved_camera(films: ClipMaker) -> None:
    clip = films.make(5, Faults(zero_joint=2, zero_offset_deg=2.0))
    np.testing.assert_allclose((clip.log - clip.joint_positions)[:, 2], np.deg2rad(2.0))
    moved = films.make(5, Faults(camera_moved_at=4, camera_shift_m=0.02, camera_turn_deg=0.0))
    change = moved.T_cam_base[4] @ np.linalg.inv(moved.T_cam_base[3])
    assert np.linalg.norm(change[:3, 3]) == pytest.approx(0.02)
    np.testing.assert_allclose(change[:3, :3], np.eye(3), atol=1e-12)
    turned = films.make(5, Faults(camera_moved_at=4, camera_shift_m=0.0, camera_turn_deg=1.0))
    change = turned.T_cam_base[5] @ np.linalg.inv(turned.T_cam_base[0])
    assert np.rad2deg(np.arccos((np.trace(change[:3, :3]) - 1) / 2)) == pytest.approx(1.0)


def test_a_person_hides_part_of_some_clip(films: ClipMaker) -> None:
    seen = [films.make(seed, Faults(person=True)) for seed in range(4)]
    alone = [films.make(seed) for seed in range(4)]
    shares = [
        np.mean(np.array(a.masks) > 128) / np.mean(np.array(b.masks) > 128)
        for a, b in zip(seen, alone, strict=True)
    ]
    assert min(shares) < 0.97


def test_photos_have_no_lag() -> None:
    try:
        maker = ClipMaker(PANDA, ClipSettings(frames=2, size=SIZE))
    except ArmsightError as error:
        pytest.skip(f"nothing can be drawn here: {error}")
    with pytest.raises(ConfigError, match="no lag"):
        maker.make(0, Faults(lag_frames=1.0))
    maker.close()


def test_paths_are_smooth_within_limits_and_stop_now_and_then() -> None:
    stops = 0
    for seed in range(8):
        times = np.arange(300) / 30
        q = joint_path(np.random.default_rng(seed), PANDA, times)
        low, high = PANDA.joint_limits.T
        assert ((q >= low - 1e-9) & (q <= high + 1e-9)).all()
        speed = np.abs(np.diff(q, axis=0)).max(1) * 30
        assert speed.max() < 1.25
        assert np.abs(np.diff(speed)).max() < 0.5
        stops += int((speed < 1e-6).sum())
    assert stops > 20


def test_faults_are_of_the_kind_asked_for() -> None:
    lags = {abs(sample_faults("lag", seed, 100, 7).lag_frames) for seed in range(200)}
    assert lags == set(range(1, 11))
    for kind in KINDS:
        assert sample_faults(kind, 3, 100, 7) == sample_faults(kind, 3, 100, 7)
    zeros = {sample_faults("zero", seed, 100, 7).zero_joint for seed in range(100)}
    assert zeros == {1, 2, 3, 4, 5}
    assert sample_faults("none", 4, 100, 7).camera_moved_at is None
    assert KINDS == FAULTS
    with pytest.raises(ConfigError, match="unknown fault"):
        sample_faults("gremlin", 0, 10, 7)


def test_camera_distances_scale_with_the_arms_reach() -> None:
    means = {}
    for name in ("panda", "so101"):
        robot = load_robot(name)
        try:
            maker = ClipMaker(robot, ClipSettings(frames=1, size=(32, 24)))
        except ArmsightError as error:
            pytest.skip(f"nothing can be drawn here: {error}")
        distances = [np.linalg.norm(maker.make(seed).T_cam_base[0][:3, 3]) for seed in range(25)]
        means[name] = np.mean(distances) / robot.reach
        maker.close()
    assert means["so101"] == pytest.approx(means["panda"], rel=0.25)


@pytest.mark.usefixtures("films")
def test_command_writes_what_readers_read_and_goes_on(tmp_path: Path) -> None:
    common = ["--frames", "3", "--size", "160", "120", "--seed", "7"]
    photos = tmp_path / "photos"
    for count in ("1", "2"):
        done = CliRunner().invoke(command, ["--out", str(photos), "--count", count, *common])
        assert done.exit_code == 0, done.output
        assert "(1 new)" in done.output
    folder = photos / "0008"
    truth = json.loads((folder / "truth.json").read_text())
    frames = read_joint_folder(folder, PANDA).frames
    np.testing.assert_allclose([f.joint_positions for f in frames], truth["joint_positions"])
    np.testing.assert_allclose(frames[0].K, truth["K"], rtol=1e-6)
    episodes = tmp_path / "episodes"
    arguments = ["--out", str(episodes), "--count", "2", "--format", "lerobot", "--fault", "zero"]
    done = CliRunner().invoke(command, [*arguments, *common])
    assert "needs --fps" in done.output
    done = CliRunner().invoke(command, [*arguments, *common, "--fps", "10"])
    assert done.exit_code == 0, done.output
    reader = LeRobotReader(episodes)
    known = json.loads(reader.record(1)["truth"])
    logged = np.asarray(reader.rows(1)["observation.state"])
    offset = logged - np.array(known["joint_positions"])
    joint = known["faults"]["zero_joint"]
    assert np.abs(offset[:, joint]) == pytest.approx(np.deg2rad(2.0), abs=1e-5)
