"""The ONNX session: its contract with the exported graph, and broken weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from armsight.errors import WeightsError
from armsight.estimate.estimator import Estimator
from armsight.estimate.session import Session
from tests.charted_arm import ROBOT
from tests.fake_weights import ANGLES, DARK, SIZE, crop_keypoints, write_fake_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"))


def crops(count: int, grey: int = 128) -> np.ndarray:
    return np.full((count, SIZE, SIZE, 3), grey, np.uint8)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hypotheses", [0, 1, 16])
def test_shapes_and_values(folder: Path, batch: int, hypotheses: int) -> None:
    reading = Session(folder).read(crops(batch), np.zeros((batch, 4), np.float32), hypotheses)
    count = len(ROBOT.keypoint_names)
    assert reading.presence.shape == (batch,)
    np.testing.assert_allclose(reading.keypoints_2d, [crop_keypoints()] * batch, atol=1e-4)
    assert reading.keypoints_std.shape == (batch, count)
    assert reading.joint_positions.shape == (batch, hypotheses, 7)
    assert reading.keypoints_state.shape == (batch, hypotheses, count, 3)


def test_presence_is_a_probability(folder: Path) -> None:
    session = Session(folder)
    camera = np.zeros((1, 4), np.float32)
    bright, dark = (session.read(crops(1, grey), camera, 0).presence[0] for grey in (42, 37))
    assert bright == pytest.approx(1 / (1 + np.exp(DARK - 42)), rel=1e-5)
    assert dark == pytest.approx(1 / (1 + np.exp(DARK - 37)), rel=1e-5)


def test_noise_depends_on_the_seed_only(folder: Path) -> None:
    session = Session(folder)
    np.testing.assert_array_equal(session.noise(4), session.noise(16)[:4])
    assert np.abs(session.noise(4, 0) - session.noise(4, 1)).max() > 0.1
    assert abs(session.noise(500).std() - 1) < 0.02
    one = session.read(crops(1), np.zeros((1, 4), np.float32), 8)
    many = session.read(crops(3), np.zeros((3, 4), np.float32), 8)
    np.testing.assert_array_equal(one.joint_positions[0], many.joint_positions[2])
    assert 0.01 < np.std(one.joint_positions[0] - ANGLES) < 0.06


def test_an_encoder_beside_the_model_answers_looks_without_hypotheses(tmp_path: Path) -> None:
    both = Session(write_fake_weights(tmp_path, encoder=True))
    whole = both.read(crops(2), np.zeros((2, 4), np.float32), 3)
    seen = both.read(crops(2), np.zeros((2, 4), np.float32), 0)
    for name in ("presence", "keypoints_2d", "keypoints_std", "keypoints_seen"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(whole, name))
    assert seen.joint_positions.shape == (2, 0, 7)
    (tmp_path / "encoder.onnx").write_bytes(b"broken")
    with pytest.raises(WeightsError, match=r"encoder\.onnx"):
        Session(tmp_path)


def test_the_card_names_the_numbers_of_hypotheses(folder: Path, tmp_path: Path) -> None:
    assert (Session(folder).num_hypotheses, Session(folder).num_video_hypotheses) == (16, 4)
    other = Session(write_fake_weights(tmp_path, num_hypotheses=9, num_video_hypotheses=2))
    assert (other.num_hypotheses, other.num_video_hypotheses) == (9, 2)
    estimator = Estimator(other, ROBOT)
    samples = estimator(np.full((200, 300, 3), 120, np.uint8)).samples
    assert samples is not None
    assert len(samples) == 9


def edit_card(folder: Path, target: Path, **changes: object) -> Path:
    write_fake_weights(target)
    card = json.loads((folder / "model.json").read_text())
    for key, value in changes.items():
        card[key] = value
        if value is None:
            del card[key]
    (target / "model.json").write_text(json.dumps(card))
    return target


def test_broken_weights_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no model\.json; make weights with"):
        Session(tmp_path)
    with pytest.raises(WeightsError, match="armsight-weights/9"):
        Session(edit_card(folder, tmp_path / "a", format="armsight-weights/9"))
    with pytest.raises(WeightsError, match="lacks 'joint_names'"):
        Session(edit_card(folder, tmp_path / "b", joint_names=None))
    broken = write_fake_weights(tmp_path / "c")
    (broken / "model.json").write_text("{")
    with pytest.raises(WeightsError, match="broken"):
        Session(broken)
    content = (broken / "model.onnx").read_bytes()
    edit_card(folder, broken)
    (broken / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="cannot load"):
        Session(broken)


def test_a_graph_with_other_outputs_is_named(folder: Path, tmp_path: Path) -> None:
    import onnx

    target = edit_card(folder, tmp_path)
    model = onnx.load(str(target / "model.onnx"))
    del model.graph.output[0]
    onnx.save(model, str(target / "model.onnx"))
    with pytest.raises(WeightsError, match="has no presence"):
        Session(target)
