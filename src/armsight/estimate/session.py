"""The exported network: one ONNX graph (encoder and unrolled sampler) and its card.

ONNX Runtime computes a whole graph, whichever outputs are asked for. So a folder may also hold
`encoder.onnx`, the same graph cut off before the sampler, for looks that need no hypotheses.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from armsight.errors import WeightsError

Array = NDArray[np.floating]

FORMAT = "armsight-weights/1"
DEFAULT_HYPOTHESES = 16
VIDEO_HYPOTHESES = 4
"""For video fewer do, since the last frame says much already; a card may name others."""
INPUTS = ("image", "camera", "noise")
PERCEIVED = ("presence", "keypoints_2d", "keypoints_std", "keypoints_seen")
SAMPLED = ("joint_positions", "keypoints_state")


MOST_THREADS = 4
"""The network is small: two threads on two cores were slower than one (docs/results.md), and the
other core has decoding, drawing and encoding to do."""


@dataclass(frozen=True)
class Reading:
    """What the network says of B crops: K keypoints, H hypotheses, J joints."""

    presence: Array
    """(B,) probability that the robot is in the crop"""
    keypoints_2d: Array
    """(B, K, 2) [crop px]"""
    keypoints_std: Array
    """(B, K) [crop px]"""
    keypoints_seen: Array
    """(B, K) probability that the keypoint is in the image and not hidden"""
    joint_positions: Array
    """(B, H, J) [rad]"""
    keypoints_state: Array
    """(B, H, K, 3): each hypothesis' own u, v [crop px] and log relative depth"""


class Session:
    """The network in a weights folder: `model.onnx`, `model.json`, and perhaps `encoder.onnx`."""

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        """Load the weights.

        Args:
            folder: holds `model.onnx` and `model.json`.
            threads: CPU threads; 0 for half of the cores, at most MOST_THREADS.

        Raises:
            WeightsError: files are missing, broken, or of another format.
        """
        threads = threads or max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
        self.folder = Path(folder)
        self.card = _read_card(self.folder)
        self.input_size = int(self.card["input_size"])
        self.num_hypotheses = int(self.card.get("num_hypotheses", DEFAULT_HYPOTHESES))
        self.num_video_hypotheses = int(self.card.get("num_video_hypotheses", VIDEO_HYPOTHESES))
        self._model = _load(self.folder / "model.onnx", INPUTS, (*PERCEIVED, *SAMPLED), threads)
        self._encoder: Any = None
        if (self.folder / "encoder.onnx").is_file():
            self._encoder = _load(self.folder / "encoder.onnx", ("image",), PERCEIVED, threads)
        noise = next(node for node in self._model.get_inputs() if node.name == "noise")
        self._noise_shape: tuple[int, int] = tuple(noise.shape[2:])

    def noise(self, hypotheses: int, seed: int = 0) -> NDArray[np.float32]:
        """The sampler's starting noise (H, T, D), the same for the same seed.

        It does not depend on the batch, so an image gets the same answer alone and in a batch;
        and the first hypotheses are the same for every H.
        """
        rng = np.random.default_rng(seed)
        return rng.standard_normal((hypotheses, *self._noise_shape), dtype=np.float32)

    def read(
        self, crops: NDArray[np.uint8], cameras: NDArray[np.float32], hypotheses: int, seed: int = 0
    ) -> Reading:
        """Run the network.

        Args:
            crops: (B, S, S, 3) RGB.
            cameras: (B, 4), see `armsight.estimate.preprocess.camera_token`.
            hypotheses: how many samples per crop; 0 asks for presence and keypoints only.
            seed: of the sampler's noise.
        """
        feed: dict[str, NDArray[Any]] = {"image": crops, "camera": cameras}
        if hypotheses == 0 and self._encoder is not None:
            values = _run(self._encoder, PERCEIVED, feed)
            B, K = values["keypoints_seen"].shape
            values["joint_positions"] = np.zeros((B, 0, len(self.card["joint_names"])))
            values["keypoints_state"] = np.zeros((B, 0, K, 3))
        else:
            # Empty hypotheses would break the graph's reshapes: ask for one, and drop it.
            noise = self.noise(max(1, hypotheses), seed)
            feed["noise"] = noise[None].repeat(len(crops), axis=0)
            values = _run(self._model, (*PERCEIVED, *SAMPLED), feed)
            for name in SAMPLED:
                values[name] = values[name][:, :hypotheses]
        presence = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
        return Reading(presence=presence, **values)


def _run(session: Any, names: tuple[str, ...], feed: dict[str, NDArray[Any]]) -> dict[str, Array]:
    given = {node.name for node in session.get_inputs()}
    outputs = session.run(names, {name: array for name, array in feed.items() if name in given})
    return {n: np.asarray(value, dtype=float) for n, value in zip(names, outputs, strict=True)}


def _load(path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...], threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Planning which tensors share memory takes seconds for an unrolled sampler, and saves nothing.
    options.enable_mem_reuse = False
    options.log_severity_level = 3  # warnings of the optimiser are not for users
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has no common base class of its own
        raise WeightsError(f"cannot load {path}: {error}") from error
    there = {node.name for node in (*session.get_inputs(), *session.get_outputs())}
    if missing := [name for name in (*inputs, *outputs) if name not in there]:
        raise WeightsError(f"{path} has no {', '.join(missing)}; export it again")
    return session


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    if not path.is_file() or not (folder / "model.onnx").is_file():
        raise WeightsError(
            f"{folder} has no model.onnx and model.json; make them with `armsight export`"
        )
    try:
        card: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is broken: {error}") from error
    if card.get("format") != FORMAT:
        raise WeightsError(
            f"{path} has format {card.get('format')!r}, and this version reads {FORMAT!r}; "
            "update armsight or export the weights again"
        )
    for key in ("robot", "input_size", "keypoint_names", "joint_names"):
        if key not in card:
            raise WeightsError(f"{path} lacks {key!r}; export the weights again")
    return card
