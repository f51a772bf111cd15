"""From a training checkpoint to runtime weights: one ONNX graph and its card.

The graph holds preprocessing, encoder and the whole unrolled sampler, so that the sampler exists
in one place. Batch and hypotheses are dynamic. Weights are stored in half precision and widened
when the graph is loaded; it computes in single precision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from armsight.errors import WeightsError
from armsight.files import atomic_write
from armsight.models.checkpoint import load_pose_model
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.models.state_model import measure
from armsight.robots import load_robot

FORMAT = "armsight-weights/1"
OPSET = 18
OUTPUTS = (
    "presence",
    "keypoints_2d",
    "keypoints_std",
    "keypoints_seen",
    "joint_positions",
    "keypoints_state",
)
SMALLEST_HALVED = 256
"""Tensors with fewer numbers stay in single precision: they are biases and constants."""


class RuntimeGraph(nn.Module):
    """What is exported: uint8 images in, physical units out."""

    def __init__(self, model: PoseModel, num_inference_steps: int) -> None:
        super().__init__()
        self.model, self.num_inference_steps = model, num_inference_steps

    def forward(self, image: Tensor, camera: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """image (B, S, S, 3) uint8 RGB, camera (B, 4), noise (B, H, T, D).

        Returns:
            presence (B,) logit, keypoints_2d (B, K, 2) [px of the crop], keypoints_std (B, K)
            [px], keypoints_seen (B, K) probability, joint_positions (B, H, J) [rad],
            keypoints_state (B, H, K, 3): u, v [px of the crop], log relative depth.
        """
        encoding = self.model.encoder(image.permute(0, 3, 1, 2).float())
        context = self.model.context(measure(encoding, camera), encoding)
        states = self.model.sample(context, noise, self.num_inference_steps)
        half = self.model.config.input_size / 2
        keypoints = states["keypoints"]
        pixels = keypoints[..., :2] * half + (half - 0.5)
        return (
            encoding.presence,
            encoding.keypoints_2d,
            encoding.keypoints_log_std.exp(),
            torch.sigmoid(encoding.keypoints_seen),
            states["joint_positions"][..., 0],
            torch.cat([pixels, keypoints[..., 2:]], -1),
        )


def example_inputs(model: PoseModel, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
    """Random inputs of the graph's shapes."""
    g = torch.Generator().manual_seed(0)
    size = model.config.input_size
    image = torch.randint(0, 256, (batch, size, size, 3), generator=g, dtype=torch.uint8)
    noise = torch.randn(batch, hypotheses, model.spec.num_tokens, model.spec.dim, generator=g)
    return image, 0.3 * torch.randn(batch, 4, generator=g), noise


def export_onnx(model: PoseModel, path: Path, num_inference_steps: int, *, half: bool) -> None:
    """Write the model as an ONNX graph.

    Args:
        model: in evaluation mode.
        num_inference_steps: DDIM steps that the graph unrolls.
        half: store the weights as float16.
    """
    import onnx

    graph = RuntimeGraph(model, num_inference_steps).eval()
    # A batch of one would be taken for a constant; two keeps the axis dynamic.
    inputs = example_inputs(model, 2, 3)
    dynamic = {name: {0: "batch"} for name in ("image", "camera", "noise", *OUTPUTS)}
    for name in ("noise", "joint_positions", "keypoints_state"):
        dynamic[name][1] = "hypotheses"
    with atomic_write(path) as temporary, torch.no_grad():
        torch.onnx.export(
            graph,
            inputs,
            str(temporary),
            input_names=["image", "camera", "noise"],
            output_names=list(OUTPUTS),
            dynamic_axes=dynamic,
            opset_version=OPSET,
            dynamo=False,
        )
        proto = onnx.load(str(temporary))
        if half:
            store_half(proto)
        onnx.checker.check_model(proto)
        onnx.save(proto, str(temporary))


def store_half(proto: Any) -> None:
    """Turn large float32 initialisers into float16 ones with a Cast behind each."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        name = tensor.name
        limit = float(np.finfo(np.float16).max)
        narrow = np.clip(values, -limit, limit).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(narrow, f"{name}.half"))
        cast = onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    for cast in reversed(casts):
        proto.graph.node.insert(0, cast)


def _carry_robot(path: Path, config: PoseModelConfig, out: Path) -> None:
    robot = load_robot(path)
    if robot.keypoint_names != config.keypoint_names or robot.joint_names != config.joint_names:
        raise WeightsError(
            f"the data file {path} has other joints or keypoints than the checkpoint was "
            "trained for; put the old file back, or train again"
        )
    for source in (path, robot.folder / f"{robot.name}.npz"):
        with atomic_write(out / f"{robot.name}{source.suffix}") as copy:
            copy.write_bytes(source.read_bytes())


def export_checkpoint(
    checkpoint: Path,
    out: Path,
    *,
    num_inference_steps: int,
    num_hypotheses: int,
    half: bool = True,
    card: dict[str, Any] | None = None,
) -> Path:
    """Write `<out>/model.onnx` and `<out>/model.json`; return `out`.

    A robot that does not come with the package travels along, as `<name>.json` and `<name>.npz`.

    Args:
        card: further entries of the model card (data, metrics, calibration, thresholds).

    Raises:
        WeightsError: there is no readable checkpoint.
        UnknownRobotError: the data file of its robot is not where it was when training began.
    """
    model, info = load_pose_model(checkpoint)
    robot = Path(info["train"].get("robot", model.config.robot))
    if robot.suffix == ".json":
        _carry_robot(robot, model.config, out)
    export_onnx(model, out / "model.onnx", num_inference_steps, half=half)
    config = model.config
    content: dict[str, Any] = {
        "format": FORMAT,
        "robot": config.robot,
        "input_size": config.input_size,
        "keypoint_names": config.keypoint_names,
        "joint_names": config.joint_names,
        "num_inference_steps": num_inference_steps,
        "num_hypotheses": num_hypotheses,
        "denoiser": config.denoiser.name,
        "prediction_type": config.diffusion.prediction_type,
        "training": {"steps": info["step"], **info["train"]},
        **(card or {}),
    }
    with atomic_write(out / "model.json") as path:
        path.write_text(json.dumps(content, indent=1) + "\n")
    return out
