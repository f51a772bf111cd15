"""The exported action model: one ONNX graph for all pairs of keyframes, and its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec, libero_object_spec
from armsight.actions.first_pictures import read_first_pictures
from armsight.actions.keyframes import Progress
from armsight.card import Card, read_card
from armsight.errors import WeightsError
from armsight.network import load_graph, run_graph

Array = NDArray[np.floating]

FORMAT, FIRST_FORMAT = "armsight-actions/2", "armsight-actions/1"
"""Cards of the first format were of LIBERO alone, and hold no `action_spec`"""
INPUTS = ("images", "pairs", "stride", "noise")
CARD_KEYS = ("task", "robot", "input_size", "max_stride")
FIRST_CARD_KEYS = ("control_hz", "action_names", "action_scale")
LARGEST_BATCH = 64
"""Pairs in one run of the network, which bounds the memory"""


@dataclass(frozen=True)
class ActionOutput:
    """What the network says of N images and P pairs of them: H hypotheses, T control steps.

    Of a pair's T steps only the first stride + 1 mean something.
    """

    actions: Array
    """(P, H, T, A), see the weights' `ActionSpec`"""
    states: Mapping[str, Array]
    """(P, H, T, ...) of each part of the specification's states"""
    presence: Array
    """(N,) probability that the robot is in view"""


def read_spec(card: Card) -> ActionSpec:
    """What an action is, by the weights' card.

    Raises:
        TypeError, ValueError, KeyError: the card holds impossible values.
    """
    entries = card.entries
    if card.format == FORMAT:
        return ActionSpec.from_json(entries["action_spec"])
    missing = [key for key in FIRST_CARD_KEYS if key not in entries]
    if missing:
        raise ValueError(f"it lacks {', '.join(map(repr, missing))}")
    return libero_object_spec(
        card.task,
        card.robot,
        float(entries["control_hz"]),
        tuple(entries["action_names"]),
        tuple(map(float, entries["action_scale"])),
    )


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
        graphs = ("model.onnx",)
        self.card = read_card(self.folder, {FORMAT: graphs, FIRST_FORMAT: graphs}, CARD_KEYS)
        try:
            self.spec = read_spec(self.card)
        except (TypeError, ValueError, KeyError) as error:
            raise WeightsError(
                f"{self.folder / 'model.json'} is broken: {error}; export the weights again"
            ) from error
        self.input_size = self.card.input_size
        self.first_pictures = read_first_pictures(self.folder)
        self.num_cameras = max(1, len(self.spec.cameras))
        self._outputs = ("presence", *self.spec.outputs)
        inputs = (*INPUTS, "seen") if self.num_cameras > 1 else INPUTS
        self._model: Any = load_graph(self.folder / "model.onnx", inputs, self._outputs, threads)
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
        seen: NDArray[np.bool_] | None = None,
    ) -> ActionOutput:
        """Run the network.

        Args:
            images: (N, S, S, 3) RGB; (N, cameras, S, S, 3) for weights of several cameras.
            pairs: (P, 2) indices into the images, consecutive pairs in order.
            strides: (P,) control steps between the images of each pair.
            hypotheses: samples for each pair.
            seed: of the sampler's noise.
            progress: called with the batches and their number.
            seen: (N, cameras) which camera's picture is there; all by default.
        """
        there = np.ones((len(images), self.num_cameras), bool) if seen is None else seen
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
                "seen": there[low:high].astype(np.float32),
                "noise": np.stack(
                    [self.noise(start + p, hypotheses, seed) for p in range(len(batch))]
                ),
            }
            values = run_graph(self._model, self._outputs, feed)
            presence[low:high] = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
            parts.append(values)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return ActionOutput(joined.pop("actions"), joined, presence)
