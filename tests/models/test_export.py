"""The ONNX graph says what torch says."""

import dataclasses
import hashlib
import json

import numpy as np
import onnxruntime
import pytest
import torch

from armsight.action_spec import libero_object_spec
from armsight.errors import WeightsError
from armsight.models.action_model import ActionModelConfig, ActionNetwork
from armsight.models.checkpoint import load_pose_model, save_checkpoint, save_start
from armsight.models.denoisers import DENOISERS, DenoiserConfig
from armsight.models.export import export_checkpoint, export_onnx
from armsight.models.graphs import ActionGraph, DenoiserGraph, EncoderGraph, Graph, HeadGraph
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.robots import load_robot

pytestmark = pytest.mark.filterwarnings("ignore")


def make_model(denoiser="transformer"):
    torch.manual_seed(0)
    config = PoseModelConfig.for_robot(
        load_robot("panda"), input_size=64, denoiser=DenoiserConfig(denoiser, 32, 2, 2)
    )
    model = PoseModel(config).eval()
    torch.nn.init.normal_(model.encoder.heatmap.weight, std=1.0)
    for parameter in model.denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def run(graph, path, inputs):
    session = onnxruntime.InferenceSession(str(path))
    feed = dict(zip(graph.INPUTS, (x.numpy() for x in inputs), strict=True))
    return session.run(list(graph.OUTPUTS), feed)


def make_action_model(denoiser="transformer", cameras=1):
    torch.manual_seed(0)
    spec = libero_object_spec().with_statistics((0.1,) * 17, (0.5,) * 17)
    spec = dataclasses.replace(spec, cameras=tuple(f"camera{i}" for i in range(cameras)))
    config = ActionModelConfig(
        robot="panda", keypoint_names=("a", "b", "c"), max_stride=4, action_spec=spec,
        free_keypoints=cameras > 1,
        input_size=64, denoiser=DenoiserConfig(denoiser, 32, 2, 2),
    )  # fmt: skip
    model = ActionNetwork(config).eval()
    torch.nn.init.normal_(model.encoder.heatmap.weight, std=1.0)
    for parameter in model.denoiser.parameters():
        # More would be clipped, and parallel columns are no rotation.
        torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.mark.parametrize(("denoiser", "cameras"), [*((one, 1) for one in DENOISERS), ("mlp", 2)])
def test_the_action_graph_agrees_with_torch(denoiser, cameras, tmp_path):
    model = make_action_model(denoiser, cameras)
    graph = ActionGraph(model, 3)
    export_onnx(graph, tmp_path / "model.onnx", half=False)
    for pairs, hypotheses in ((1, 1), (2, 3), (5, 4)):
        inputs = graph.example_inputs(pairs, hypotheses)
        with torch.no_grad():
            expected = graph(*inputs)
        got = run(graph, tmp_path / "model.onnx", inputs)
        for name, ours, theirs in zip(graph.OUTPUTS, expected, got, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-4, rtol=1e-4, err_msg=name)
    rotation = expected[3].numpy()
    eye = np.broadcast_to(np.eye(3), rotation.shape)
    np.testing.assert_allclose(rotation @ np.swapaxes(rotation, -1, -2), eye, atol=1e-4)
    assert np.all(np.abs(expected[1].numpy()) <= 1)


def test_an_action_checkpoint_becomes_weights_with_their_own_card(tmp_path):
    model = make_action_model()
    info = {"step": 7, "train": {"seed": 3}, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "c", {"ema": model.state_dict()}, info)
    export_checkpoint(tmp_path / "c", tmp_path / "w", num_inference_steps=2, num_hypotheses=4)
    card = json.loads((tmp_path / "w" / "model.json").read_text())
    assert (card["format"], card["task"], card["max_stride"]) == (
        "armsight-actions/2", "libero_object", 4,
    )  # fmt: skip
    with pytest.raises(WeightsError, match="of kind 'actions', not 'pose'"):
        load_pose_model(tmp_path / "c")


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    """As those are that were made before the encoder told depths."""
    model = make_model()
    tensors = {k: v for k, v in model.state_dict().items() if "depth" not in k}
    info = {"step": 1, "train": {}, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "c", {"ema": tensors}, info)
    with pytest.raises(WeightsError, match=r"(?s)another version.*encoder\.depth.*init_from"):
        load_pose_model(tmp_path / "c")


def agree(graph: Graph, path, batch, hypotheses):
    inputs = graph.example_inputs(batch, hypotheses)
    with torch.no_grad():
        expected = graph(*inputs)
    for name, ours, theirs in zip(graph.OUTPUTS, expected, run(graph, path, inputs), strict=True):
        # Pixels span half the input size where the network's own units span one.
        atol = 5e-4 * (32 if name.startswith("keypoints") else 1)
        np.testing.assert_allclose(theirs, ours.numpy(), atol=atol, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_torch_and_onnx_agree_at_any_batch_and_number_of_hypotheses(denoiser, tmp_path):
    graph = DenoiserGraph(make_model(denoiser), 4)
    export_onnx(graph, tmp_path / "denoiser.onnx", half=False)
    for batch, hypotheses in ((1, 1), (2, 3), (3, 16)):
        agree(graph, tmp_path / "denoiser.onnx", batch, hypotheses)


def test_encoder_and_head_agree_with_torch(tmp_path):
    model = make_model()
    for graph in (EncoderGraph(model.encoder.backbone, 64), HeadGraph(model)):
        export_onnx(graph, tmp_path / "graph.onnx", half=False)
        for batch in (1, 3):
            agree(graph, tmp_path / "graph.onnx", batch, 1)


def test_half_precision_halves_the_file_and_changes_little(tmp_path):
    graph = HeadGraph(make_model())
    export_onnx(graph, tmp_path / "full.onnx", half=False)
    export_onnx(graph, tmp_path / "half.onnx", half=True)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    inputs = graph.example_inputs(1, 2)
    half, full = (run(graph, tmp_path / f"{name}.onnx", inputs) for name in ("half", "full"))
    np.testing.assert_allclose(half[1], full[1], atol=1.0)  # keypoints [px]
    np.testing.assert_allclose(half[2], full[2], rtol=0.02)  # their stds


def test_checkpoint_to_weights_folder(tmp_path):
    model = make_model()
    save_checkpoint(
        tmp_path / "checkpoint", {"ema": model.state_dict()},
        {"step": 7, "train": {"seed": 3}, "model": model.config.to_json()},
    )  # fmt: skip
    export_checkpoint(tmp_path / "checkpoint", tmp_path / "w", num_inference_steps=2,
                      num_hypotheses=4, card={"metrics": {"joint_mean_deg": 1.0}})  # fmt: skip
    card = json.loads((tmp_path / "w" / "model.json").read_text())
    assert card["training"] == {"steps": 7, "seed": 3}
    assert card["metrics"] == {"joint_mean_deg": 1.0}
    assert card["input_size"] == 64
    assert {path.name for path in (tmp_path / "w").iterdir()} == {
        "encoder.onnx", "head.onnx", "denoiser.onnx", "model.json",
    }  # fmt: skip
    assert card["encoder"] == hashlib.sha256(
        (tmp_path / "w" / "encoder.onnx").read_bytes()).hexdigest()  # fmt: skip


def test_missing_and_broken_checkpoints_are_named(tmp_path):
    with pytest.raises(WeightsError, match="no readable checkpoint"):
        export_checkpoint(tmp_path / "no", tmp_path, num_inference_steps=2, num_hypotheses=4)
    model = make_model()
    info = {"step": 7, "train": {}, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "c", {"ema": model.state_dict()}, info)
    broken = (tmp_path / "c" / "ema.safetensors").read_bytes()[:1000]
    (tmp_path / "c" / "ema.safetensors").write_bytes(broken)
    with pytest.raises(WeightsError, match="ema.safetensors"):
        export_checkpoint(tmp_path / "c", tmp_path, num_inference_steps=2, num_hypotheses=4)


def test_a_start_is_small_and_loads_like_a_checkpoint(tmp_path):
    model = make_model()
    tensors = {"ema": model.state_dict(), "model": model.state_dict()}
    info = {"step": 7, "train": {"data": ["/somewhere"]}, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "c", tensors, info)
    save_start(tmp_path / "c", tmp_path / "start")
    assert [p.name for p in sorted((tmp_path / "start").iterdir())] == [
        "checkpoint.json", "ema.safetensors"
    ]  # fmt: skip
    assert "somewhere" not in (tmp_path / "start" / "checkpoint.json").read_text()
    loaded, _ = load_pose_model(tmp_path / "start")
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], atol=2e-3, rtol=1e-3)
