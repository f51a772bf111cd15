"""Other systems' encoders, ViT-B/16 and ResNet-50, as ONNX graphs with random weights.

Speed does not depend on the weights' values, so the true architectures are enough to compare with:
17.6 and 4.1 billion multiply-adds for a 224x224 image.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from armsight.errors import MissingExtraError

SIDE = 224
CLASSES = 1000


class GraphBuilder:
    """Collects nodes and weights; each method adds a layer and returns its output's name."""

    def __init__(self, name: str) -> None:
        try:
            import onnx
        except ImportError:
            raise MissingExtraError(
                "comparing with other encoders", "onnx", "pip install onnx"
            ) from None
        self.onnx, self.name = onnx, name
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._rng = np.random.default_rng(0)

    def weight(self, *shape: int) -> str:
        """Random values of a size that keeps activations near one."""
        fan_in = int(np.prod(shape[1:])) or 1
        values = self._rng.standard_normal(shape, dtype=np.float32) / np.sqrt(fan_in)
        return self.constant(values.astype(np.float32))

    def constant(self, values: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x: str, n_in: int, n_out: int) -> str:
        product = self.node("MatMul", x, self.weight(n_in, n_out))
        return str(self.node("Add", product, self.weight(n_out)))

    def conv(self, x: str, n_in: int, n_out: int, size: int, stride: int = 1) -> str:
        """Convolution with bias: batch norm is folded into it at inference."""
        pad = size // 2
        weights = (self.weight(n_out, n_in, size, size), self.weight(n_out))
        return str(self.node("Conv", x, *weights, strides=[stride] * 2, pads=[pad] * 4))

    def model(self, output: str) -> Any:
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        image = helper.make_tensor_value_info("image", kind, [1, 3, SIDE, SIDE])
        scores = helper.make_tensor_value_info(output, kind, [1, CLASSES])
        graph = helper.make_graph(self.nodes, self.name, [image], [scores], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        model.ir_version = 9
        return model


def vit_b16() -> Any:
    """ViT-B/16 (Dosovitskiy et al. 2021): 12 layers, width 768, 12 heads, 196 patches + 1."""
    g, d, heads, tokens = GraphBuilder("vit_b16"), 768, 12, (SIDE // 16) ** 2 + 1

    def norm(x: str) -> str:
        return str(g.node("LayerNormalization", x, g.weight(d), g.weight(d)))

    patches = g.node("Conv", "image", g.weight(d, 3, 16, 16), g.weight(d), strides=[16, 16])
    flat = g.node("Reshape", patches, g.constant(np.array([1, d, tokens - 1])))
    x = g.node("Concat", g.weight(1, 1, d), g.node("Transpose", flat, perm=[0, 2, 1]), axis=1)
    x = g.node("Add", x, g.weight(1, tokens, d))
    split = g.constant(np.array([1, tokens, 3, heads, d // heads]))
    merge, scale = g.constant(np.array([1, tokens, d])), g.constant(np.float32((heads / d) ** 0.5))
    for _ in range(12):
        qkv = g.node("Reshape", g.linear(norm(x), d, 3 * d), split)
        qkv = g.node("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        q, k, v = (
            g.node("Squeeze", part, g.constant(np.array([0])))
            for part in g.node("Split", qkv, outputs=3, axis=0, num_outputs=3)
        )
        scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2]))
        attention = g.node("Softmax", g.node("Mul", scores, scale), axis=-1)
        seen = g.node("Transpose", g.node("MatMul", attention, v), perm=[0, 2, 1, 3])
        x = g.node("Add", x, g.linear(g.node("Reshape", seen, merge), d, d))
        hidden = g.node("Gelu", g.linear(norm(x), d, 4 * d))
        x = g.node("Add", x, g.linear(hidden, 4 * d, d))
    first = g.node("Gather", norm(x), g.constant(np.array(0)), axis=1)
    return g.model(g.linear(first, d, CLASSES))


def resnet50() -> Any:
    """ResNet-50 (He et al. 2016), stride in the 3x3 convolutions as in torchvision."""
    g = GraphBuilder("resnet50")
    x = g.node("Relu", g.conv("image", 3, 64, 7, stride=2))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    width = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner = 64 * 2**stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = g.node("Relu", g.conv(x, width, inner, 1))
            y = g.node("Relu", g.conv(y, inner, inner, 3, stride))
            y = g.conv(y, inner, 4 * inner, 1)
            if block == 0:
                x = g.conv(x, width, 4 * inner, 1, stride)
            x, width = g.node("Relu", g.node("Add", x, y)), 4 * inner
    pooled = g.node("Flatten", g.node("GlobalAveragePool", x))
    return g.model(g.linear(pooled, width, CLASSES))


PEERS: dict[str, Callable[[], Any]] = {"vit_b16": vit_b16, "resnet50": resnet50}


def forward_ms(name: str, threads: int, repeats: int) -> float:
    """Median time [ms] of one forward pass of a peer's encoder in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        PEERS[name]().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    image = np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE), dtype=np.float32)
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        session.run(None, {"image": image})
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[2:]))


if __name__ == "__main__":  # in a process of its own: a ViT's weights take a third of a gigabyte
    print(json.dumps(forward_ms(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
