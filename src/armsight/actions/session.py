"""The exported action model: one ONNX graph for all pairs of keyframes, and its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.actions.first_pictures import read_first_pictures
from armsight.actions.keyframes import Progress
from armsight.network import load_graph, read_card, run_graph

Array = NDArray[np.floating]

FORMAT = "armsight-actions/1"
INPUTS = ("images", "pairs", "stride", "noise")
OUTPUTS = ("actions", "ee_position", "ee_rotation", "gripper_opening", "presence")
CARD_KEYS = ("task", "robot", "input_size", "max_stride", "control_hz", "action_names",
             "action_scale")  # fmt: skip
LARGEST_BATCH = 64
"""Pairs in one run of the network, which bounds the memory"""


@dataclass(frozen=True)
class Reading:
    """What the network says of N images and P pairs of them: H hypotheses, T control steps.

    Of a pair's T steps only the first stride + 1 mean something.
    """

    actions: Array
    """(P, H, T, 7) in [-1, 1]"""
    ee_position: Array
    """(P, H, T, 3) [m] in the robot's base frame"""
    ee_rotation: Array
    """(P, H, T, 3, 3)"""
    gripper_opening: Array
    """(P, H, T) [m]"""
    presence: Array
    """(N,) probability that the robot is in view"""


class ActionSession:
    """The network in a weights folder: `model.onnx`, `model.json`, and what its task looks like."""

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        """Load the weights.

        Args:
            threads: CPU threads; 0 for `armsight.network.default_threads()`.

        Raises:
            WeightsError: files are missing, broken, or of another format.
        """
        self.folder = Path(folder)
        self.card = read_card(self.folder, {FORMAT: ("model.onnx",)}, CARD_KEYS)
        self.input_size = int(self.card["input_size"])
        self.first_pictures = read_first_pictures(self.folder)
        self._model: Any = load_graph(self.folder / "model.onnx", INPUTS, OUTPUTS, threads)
        noise = next(node for node in self._model.get_inputs() if node.name == "noise")
        self._noise_shape: tuple[int, int] = tuple(noise.shape[2:])

    def noise(self, pair: int, hypotheses: int, seed: int = 0) -> NDArray[np.float32]:
        """The sampler's starting noise (H, T, D) of one pair, the same for the same seed.

        Every pair has its own, so that errors do not all point one way and add up when played open
        loop. Hypotheses come in opposite twins (z, -z), whose errors cancel in the mean as far as
        the sampler is linear. A longer video begins like a shorter one, and the first hypotheses
        are the same for every H.
        """
        rng = np.random.default_rng([seed, pair])
        half = rng.standard_normal((-(-hypotheses // 2), *self._noise_shape), dtype=np.float32)
        twins = np.stack([half, -half], axis=1)
        return twins.reshape(-1, *self._noise_shape)[:hypotheses]

    def read(
        self,
        images: NDArray[np.uint8],
        pairs: NDArray[np.int64],
        strides: NDArray[np.int64],
        hypotheses: int,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Reading:
        """Run the network.

        Args:
            images: (N, S, S, 3) RGB.
            pairs: (P, 2) indices into the images, consecutive pairs in order.
            strides: (P,) control steps between the images of each pair.
            hypotheses: samples for each pair.
            seed: of the sampler's noise.
            progress: called with the batches and their number.
        """
        parts: list[dict[str, Array]] = []
        presence = np.full(len(images), np.nan)
        batches = range(0, len(pairs), LARGEST_BATCH)
        for start in batches if progress is None else progress(batches, len(batches)):
            batch = pairs[start : start + LARGEST_BATCH]
            low, high = int(batch.min()), int(batch.max()) + 1
            feed: dict[str, NDArray[Any]] = {
                "images": images[low:high],
                "pairs": batch - low,
                "stride": strides[start : start + LARGEST_BATCH].astype(np.float32),
                "noise": np.stack(
                    [self.noise(start + p, hypotheses, seed) for p in range(len(batch))]
                ),
            }
            values = run_graph(self._model, OUTPUTS, feed)
            presence[low:high] = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
            parts.append(values)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Reading(presence=presence, **joined)
