"""From a training checkpoint to runtime weights: ONNX graphs and their card.

A pose model becomes three graphs, so that robots can share the first: `encoder.onnx` with the
preprocessing, `head.onnx`, and `denoiser.onnx` with the whole unrolled sampler. An action model is
one. Batch and hypotheses are dynamic. Weights are stored in half precision and widened when the
graph is loaded; it computes in single precision.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from armsight.card import write_card
from armsight.errors import WeightsError
from armsight.files import atomic_write
from armsight.models.action_model import ActionModelConfig, ActionNetwork
from armsight.models.checkpoint import (
    load_action_model,
    load_pose_model,
    model_kind,
    read_info,
)
from armsight.models.graphs import ActionGraph, DenoiserGraph, EncoderGraph, Graph, HeadGraph
from armsight.models.pose_model import PoseModelConfig
from armsight.models.shared_model import SharedPoseModelConfig
from armsight.robots import load_robot

POSE_FORMAT = "armsight-weights/2"
ACTION_FORMAT = "armsight-actions/2"
OPSET = 18
DEFAULT_GAP_S = 0.15
"""Between keyframes, where a user says nothing: 3 control steps at 20 Hz"""
SMALLEST_HALVED = 256
"""Tensors with fewer numbers stay in single precision: they are biases and constants."""


def export_onnx(graph: Graph, path: Path, *, half: bool) -> None:
    """Write a graph of graphs.py as ONNX.

    Args:
        graph: of a model in evaluation mode.
        half: store the weights as float16.
    """
    import onnx

    # A batch of one would be taken for a constant; two keeps the axis dynamic.
    inputs = graph.example_inputs(2, 3)
    with atomic_write(path) as temporary, torch.no_grad():
        with warnings.catch_warnings():
            # Shapes that tracing takes for constants are constants; tests compare with torch.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.eval(),
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


def _carry_robot(info: dict[str, Any], config: PoseModelConfig, out: Path) -> None:
    """Copy the data file of a robot that is not the package's."""
    trained = info["train"].get("robot", config.robot)
    trained = [trained] if isinstance(trained, str) else trained
    path = next((Path(r) for r in trained if Path(r).stem == config.robot), Path(config.robot))
    if path.suffix != ".json":
        return
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
    robots: tuple[str, ...] = (),
    half: bool = True,
    card: dict[str, Any] | None = None,
) -> list[Path]:
    """Write graphs and the card `model.json` into `out`; return the weights folders.

    A checkpoint of several robots becomes a folder for each in `out`, and the folder `encoder` that
    they share. A robot that does not come with the package travels along, as `<name>.json` and
    `<name>.npz`.

    Args:
        robots: of a checkpoint of several: which; all by default.
        card: further entries of the model card (data, metrics, calibration, thresholds).

    Raises:
        WeightsError: there is no readable checkpoint, or a robot is not in it.
        UnknownRobotError: the data file of its robot is not where it was when training began.
    """
    info = read_info(checkpoint)
    settings = {"num_inference_steps": num_inference_steps, "num_hypotheses": num_hypotheses}
    if model_kind(info) == ActionModelConfig.kind:
        actions, _ = load_action_model(checkpoint)
        export_action_model(actions, info, out, half=half, card=card, **settings)
        return [out]
    names: tuple[str | None, ...] = robots or (None,)
    if model_kind(info) == SharedPoseModelConfig.kind:
        names = robots or SharedPoseModelConfig.from_json(info["model"]).robot_names
    several = len(names) > 1
    folders: list[Path] = []
    for name in names:
        model, _ = load_pose_model(checkpoint, robot=name)
        folder = out / model.config.robot if several else out
        _carry_robot(info, model.config, folder)
        encoder = (out / "encoder" if several else out) / "encoder.onnx"
        if not folders:
            backbone = model.encoder.backbone
            export_onnx(EncoderGraph(backbone, model.config.input_size), encoder, half=half)
        export_onnx(HeadGraph(model), folder / "head.onnx", half=half)
        denoiser = DenoiserGraph(model, num_inference_steps)
        export_onnx(denoiser, folder / "denoiser.onnx", half=half)
        own = _pose_card(model.config, encoder)
        _write_card(folder, own, model.config, settings, info, card)
        folders.append(folder)
    return folders


def export_action_model(
    model: ActionNetwork,
    info: dict[str, Any],
    out: Path,
    *,
    num_inference_steps: int,
    num_hypotheses: int,
    half: bool = True,
    card: dict[str, Any] | None = None,
) -> None:
    """Write the graph and the card of an action model into `out`.

    Args:
        model: in evaluation mode.
        info: the JSON of its checkpoint.
    """
    settings = {"num_inference_steps": num_inference_steps, "num_hypotheses": num_hypotheses}
    export_onnx(ActionGraph(model, num_inference_steps), out / "model.onnx", half=half)
    _write_card(out, _action_card(model.config), model.config, settings, info, card)


def _write_card(
    folder: Path, own: dict[str, Any], config: PoseModelConfig | ActionModelConfig,
    settings: dict[str, Any], info: dict[str, Any], card: dict[str, Any] | None,
) -> None:  # fmt: skip
    content = {
        **own,
        "input_size": config.input_size,
        **settings,
        "denoiser": config.denoiser.name,
        "prediction_type": config.diffusion.prediction_type,
        "training": {"steps": info["step"], **info["train"]},
        **(card or {}),
    }
    write_card(folder, content)


def _pose_card(config: PoseModelConfig, encoder: Path) -> dict[str, Any]:
    return {
        "format": POSE_FORMAT,
        "encoder": hashlib.sha256(encoder.read_bytes()).hexdigest(),
        "robot": config.robot,
        "keypoint_names": config.keypoint_names,
        "joint_names": config.joint_names,
    }


def _action_card(config: ActionModelConfig) -> dict[str, Any]:
    spec = config.action_spec
    return {
        "format": ACTION_FORMAT,
        "task": spec.dataset,
        "robot": config.robot,
        "max_stride": config.max_stride,
        "default_stride": min(max(1, round(DEFAULT_GAP_S * spec.rate_hz)), config.max_stride),
        # Only an end effector's path can be tracked by the simulated arm.
        "default_route": "track" if spec.has_end_effector else "direct",
        "action_spec": spec.to_json(),
    }
