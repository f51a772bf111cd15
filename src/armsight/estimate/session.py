"""The exported network: one ONNX graph (encoder and unrolled sampler) and its card.

ONNX Runtime computes a whole graph, whichever outputs are asked for. So a folder may also hold
`encoder.onnx`, the same graph cut off before the sampler, for looks that need no hypotheses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.network import load_graph, read_card, run_graph

Array = NDArray[np.floating]

FORMAT = "armsight-weights/1"
DEFAULT_HYPOTHESES = 16
VIDEO_HYPOTHESES = 4
"""For video fewer do, since the last frame says much already; a card may name others."""
INPUTS = ("image", "camera", "noise")
PERCEIVED = ("presence", "keypoints_2d", "keypoints_std", "keypoints_seen")
DEPTHS = ("keypoints_log_depth", "keypoints_log_depth_std")
"""Weights made before these were measured lack them."""
SAMPLED = ("joint_positions", "keypoints_state")
CARD_KEYS = ("robot", "input_size", "keypoint_names", "joint_names")


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
    keypoints_log_depth: Array
    """(B, K) log of depth [m] over focal length [crops], log(z S / f)"""
    keypoints_log_depth_std: Array
    """(B, K) infinite where the weights do not tell it"""
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
            threads: CPU threads; 0 for `armsight.network.default_threads()`.

        Raises:
            WeightsError: files are missing, broken, or of another format.
        """
        self.folder = Path(folder)
        self.card = read_card(self.folder, FORMAT, CARD_KEYS)
        self.input_size = int(self.card["input_size"])
        self.num_hypotheses = int(self.card.get("num_hypotheses", DEFAULT_HYPOTHESES))
        self.num_video_hypotheses = int(self.card.get("num_video_hypotheses", VIDEO_HYPOTHESES))
        self._model = load_graph(
            self.folder / "model.onnx", INPUTS, (*PERCEIVED, *SAMPLED), threads
        )
        self._encoder: Any = None
        if (self.folder / "encoder.onnx").is_file():
            self._encoder = load_graph(self.folder / "encoder.onnx", ("image",), PERCEIVED, threads)
        given = {node.name for node in self._model.get_outputs()}
        self._perceived = (*PERCEIVED, *(name for name in DEPTHS if name in given))
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
            cameras: (B, 4), see `armsight.camera.crops.camera_token`.
            hypotheses: how many samples per crop; 0 asks for presence and keypoints only.
            seed: of the sampler's noise.
        """
        feed: dict[str, NDArray[Any]] = {"image": crops, "camera": cameras}
        if hypotheses == 0 and self._encoder is not None:
            values = run_graph(self._encoder, self._perceived, feed)
            B, K = values["keypoints_seen"].shape
            values["joint_positions"] = np.zeros((B, 0, len(self.card["joint_names"])))
            values["keypoints_state"] = np.zeros((B, 0, K, 3))
        else:
            # Empty hypotheses would break the graph's reshapes: ask for one, and drop it.
            noise = self.noise(max(1, hypotheses), seed)
            feed["noise"] = noise[None].repeat(len(crops), axis=0)
            values = run_graph(self._model, (*self._perceived, *SAMPLED), feed)
            for name in SAMPLED:
                values[name] = values[name][:, :hypotheses]
        values.setdefault(DEPTHS[0], np.zeros_like(values["keypoints_std"]))
        values.setdefault(DEPTHS[1], np.full_like(values["keypoints_std"], np.inf))
        presence = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
        return Reading(presence=presence, **values)
