"""Sets on disk: the same whoever makes them, whole after any interruption, readable."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from armsight.data.dataset import open_dataset
from armsight.errors import ConfigError, DatasetError
from armsight.render.dataset import render_set
from armsight.render.frame import FrameMaker, FrameSettings
from armsight.render.presets import preset
from armsight.robots import load_robot

SMALL = FrameSettings(size=48, no_robot=0.3, frame_size=(160, 120), seed=4)
ROBOT = load_robot("panda")


def hashes(folder: Path, pattern: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob(pattern))
    }


@pytest.fixture(scope="module")
def alone(maker: FrameMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 rows in shards of 4, made in this process."""
    folder = tmp_path_factory.mktemp("alone")
    assert render_set("panda", SMALL, folder, 12, rows=4) == 12
    return folder


def test_shards_hold_what_the_training_reads(alone: Path) -> None:
    from armsight.train.pose.shards import ShardTable

    table = ShardTable([alone], ROBOT)
    assert len(table) == 12
    shard = load_file(str(alone / "shard-00000.safetensors"))
    shapes = {name: (a.shape[1:], str(a.dtype)) for name, a in shard.items()}
    assert shapes == {
        "images": ((48, 48, 3), "uint8"),
        "masks": ((48, 48), "uint8"),
        "joint_positions": ((7,), "float32"),
        "K": ((3, 3), "float32"),
        "T_cam_base": ((4, 4), "float32"),
        "keypoints_2d": ((len(ROBOT.keypoint_names), 2), "float32"),
        "keypoints_3d_cam": ((len(ROBOT.keypoint_names), 3), "float32"),
        "keypoints_visible": ((len(ROBOT.keypoint_names),), "uint8"),
        "frame_rect": ((4,), "float32"),
        "robot_found": ((), "uint8"),
        "composited": ((), "uint8"),
    }
    found = table.labels["robot_found"] > 0
    assert 0 < found.sum() < 12
    assert not table.labels["joint_positions"][~found].any()


def test_two_workers_make_the_same_pixels_as_one(alone: Path, tmp_path: Path) -> None:
    progress: list[int] = []
    render_set("panda", SMALL, tmp_path, 12, rows=4, workers=2, progress=progress.append)
    assert sum(progress) == 12
    assert hashes(tmp_path, "*") == hashes(alone, "*")


def test_a_killed_run_goes_on_to_the_same_set(alone: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from armsight.render.dataset import render_set;"
        "from tests.render.test_dataset import SMALL;"
        f"render_set('panda', SMALL, Path({str(tmp_path)!r}), 12, rows=4)"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("shard-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / ".shard-00002.abc.safetensors").write_bytes(b"half a shard")
    done = hashes(tmp_path, "shard-*")
    assert 0 < len(done) < 3, "the run was to be killed in the middle"
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in done}
    left = render_set("panda", SMALL, tmp_path, 12, rows=4)
    assert left == 12 - 4 * len(done)
    assert hashes(tmp_path, "*") == hashes(alone, "*")
    assert not list(tmp_path.glob(".*"))
    for name, before in times.items():
        assert (tmp_path / name).stat().st_mtime_ns == before, "finished shards are kept"


def test_a_longer_set_begins_with_the_shorter(alone: Path, tmp_path: Path) -> None:
    render_set("panda", SMALL, tmp_path, 6, rows=4)
    assert render_set("panda", SMALL, tmp_path, 12, rows=4) == 8
    assert hashes(tmp_path, "*") == hashes(alone, "*")


def test_another_set_is_not_mixed_in(alone: Path) -> None:
    before = hashes(alone, "*")
    with pytest.raises(ConfigError, match="seed"):
        render_set("panda", FrameSettings(size=48, seed=5), alone, 12, rows=4)
    assert hashes(alone, "*") == before


def test_ndds_frames_say_what_the_simulation_says(maker: FrameMaker, tmp_path: Path) -> None:
    settings = FrameSettings(split="eval", frame_size=(160, 120), no_robot=0.25, seed=1)
    render_set("panda", settings, tmp_path, 8, format="ndds")
    dataset = open_dataset(tmp_path, "panda")
    assert len(dataset.frames) == 8
    scene: Any = maker._scene(None)
    seen = 0
    for frame in dataset.frames:
        if not frame.robot_in_view:
            continue
        seen += 1
        assert frame.image_size == (160, 120)
        assert frame.joint_positions is not None
        assert frame.T_cam_base is not None
        assert frame.keypoints_3d_cam is not None
        assert frame.keypoints_2d is not None
        assert frame.K is not None
        scene.pose(np.asarray(frame.joint_positions), 0.5)
        origins = dict(zip(ROBOT.link_names, scene.link_origins(), strict=True))
        base = np.array([origins[name] for name in ROBOT.keypoint_names[:7]])
        cam = base @ frame.T_cam_base[:3, :3].T + frame.T_cam_base[:3, 3]
        np.testing.assert_allclose(frame.keypoints_3d_cam[:7], cam, atol=1e-6)
        uv = cam @ frame.K.T
        front = cam[:, 2] > 0.01
        expected = (uv[:, :2] / uv[:, 2:])[front]
        np.testing.assert_allclose(frame.keypoints_2d[:7][front], expected, atol=1e-3)
    assert 0 < seen < 8
    settings_file = json.loads((tmp_path / "_camera_settings.json").read_text())
    assert settings_file["camera_settings"][0]["captured_image_size"]["width"] == 160


def test_other_arms_are_labelled_as_such(maker: FrameMaker, tmp_path: Path) -> None:
    from dataclasses import replace

    settings = replace(preset("other-arm"), frame_size=(160, 120), arms=("jaco",))
    try:
        render_set("panda", settings, tmp_path, 2, format="ndds")
    except Exception as error:
        if type(error).__name__ == "MissingExtraError":
            pytest.skip(str(error))
        raise
    dataset = open_dataset(tmp_path, "panda", allow_other_robots=True)
    assert [frame.other_robot for frame in dataset.frames] == ["jaco", "jaco"]
    assert not any(frame.robot_in_view for frame in dataset.frames)


def test_a_background_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no pictures"):
        render_set("panda", SMALL, tmp_path / "out", 1, backgrounds=tmp_path / "empty")


def test_background_pictures_are_used(maker: FrameMaker, tmp_path: Path) -> None:
    import cv2

    (tmp_path / "pictures").mkdir()
    green = np.zeros((300, 400, 3), np.uint8)
    green[..., 1] = 255
    cv2.imwrite(str(tmp_path / "pictures" / "green.png"), green)
    settings = FrameSettings(size=48, composited=1.0)
    render_set("panda", settings, tmp_path / "out", 8, backgrounds=tmp_path / "pictures", rows=8)
    images = load_file(str(tmp_path / "out" / "shard-00000.safetensors"))["images"].astype(int)
    greenish = (images[..., 1] > images[..., 0] + 60) & (images[..., 1] > images[..., 2] + 60)
    assert (greenish.mean((1, 2)) > 0.2).sum() >= 2
