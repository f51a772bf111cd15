"""Weights of three graphs: what torch says, and one encoder for several robots."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from armsight.errors import WeightsError  # noqa: E402
from armsight.estimate.estimator import Estimator  # noqa: E402
from armsight.estimate.session import Session  # noqa: E402
from armsight.models.checkpoint import save_checkpoint  # noqa: E402
from armsight.models.denoisers import DenoiserConfig  # noqa: E402
from armsight.models.export import export_checkpoint  # noqa: E402
from armsight.models.pose_model import PoseModelConfig  # noqa: E402
from armsight.models.shared_model import SharedPoseModel, SharedPoseModelConfig  # noqa: E402
from armsight.models.state_model import measure  # noqa: E402
from armsight.robots import load_robot  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
ROBOTS = ("panda", "so101")
STEPS, SIZE = 3, 64


@pytest.fixture(scope="module")
def shared() -> SharedPoseModel:
    torch.manual_seed(0)
    configs = tuple(
        PoseModelConfig.for_robot(load_robot(name), input_size=SIZE,
                                  denoiser=DenoiserConfig("mlp", 16, 1))
        for name in ROBOTS
    )  # fmt: skip
    model = SharedPoseModel(SharedPoseModelConfig(configs)).eval()
    for parameter in model.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="module")
def weights(shared: SharedPoseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    info = {"step": 1, "train": {"robot": list(ROBOTS)}, "model": shared.config.to_json()}
    save_checkpoint(folder / "c", {"ema": shared.state_dict()}, info)
    export_checkpoint(folder / "c", folder / "w", num_inference_steps=STEPS, num_hypotheses=4,
                      half=False)  # fmt: skip
    return folder / "w"


def crops(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_reading_is_what_torch_says(shared: SharedPoseModel, weights: Path, robot: str) -> None:
    session, cameras = Session(weights / robot), np.full((2, 4), 0.1, np.float32)
    reading = session.read(crops(), cameras, 5)
    model = shared.robot(robot)
    with torch.no_grad():
        encoding = model.encoder.read(
            shared.backbone(torch.from_numpy(crops()).permute(0, 3, 1, 2).float())
        )
        context = model.context(measure(encoding, torch.from_numpy(cameras)), encoding)
        noise = torch.from_numpy(session.noise(5)[None].repeat(2, axis=0))
        states = model.sample(context, noise, STEPS)
    np.testing.assert_allclose(reading.keypoints_2d, encoding.keypoints_2d, atol=5e-3)
    np.testing.assert_allclose(reading.presence, torch.sigmoid(encoding.presence), atol=1e-4)
    np.testing.assert_allclose(
        reading.joint_positions, states["joint_positions"][..., 0], atol=2e-3
    )
    first = session.read(crops(), cameras, 0)
    np.testing.assert_array_equal(first.keypoints_2d, reading.keypoints_2d)
    assert first.joint_positions.shape == (2, 0, len(load_robot(robot).joint_names))


def test_robots_share_the_encoder_and_its_passes(weights: Path) -> None:
    one, other = (Session(weights / robot) for robot in ROBOTS)
    encoder = one._network._encoder
    assert other._network._encoder is encoder
    assert not list((weights / "panda").glob("encoder.onnx"))
    passes = []
    graph = encoder._graph

    class Counted:
        def run(self, *arguments: object) -> object:
            passes.append(arguments)
            return graph.run(*arguments)

    encoder._graph = Counted()
    try:
        pictures = crops() // 2
        for session in (one, other):
            session.read(pictures, np.zeros((2, 4), np.float32), 0)
        assert len(passes) == 1
        one.read(pictures + 1, np.zeros((2, 4), np.float32), 0)
        assert len(passes) == 2
    finally:
        encoder._graph = graph


def test_an_encoder_of_its_own_travels_and_another_one_is_refused(
    weights: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone" / "panda"
    shutil.copytree(weights / "panda", alone)
    with pytest.raises(WeightsError, match=r"need the encoder .* there is no .*encoder\.onnx"):
        Session(alone)
    shutil.copy(weights / "encoder" / "encoder.onnx", alone)
    Session(alone)
    (alone / "encoder.onnx").write_bytes(b"another")
    with pytest.raises(WeightsError, match="is another one"):
        Session(alone)
    (alone / "head.onnx").unlink()
    with pytest.raises(WeightsError, match=r"has no head\.onnx; make them with `armsight export`"):
        Session(alone)


def test_an_estimator_answers(weights: Path) -> None:
    card = json.loads((weights / "so101" / "model.json").read_text())
    assert card["training"]["robot"] == list(ROBOTS)
    estimate = Estimator.from_pretrained(weights / "so101")(crops(1)[0], fov_deg=60)
    assert estimate.robot == "so101"
