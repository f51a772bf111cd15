"""A weights folder with a hand-made ONNX graph in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REAL, INTEGER, BYTE = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
Tensor = tuple[str, int, Sequence[int | str]]
"""Name, type and sides"""


def write_graph(
    folder: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    constants: Mapping[str, Any],
    card: Mapping[str, Any],
) -> Path:
    """Write `model.onnx` and its card, `model.json`."""
    graph = helper.make_graph(
        nodes,
        "fake",
        [helper.make_tensor_value_info(*tensor) for tensor in inputs],
        [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "model.json").write_text(json.dumps(card))
    return folder
