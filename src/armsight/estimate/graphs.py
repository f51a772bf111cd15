"""The ONNX graphs behind a session: three that share an encoder, or a single one.

`armsight export` writes three: `encoder.onnx`, whose feature maps know no robot, `head.onnx`, which
reads one robot's keypoints off them, and `denoiser.onnx`, which samples joint angles. Robots that
were trained on the same encoder share its file and its passes. Older weights are one graph.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from armsight.errors import WeightsError
from armsight.network import load_graph, run_graph

Arrays = dict[str, NDArray[Any]]

MAPS = ("stride4", "stride8", "stride16", "stride32")
PERCEIVED = ("presence", "keypoints_2d", "keypoints_std", "keypoints_seen")
DEPTHS = ("keypoints_log_depth", "keypoints_log_depth_std")
"""Weights made before these were measured lack them."""
FEATURES = "keypoint_features"
SAMPLED = ("joint_positions", "keypoints_state")
REMEMBERED = 6
"""Batches of crops whose feature maps are kept for the next robot; about 0.6 MB a crop."""


class Network(Protocol):
    """Crops to keypoints, and to states where noise is given."""

    noise_shape: tuple[int, int]
    """(T, D): tokens of a state and their channels"""

    def run(
        self, crops: NDArray[np.uint8], cameras: NDArray[Any], noise: NDArray[Any] | None
    ) -> Arrays:
        """Outputs by name; the sampled ones only with `noise` (B, H, T, D)."""
        ...


class SharedEncoder:
    """`encoder.onnx`: crops to feature maps. The same crops are encoded once for all robots."""

    def __init__(self, path: Path, threads: int, device: str) -> None:
        self._graph = load_graph(path, ("image",), MAPS, threads, device)
        self._kept: OrderedDict[bytes, Arrays] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, crops: NDArray[np.uint8]) -> Arrays:
        """The maps of crops (B, S, S, 3), by name."""
        key = hashlib.blake2b(np.ascontiguousarray(crops).data, digest_size=16).digest()
        with self._lock:
            if key not in self._kept:
                values = self._graph.run(list(MAPS), {"image": crops})
                self._kept[key] = dict(zip(MAPS, values, strict=True))
                while len(self._kept) > REMEMBERED:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


_encoders: WeakValueDictionary[tuple[str, int, str], SharedEncoder] = WeakValueDictionary()


def shared_encoder(folder: Path, digest: str, threads: int, device: str) -> SharedEncoder:
    """The encoder that a robot's weights name by its SHA-256, loaded once in a process.

    It lies in the weights folder itself, or in the folder `encoder` beside it.

    Raises:
        WeightsError: neither holds it.
    """
    places = [folder / "encoder.onnx", folder.parent / "encoder" / "encoder.onnx"]
    for path in places:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            encoder = _encoders.get((digest, threads, device))
            if encoder is None:
                encoder = SharedEncoder(path, threads, device)
                _encoders[digest, threads, device] = encoder
            return encoder
    there = ", ".join(str(path) for path in places if path.is_file())
    raise WeightsError(
        f"the weights in {folder} need the encoder that they were trained on (SHA-256 "
        f"{digest[:12]}...); "
        + (f"{there} is another one" if there else f"there is no {places[0]}")
        + "; export the weights again, or copy their encoder.onnx into the folder"
    )


class ThreeGraphs:
    """Encoder, head and denoiser; see the module's docstring."""

    def __init__(self, folder: Path, digest: str, threads: int, device: str) -> None:
        self._encoder = shared_encoder(folder, digest, threads, device)
        self._head = load_graph(
            folder / "head.onnx", MAPS, (*PERCEIVED, *DEPTHS, FEATURES), threads, device
        )
        self._denoiser = load_graph(folder / "denoiser.onnx", ("noise",), SAMPLED, threads, device)
        self.noise_shape = _noise_shape(self._denoiser)

    def run(
        self, crops: NDArray[np.uint8], cameras: NDArray[Any], noise: NDArray[Any] | None
    ) -> Arrays:
        maps = self._encoder(crops)
        values = run_graph(self._head, (*PERCEIVED, *DEPTHS, FEATURES), maps)
        features = values.pop(FEATURES)
        if noise is not None:
            measured = {**values, FEATURES: features}
            feed = {name: value.astype(np.float32) for name, value in measured.items()}
            feed |= {"stride32": maps["stride32"], "camera": cameras, "noise": noise}
            values |= run_graph(self._denoiser, SAMPLED, feed)
        return values


class OneGraph:
    """`model.onnx`: all in one, as weights of format 1 are.

    ONNX Runtime computes a whole graph, whichever outputs are asked for. So a folder may also hold
    `encoder.onnx`, the same graph cut off before the sampler, for looks that need no hypotheses.
    """

    def __init__(self, folder: Path, threads: int, device: str) -> None:
        self._model = load_graph(
            folder / "model.onnx",
            ("image", "camera", "noise"),
            (*PERCEIVED, *SAMPLED),
            threads,
            device,
        )
        self._first: Any = None
        if (folder / "encoder.onnx").is_file():
            self._first = load_graph(
                folder / "encoder.onnx", ("image",), PERCEIVED, threads, device
            )
        given = {node.name for node in self._model.get_outputs()}
        self._perceived = (*PERCEIVED, *(name for name in DEPTHS if name in given))
        self.noise_shape = _noise_shape(self._model)

    def run(
        self, crops: NDArray[np.uint8], cameras: NDArray[Any], noise: NDArray[Any] | None
    ) -> Arrays:
        feed: Arrays = {"image": crops, "camera": cameras}
        if noise is None and self._first is not None:
            return dict(run_graph(self._first, self._perceived, feed))
        if noise is None:
            # Empty hypotheses would break the graph's reshapes: ask for one, and drop it.
            feed["noise"] = np.zeros((len(crops), 1, *self.noise_shape), np.float32)
            return dict(run_graph(self._model, self._perceived, feed))
        return dict(run_graph(self._model, (*self._perceived, *SAMPLED), {**feed, "noise": noise}))


def _noise_shape(graph: Any) -> tuple[int, int]:
    noise = next(node for node in graph.get_inputs() if node.name == "noise")
    tokens, channels = noise.shape[2:]
    return int(tokens), int(channels)
