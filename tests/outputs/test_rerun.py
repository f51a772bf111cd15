"""Recordings for Rerun, read back by its own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.camera.image import load_image
from armsight.cli.estimate import command
from armsight.data.video import VideoWriter
from armsight.errors import ConfigError
from armsight.estimate.estimator import Estimator
from armsight.geometry import invert_transform
from armsight.outputs.rerun import RerunSink
from armsight.outputs.sink import Shot
from tests.charted_arm import ROBOT
from tests.fake_weights import write_fake_weights

chunk = pytest.importorskip("rerun.chunk", reason="rerun-sdk, or its reader, is not installed")


def read_back(path: Path) -> dict[str, dict[str, dict[int, Any]]]:
    """Values by entity, by component without its archetype, and by frame (-1: static)."""
    found: dict[str, dict[str, dict[int, Any]]] = {}
    for one in chunk.RrdReader(path).stream().to_chunks():
        batch = one.to_record_batch()
        frames = [-1] * batch.num_rows
        if "frame" in batch.schema.names:
            frames = batch["frame"].to_pylist()
        for name in batch.schema.names:
            if ":" in name:
                values = batch[name].to_pylist()
                entity = found.setdefault(str(one.entity_path), {})
                entity.setdefault(name.partition(":")[2], {}).update(
                    (frame, value) for frame, value in zip(frames, values, strict=True)
                    if value is not None
                )  # fmt: skip
    return found


def test_a_recording_holds_what_was_estimated(tmp_path: Path) -> None:
    weights = write_fake_weights(tmp_path / "weights", encoder=True)
    estimator = Estimator.from_pretrained(weights)
    sink = RerunSink(tmp_path / "a.rrd")
    pictures = [load_image(np.full((240, 320, 3), grey, np.uint8)) for grey in (120, 5, 120)]
    estimates = [estimator(picture) for picture in pictures]
    for i, (picture, estimate) in enumerate(zip(pictures, estimates, strict=True)):
        sink.write(Shot(picture, i, i / 10), estimate)
    assert not (tmp_path / "a.rrd").exists()
    sink.close(keep=True)
    found = read_back(tmp_path / "a.rrd")

    own = estimates[0]
    assert own.joint_positions is not None
    assert own.joint_std is not None
    assert own.T_cam_base is not None
    assert own.K is not None
    for i, name in enumerate(ROBOT.joint_names):
        angle = found[f"/joints/{name}/angle"]["scalars"]
        upper = found[f"/joints/{name}/upper"]["scalars"]
        assert set(angle) == {0, 2}
        assert angle[0] == pytest.approx([np.degrees(own.joint_positions[i])])
        spread = np.degrees(own.joint_positions[i] + own.joint_std[i])
        assert upper[2] == pytest.approx([spread])
    camera = found["/world/camera"]
    T_base_cam = invert_transform(own.T_cam_base)
    np.testing.assert_allclose(camera["translation"][0][0], T_base_cam[:3, 3], atol=1e-5)
    # Matrices are stored by columns.
    rotation = np.reshape(camera["mat3x3"][0][0], (3, 3)).T
    np.testing.assert_allclose(rotation, T_base_cam[:3, :3], atol=1e-6)
    K = np.reshape(camera["image_from_camera"][0][0], (3, 3)).T
    np.testing.assert_allclose(K, own.K, rtol=1e-6)
    frames = ROBOT.forward_kinematics(own.joint_positions)
    for name, frame in zip(ROBOT.link_names, frames, strict=True):
        place = found[f"/world/arm/{name}"]["translation"][0][0]
        np.testing.assert_allclose(place, frame[:3, 3], atol=1e-6)
    vertices = ROBOT.link_shapes()["panda_hand"][0]
    mesh = found["/world/arm/panda_hand"]["vertex_positions"]
    np.testing.assert_allclose(mesh[0], vertices, atol=1e-6)
    assert set(mesh) == {0, 2}  # taken away while no arm was found, then shown again
    assert set(found["/world/arm"]["is_recursive"]) == {1}
    assert set(found["/world/camera/picture"]["blob"]) == {0, 1, 2}
    points = found["/world/camera/picture/arm/keypoints"]["positions"][0]
    assert own.keypoints_2d is not None
    np.testing.assert_allclose(points, own.keypoints_2d[: len(points)] + 0.5, rtol=1e-5)
    assert "no panda found" in str(found["/notes"]["text"][1])


def test_the_command_line(tmp_path: Path) -> None:
    weights = write_fake_weights(tmp_path / "weights", encoder=True)
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for i in range(4):
            writer.write(np.full((64, 96, 3), 120, np.uint8), i / 10)
    (tmp_path / "photo.png").write_bytes(b"hello")
    clip, photo, target = (str(tmp_path / name) for name in ("clip.mp4", "photo.png", "a.rrd"))
    options = ["--robot", str(weights), "--out", str(tmp_path), "--no-overlay"]
    done = CliRunner().invoke(command, [clip, photo, clip, *options, "--rerun", target])
    assert done.exit_code == 3  # of the photo that is none
    assert set(read_back(Path(target))["/confidence"]["scalars"]) == set(range(8))
    done = CliRunner().invoke(command, [clip, *options, "--rerun", str(tmp_path / "a.txt")])
    assert isinstance(done.exception, ConfigError)
    assert "give the name of a .rrd file" in str(done.exception)
    assert not list(tmp_path.glob(".*"))
