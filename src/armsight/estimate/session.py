"""The exported network: one ONNX graph (encoder and unrolled sampler) and its card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from armsight.errors import WeightsError

Array = NDArray[np.floating]

FORMAT = "armsight-weights/1"
INPUTS = ("image", "camera", "noise")
PERCEIVED = ("presence", "keypoints_2d", "keypoints_std", "keypoints_seen")
SAMPLED = ("joint_positions", "keypoints_state")


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
    """The network in a weights folder: `model.onnx` and `model.json`."""

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        """Load the weights.

        Args:
            folder: holds `model.onnx` and `model.json`.
            threads: CPU threads; 0 lets ONNX Runtime choose.

        Raises:
            WeightsError: files are missing, broken, or of another format.
        """
        self.folder = Path(folder)
        self.card = _read_card(self.folder)
        self.input_size = int(self.card["input_size"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # warnings of the optimiser are not for users
        model = self.folder / "model.onnx"
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common base class of its own
            raise WeightsError(f"cannot load {model}: {error}") from error
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        missing = [n for n in INPUTS if n not in inputs]
        missing += [n for n in (*PERCEIVED, *SAMPLED) if n not in outputs]
        if missing:
            raise WeightsError(f"{model} has no {', '.join(missing)}; export it again")
        self._noise_shape: tuple[int, int] = tuple(inputs["noise"].shape[2:])

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
            hypotheses: how many samples per crop; 0 asks for presence and keypoints only, which
                costs little more than the encoder.
            seed: of the sampler's noise.
        """
        noise = self.noise(hypotheses, seed)[None].repeat(len(crops), axis=0)
        feed = {"image": crops, "camera": cameras, "noise": noise}
        names = (*PERCEIVED, *SAMPLED)
        values = dict(zip(names, self._session.run(names, feed), strict=True))
        values = {name: np.asarray(value, dtype=float) for name, value in values.items()}
        presence = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
        return Reading(presence=presence, **values)


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
