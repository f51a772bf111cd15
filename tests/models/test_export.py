"""The ONNX graph says what torch says."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from armsight.errors import WeightsError
from armsight.models.checkpoint import load_pose_model, save_checkpoint, save_start
from armsight.models.denoisers import DENOISERS, DenoiserConfig
from armsight.models.export import (
    OUTPUTS,
    RuntimeGraph,
    example_inputs,
    export_checkpoint,
    export_onnx,
)
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


def run(path, inputs):
    session = onnxruntime.InferenceSession(str(path))
    feed = dict(zip(("image", "camera", "noise"), (x.numpy() for x in inputs), strict=True))
    return session.run(list(OUTPUTS), feed)


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_torch_and_onnx_agree_at_any_batch_and_number_of_hypotheses(denoiser, tmp_path):
    model = make_model(denoiser)
    export_onnx(model, tmp_path / "model.onnx", 4, half=False)
    for batch, hypotheses in ((1, 1), (2, 3), (3, 16)):
        inputs = example_inputs(model, batch, hypotheses)
        with torch.no_grad():
            expected = RuntimeGraph(model, 4)(*inputs)
        for name, ours, theirs in zip(OUTPUTS, expected, run(tmp_path / "model.onnx", inputs),
                                      strict=True):  # fmt: skip
            # Pixels span half the input size where the network's own units span one.
            atol = 1e-4 * (32 if name.startswith("keypoints") else 1)
            np.testing.assert_allclose(theirs, ours.numpy(), atol=atol, rtol=1e-4, err_msg=name)


def test_half_precision_halves_the_file_and_changes_little(tmp_path):
    model = make_model()
    export_onnx(model, tmp_path / "full.onnx", 2, half=False)
    export_onnx(model, tmp_path / "half.onnx", 2, half=True)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    inputs = example_inputs(model, 1, 2)
    halved = make_model()
    state = halved.state_dict()
    wide = {k: v.half().float() if v.is_floating_point() and v.numel() >= 256 else v
            for k, v in state.items()}  # fmt: skip
    halved.load_state_dict(wide)
    with torch.no_grad():
        expected = RuntimeGraph(halved, 2)(*inputs)
    got = run(tmp_path / "half.onnx", inputs)
    # Folding of batch norms happens before the halving, so the two round a little differently.
    np.testing.assert_allclose(got[4], expected[4].numpy(), atol=0.05)
    np.testing.assert_allclose(got[1], run(tmp_path / "full.onnx", inputs)[1], atol=1.0)


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
    assert (tmp_path / "w" / "model.onnx").exists()


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
