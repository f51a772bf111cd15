"""Weights without learning: a small ONNX graph with the exported model's inputs and outputs.

It sees an arm in any bright enough picture, always in the same place of its crop, which is enough
to run everything around the network. `ARM` is the pose that it answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx.utils
from numpy.typing import NDArray
from onnx import helper

from armsight.geometry import intrinsics_from_fov, make_transform, project, transform_points
from tests.charted_arm import ROBOT
from tests.fake_graph import BYTE, REAL, Tensor, write_graph

SIZE = 64
DARK = 40.0
"""Mean grey value below which the fake sees no robot."""
ANGLES = np.array([0.1, -0.7, 0.05, -2.2, 0.1, 1.6, 0.8])


def crop_keypoints() -> NDArray[Any]:
    """The arm's keypoints (K, 2) in the crop: 4/5 of its width, so that the crop stays put."""
    R = np.array([[0.2, 0.98, 0], [0, 0, -1], [-0.98, 0.2, 0]])
    points = transform_points(make_transform(R, [0, 0.4, 1.7]), ROBOT.keypoints(ANGLES))
    pixels = project(points, intrinsics_from_fov(SIZE, SIZE, 45))
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    centred: NDArray[Any] = (pixels - (low + high) / 2) * (0.8 * SIZE / (high - low).max())
    return centred + (SIZE - 1) / 2


def write_fake_weights(folder: Path, encoder: bool = False, **card: Any) -> Path:
    """Write `model.onnx`, `model.json` and perhaps `encoder.onnx`; `card` adds to the card."""
    count, joints = len(ROBOT.keypoint_names), len(ROBOT.joint_names)
    constants = {
        "keypoints": crop_keypoints()[None].astype(np.float32),
        "std": np.full((1, count), 0.5, np.float32),
        "seen": np.full((1, count), 0.9, np.float32),
        "angles": ANGLES.astype(np.float32)[None, None],
        "dark": np.float32(DARK),
        "spread": np.float32(0.03),
        "one": np.float32(1.0),
        "joint_start": np.array([0, 0]),
        "joint_end": np.array([joints, 1]),
        "point_start": np.array([joints]),
        "point_end": np.array([joints + count]),
        "axes": np.array([2, 3]),
        "axis_2": np.array([2]),
        "axis_3": np.array([3]),
        "zero_index": np.array([0]),
        "one_index": np.array([1]),
        "axis_1": np.array([1]),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["float_image"], to=REAL),
        node("ReduceMean", ["float_image"], ["grey"], axes=[1, 2, 3], keepdims=0),
        node("Sub", ["grey", "dark"], ["presence"]),
        node("Slice", ["camera", "zero_index", "one_index", "axis_1"], ["one_camera"]),
        node("Sub", ["one_camera", "one_camera"], ["zero"]),
        node("Unsqueeze", ["zero", "axis_2"], ["zero_2d"]),
        node("Add", ["zero_2d", "keypoints"], ["keypoints_2d"]),
        node("Add", ["zero", "std"], ["keypoints_std"]),
        node("Add", ["zero", "seen"], ["keypoints_seen"]),
        node("Slice", ["noise", "joint_start", "joint_end", "axes"], ["joint_noise_4d"]),
        node("Squeeze", ["joint_noise_4d", "axis_3"], ["joint_noise"]),
        node("Mul", ["joint_noise", "spread"], ["deviation"]),
        node("Add", ["deviation", "angles"], ["joint_positions"]),
        node("Slice", ["noise", "point_start", "point_end", "axis_2"], ["keypoints_state"]),
    ]
    card = {
        "format": "armsight-weights/1",
        "robot": "panda",
        "input_size": SIZE,
        "joint_names": ROBOT.joint_names,
        "keypoint_names": ROBOT.keypoint_names,
        **card,
    }
    inputs: list[Tensor] = [
        ("image", BYTE, ["B", SIZE, SIZE, 3]),
        ("camera", REAL, ["B", 4]),
        ("noise", REAL, ["B", "H", joints + count, 3]),
    ]
    outputs: list[Tensor] = [
        ("presence", REAL, ["B"]),
        ("keypoints_2d", REAL, ["B", count, 2]),
        ("keypoints_std", REAL, ["B", count]),
        ("keypoints_seen", REAL, ["B", count]),
        ("joint_positions", REAL, ["B", "H", joints]),
        ("keypoints_state", REAL, ["B", "H", count, 3]),
    ]
    write_graph(folder, nodes, inputs, outputs, constants, card)
    if encoder:
        seen = ["presence", "keypoints_2d", "keypoints_std", "keypoints_seen"]
        source, target = str(folder / "model.onnx"), str(folder / "encoder.onnx")
        onnx.utils.extract_model(source, target, ["image", "camera"], seen)
    return folder
