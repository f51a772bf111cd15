"""An exported network and its card: from crops to what was read in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.card import Card, read_card
from armsight.estimate.graphs import DEPTHS, Network, OneGraph, ThreeGraphs

Array = NDArray[np.floating]

ONE_GRAPH, THREE_GRAPHS = "armsight-weights/1", "armsight-weights/2"
FORMATS = {ONE_GRAPH: ("model.onnx",), THREE_GRAPHS: ("head.onnx", "denoiser.onnx")}
"""What a card's `format` may be, and the graphs beside it."""
DEFAULT_HYPOTHESES = 16
VIDEO_HYPOTHESES = 4
"""Fewer do for videos, where the last frame says much already; a card may name another number."""
CARD_KEYS = ("robot", "input_size", "keypoint_names", "joint_names")


@dataclass(frozen=True)
class PoseOutput:
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


def pose_card(folder: Path) -> Card:
    """The card of weights that read poses.

    Raises:
        WeightsError: files are missing, broken, or of another format.
    """
    return read_card(folder, FORMATS, CARD_KEYS)


class Session:
    """The network in a weights folder: its graphs (graphs.py) and its card, `model.json`."""

    def __init__(self, folder: str | Path, threads: int = 0, device: str = "auto") -> None:
        """Load the weights.

        Args:
            folder: holds `model.json` and the graphs that `armsight export` wrote beside it.
            threads: CPU threads; 0 for `armsight.network.default_threads()`.
            device: where the network runs, see `armsight.network.DEVICES`.

        Raises:
            ConfigError: the device is unknown, or not there.
            WeightsError: files are missing, broken, or of another format.
        """
        self.folder = Path(folder)
        self.card = pose_card(self.folder)
        self.input_size = self.card.input_size
        self.num_hypotheses = self.card.num_hypotheses or DEFAULT_HYPOTHESES
        self.num_video_hypotheses = self.card.num_video_hypotheses or VIDEO_HYPOTHESES
        self._network: Network
        if self.card.format == ONE_GRAPH:
            self._network = OneGraph(self.folder, threads, device)
        else:
            self._network = ThreeGraphs(self.folder, self.card.encoder, threads, device)

    def noise(self, hypotheses: int, seed: int = 0) -> NDArray[np.float32]:
        """The sampler's starting noise (H, T, D), the same for the same seed.

        It does not depend on the batch, so an image gets the same answer alone and in a batch;
        and the first hypotheses are the same for every H.
        """
        rng = np.random.default_rng(seed)
        shape = (hypotheses, *self._network.noise_shape)
        return rng.standard_normal(shape, dtype=np.float32)

    def read(
        self, crops: NDArray[np.uint8], cameras: NDArray[np.float32], hypotheses: int, seed: int = 0
    ) -> PoseOutput:
        """Run the network.

        Args:
            crops: (B, S, S, 3) RGB.
            cameras: (B, 4), see `armsight.camera.crops.camera_token`.
            hypotheses: how many samples per crop; 0 asks for presence and keypoints only.
            seed: of the sampler's noise.
        """
        noise = None
        if hypotheses:
            noise = self.noise(hypotheses, seed)[None].repeat(len(crops), axis=0)
        values = self._network.run(crops, cameras, noise)
        if not hypotheses:
            B, K = values["keypoints_seen"].shape
            values["joint_positions"] = np.zeros((B, 0, len(self.card.joint_names)))
            values["keypoints_state"] = np.zeros((B, 0, K, 3))
        values.setdefault(DEPTHS[0], np.zeros_like(values["keypoints_std"]))
        values.setdefault(DEPTHS[1], np.full_like(values["keypoints_std"], np.inf))
        presence = 1 / (1 + np.exp(-values.pop("presence").reshape(-1)))
        return PoseOutput(presence=presence, **values)
