"""From a training checkpoint to runtime weights: one ONNX graph and its card.

The graph holds preprocessing, encoder and the whole unrolled sampler, so that the sampler exists
in one place. Batch and hypotheses are dynamic. Weights are stored in half precision and widened
when the graph is loaded; it computes in single precision.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from armsight.errors import WeightsError
from armsight.files import atomic_write
from armsight.models.action_model import ActionModel, ActionModelConfig
from armsight.models.checkpoint import (
    load_action_model,
    load_pose_model,
    model_kind,
    read_info,
)
from armsight.models.graphs import runtime_graph
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.robots import load_robot

POSE_FORMAT = "armsight-weights/1"
ACTION_FORMAT = "armsight-actions/1"
OPSET = 18
SMALLEST_HALVED = 256
"""Tensors with fewer numbers stay in single precision: they are biases and constants."""


def export_onnx(
    model: PoseModel | ActionModel, path: Path, num_inference_steps: int, *, half: bool
) -> None:
    """Write the model as an ONNX graph.

    Args:
        model: in evaluation mode.
        num_inference_steps: DDIM steps that the graph unrolls.
        half: store the weights as float16.
    """
    import onnx

    graph = runtime_graph(model, num_inference_steps)
    # A batch of one would be taken for a constant; two keeps the axis dynamic.
    inputs = graph.example_inputs(2, 3)
    with atomic_write(path) as temporary, torch.no_grad():
        with warnings.catch_warnings():
            # Shapes that tracing takes for constants are constants; tests compare with torch.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph,
                inputs,
                str(temporary),
                input_names=list(graph.INPUTS),
                output_names=list(graph.OUTPUTS),
                dynamic_axes=graph.dynamic_axes(),
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
    info = read_info(checkpoint)
    model: PoseModel | ActionModel
    if model_kind(info) == ActionModelConfig.kind:
        model, _ = load_action_model(checkpoint)
        own = _action_card(model.config)
    else:
        model, _ = load_pose_model(checkpoint)
        own = _pose_card(model.config)
        robot = Path(info["train"].get("robot", model.config.robot))
        if robot.suffix == ".json":
            _carry_robot(robot, model.config, out)
    export_onnx(model, out / "model.onnx", num_inference_steps, half=half)
    content: dict[str, Any] = {
        **own,
        "input_size": model.config.input_size,
        "num_inference_steps": num_inference_steps,
        "num_hypotheses": num_hypotheses,
        "denoiser": model.config.denoiser.name,
        "prediction_type": model.config.diffusion.prediction_type,
        "training": {"steps": info["step"], **info["train"]},
        **(card or {}),
    }
    with atomic_write(out / "model.json") as path:
        path.write_text(json.dumps(content, indent=1) + "\n")
    return out


def _pose_card(config: PoseModelConfig) -> dict[str, Any]:
    return {
        "format": POSE_FORMAT,
        "robot": config.robot,
        "keypoint_names": config.keypoint_names,
        "joint_names": config.joint_names,
    }


def _action_card(config: ActionModelConfig) -> dict[str, Any]:
    return {
        "format": ACTION_FORMAT,
        "task": config.suite,
        "robot": config.robot,
        "max_stride": config.max_stride,
        "control_hz": config.control_hz,
        "controller": "OSC_POSE",
        "action_names": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
        "action_units": ["m", "m", "m", "rad", "rad", "rad", "-1 open, 1 close"],
        "action_scale": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0],
        "default_stride": min(3, config.max_stride),
        "default_route": "track",
    }
