"""Action weights without learning: a small ONNX graph with the exported model's interface.

With g the mean grey value of a picture over 255, and g0, g1 those of a pair at stride s, it says
for control step k of hypothesis h, with noise n:

    a = g0 + (g1 - g0) * k / s                               linear between the two
    actions      = [a, -a, a / 2, 0, 0, 0, 4 a - 2] + SPREAD * n[:7]
    ee_position  = [a, 0, 1] + SPREAD * n[7:10]              ee_rotation = identity
    gripper_opening = a                                      presence = 255 g - DARK
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from tests.fake_graph import BYTE, INTEGER, REAL, Tensor, write_graph

SIZE, STEPS, WIDTH = 32, 9, 18
DARK = 40.0
SPREAD = 0.01
GAINS = np.array([1, -1, 0.5, 0, 0, 0, 4])
OFFSETS = np.array([0, 0, 0, 0, 0, 0, -2.0])
CARD = {
    "format": "armsight-actions/1",
    "task": "libero_object",
    "robot": "panda",
    "input_size": SIZE,
    "max_stride": 8,
    "control_hz": 20,
    "action_names": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
    "action_scale": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1.0],
    "num_inference_steps": 10,
    "num_hypotheses": 4,
    "default_stride": 3,
    "default_route": "direct",
}


def true_actions(greys: Any, stride: int) -> NDArray[Any]:
    """What the fake says without noise and vote at (N - 1) * stride + 1 steps."""
    g = np.asarray(greys) / 255
    a = np.interp(np.arange((len(g) - 1) * stride + 1) / stride, np.arange(len(g)), g)
    return np.asarray(a[:, None] * GAINS + OFFSETS)


def pictures(greys: Any, width: int = SIZE, height: int = SIZE) -> NDArray[np.uint8]:
    """(N, height, width, 3) of even grey values."""
    grey = np.asarray(greys, np.uint8)[:, None, None, None]
    return np.broadcast_to(grey, (len(grey), height, width, 3)).copy()


def write_fake_action_weights(folder: Path, **card: Any) -> Path:
    """Write `model.onnx` and `model.json`; `card` changes the card, None removes a key."""
    constants = {
        "k": np.arange(STEPS, dtype=np.float32).reshape(1, 1, STEPS),
        "scale": np.float32(1 / 255),
        "dark": np.float32(DARK / 255),
        "full": np.float32(255),
        "spread": np.float32(SPREAD),
        "gains": GAINS.astype(np.float32),
        "offsets": OFFSETS.astype(np.float32),
        "ee_gains": np.array([1, 0, 0], np.float32),
        "ee_offsets": np.array([0, 0, 1], np.float32),
        "eye": np.eye(3, dtype=np.float32),
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "seven": np.array([7]),
        "ten": np.array([10]),
        "axis_3": np.array([3]),
        "axes_12": np.array([1, 2]),
        "axes_34": np.array([3, 4]),
        "index_0": np.array(0),
        "index_1": np.array(1),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["images"], ["float_images"], to=REAL),
        node("ReduceMean", ["float_images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        node("Mul", ["mean", "scale"], ["g"]),
        node("Sub", ["g", "dark"], ["above"]),
        node("Mul", ["above", "full"], ["presence"]),
        node("Gather", ["pairs", "index_0"], ["first"], axis=1),
        node("Gather", ["pairs", "index_1"], ["second"], axis=1),
        node("Gather", ["g", "first"], ["g0_flat"]),
        node("Gather", ["g", "second"], ["g1_flat"]),
        node("Unsqueeze", ["g0_flat", "axes_12"], ["g0"]),
        node("Unsqueeze", ["g1_flat", "axes_12"], ["g1"]),
        node("Unsqueeze", ["stride", "axes_12"], ["s"]),
        node("Sub", ["g1", "g0"], ["change"]),
        node("Div", ["k", "s"], ["part"]),
        node("Mul", ["change", "part"], ["moved"]),
        node("Add", ["g0", "moved"], ["a_one"]),  # (P, 1, T)
        node("Slice", ["noise", "zero", "one", "axis_3"], ["noise_one"]),
        node("Squeeze", ["noise_one", "axis_3"], ["noise_flat"]),
        node("Sub", ["noise_flat", "noise_flat"], ["nothing"]),
        node("Add", ["a_one", "nothing"], ["gripper_opening"]),  # (P, H, T)
        node("Unsqueeze", ["gripper_opening", "axis_3"], ["a"]),
        node("Mul", ["a", "gains"], ["scaled"]),
        node("Add", ["scaled", "offsets"], ["clean"]),
        node("Slice", ["noise", "zero", "seven", "axis_3"], ["noise_7"]),
        node("Mul", ["noise_7", "spread"], ["jitter"]),
        node("Add", ["clean", "jitter"], ["actions"]),
        node("Mul", ["a", "ee_gains"], ["ee_scaled"]),
        node("Add", ["ee_scaled", "ee_offsets"], ["ee_clean"]),
        node("Slice", ["noise", "seven", "ten", "axis_3"], ["noise_3"]),
        node("Mul", ["noise_3", "spread"], ["ee_jitter"]),
        node("Add", ["ee_clean", "ee_jitter"], ["ee_position"]),
        node("Unsqueeze", ["nothing", "axes_34"], ["nothing_33"]),
        node("Add", ["nothing_33", "eye"], ["ee_rotation"]),
    ]
    inputs: list[Tensor] = [
        ("images", BYTE, ["N", SIZE, SIZE, 3]),
        ("pairs", INTEGER, ["P", 2]),
        ("stride", REAL, ["P"]),
        ("noise", REAL, ["P", "H", STEPS, WIDTH]),
    ]
    outputs: list[Tensor] = [
        ("actions", REAL, ["P", "H", STEPS, 7]),
        ("ee_position", REAL, ["P", "H", STEPS, 3]),
        ("ee_rotation", REAL, ["P", "H", STEPS, 3, 3]),
        ("gripper_opening", REAL, ["P", "H", STEPS]),
        ("presence", REAL, ["N"]),
    ]
    content = {name: value for name, value in {**CARD, **card}.items() if value is not None}
    return write_graph(folder, nodes, inputs, outputs, constants, content)
